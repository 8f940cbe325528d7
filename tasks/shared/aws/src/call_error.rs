//! The failure of a call to AWS.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error_kind::ErrorKind;

/// Error codes of quotas that the SDK does not retry.
const QUOTA_ERRORS: [&str; 2] = ["ExecutionLimitExceeded", "ServiceQuotaExceededException"];
/// Error codes of calls without permission, or without valid credentials, that some services answer with another HTTP
/// status than 401 or 403.
const DENIALS: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// A call to AWS that failed, retries included.
#[derive(Clone, Debug)]
pub struct CallError {
    kind: ErrorKind,
    /// The failure in a sentence for people, if the caller made one.
    sentence: Option<Arc<str>>,
    source: Arc<dyn Error + Send + Sync>,
}

impl CallError {
    /// Returns the failure of this kind with its source.
    pub fn new(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, sentence: None, source: source.into().into() }
    }

    /// Returns the failure with a sentence for people, which replaces its text.
    #[must_use]
    pub fn described(self, sentence: impl Into<Arc<str>>) -> Self {
        Self { sentence: Some(sentence.into()), ..self }
    }

    /// The kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl<E> From<SdkError<E, HttpResponse>> for CallError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        Self { kind: kind_of(&error), sentence: None, source: Arc::new(error) }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sentence {
            Some(sentence) => f.write_str(sentence),
            None => write!(f, "{}: {}", self.kind, DisplayErrorContext(&*self.source)),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Equal if the kinds, the sentences and the sources' texts are.
impl PartialEq for CallError {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.sentence) == (other.kind, &other.sentence)
            && self.source.to_string() == other.source.to_string()
    }
}

impl Eq for CallError {}

fn kind_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorKind {
    let answer = match error {
        SdkError::ConstructionFailure(_) => return ErrorKind::Refused,
        SdkError::TimeoutError(_) => return ErrorKind::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => return ErrorKind::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_user() => return ErrorKind::Refused,
        SdkError::DispatchFailure(_) => return ErrorKind::Unreachable,
        SdkError::ServiceError(answer) => answer,
        _ => return ErrorKind::Failed,
    };
    let (code, status) = (answer.err().code().unwrap_or_default(), answer.raw().status().as_u16());
    if status == 429 || THROTTLING_ERRORS.contains(&code) || QUOTA_ERRORS.contains(&code) {
        ErrorKind::Throttled
    } else if [401, 403].contains(&status) || DENIALS.contains(&code) {
        ErrorKind::Denied
    } else if status < 500 {
        ErrorKind::Refused
    } else {
        ErrorKind::Failed
    }
}
