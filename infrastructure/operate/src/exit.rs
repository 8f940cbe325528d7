//! The exit status of a command, and the failure that prevents a command.

use std::process::ExitCode;

use aws_edge::call_error::CallError;

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or there was nothing to do.
    Done,
    /// 1: refused or failed; nothing was changed.
    Failed,
    /// 2: the arguments are wrong.
    Usage,
    /// 3: the outcome is unknown.
    Unknown,
}

impl Exit {
    /// Returns the number that the shell gets.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that cannot begin: the sentence says what is missing and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// The problem and the remedy.
    pub sentence: String,
}

/// A call that failed before anything was changed.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::failed(error.to_string())
    }
}

impl Failure {
    /// Returns a failure that changed nothing.
    #[must_use]
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, sentence: sentence.into() }
    }
}
