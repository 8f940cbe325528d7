//! The kinds of failures, as logs and causes name them.

use std::fmt;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// AWS throttled the call, or a quota is used up.
    Throttled,
    /// The caller has no permission, or its credentials are not valid.
    Denied,
    /// No answer came in time.
    TimedOut,
    /// No connection could be made, or it broke.
    Unreachable,
    /// The call is invalid.
    Refused,
    /// The service failed, or its answer is invalid.
    Failed,
    /// The content that was read or is to be written is invalid or incomplete.
    Invalid,
}

impl ErrorKind {
    /// The name in logs and causes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }

    /// Whether AWS rejected the call, so that it had no effect. After any other failure of a call its effect is unknown.
    #[must_use]
    pub const fn is_rejection(self) -> bool {
        matches!(self, Self::Throttled | Self::Denied | Self::Refused)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
