//! Invokes a level's service.
//!
//! What fails on the way is told apart by what it says of the service:
//!
//! | on the way | error | outcome of the level | may be sent again |
//! |---|---|---|---|
//! | no connection: refused, no name, no TLS, no time | `NotConnected` | none | any method, once: it was never sent |
//! | Lambda refused: no such function, access denied | `NotInvoked` | failure | no |
//! | the connection broke before a byte of the answer | `ConnectionLost` | none | a GET or HEAD, once |
//! | it broke in the middle of the answer | `AnswerCutShort` | none: Lambda answers when the function has ended, so the service ran, and what it answered is not known | no |
//! | Lambda answered 500 for itself | `Lost` | failure | no |
//! | no answer in time | `TimedOut` | failure: the service hung | no |

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{DisplayErrorContext, SdkError};
use aws_sdk_lambda::operation::invoke::{InvokeError as SdkInvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use breaker::Level;
use platform::connections::was_never_sent;

use crate::settings::PerLevel;

/// The JSON that a function can be sent, and answer, in bytes: Lambda's quota for synchronous invocations,
/// documented as 6 MB and enforced as 6 MiB, less 8 KiB for what the controller adds.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024 - 8 * 1024;

/// An invocation without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The function ended in an error.
    #[error("the service crashed: {0}")]
    Crashed(String),
    /// No answer in time; what the service did is unknown.
    #[error("the service did not answer in time")]
    TimedOut,
    /// The answer got lost; what the service did is unknown.
    #[error("the service's answer was lost: {0}")]
    Lost(String),
    /// No connection to Lambda could be made, so the request was never sent.
    #[error("no connection to Lambda: {0}")]
    NotConnected(String),
    /// The connection to Lambda broke before a byte of the answer; whether the service ran is unknown.
    #[error("the connection to Lambda broke before an answer: {0}")]
    ConnectionLost(String),
    /// The connection to Lambda broke in the middle of the answer; what the service did is unknown.
    #[error("the connection to Lambda broke in the middle of the answer: {0}")]
    AnswerCutShort(String),
    /// The function has no capacity left.
    #[error("the service is throttled")]
    Throttled,
    /// The request exceeds what a function can be sent.
    #[error("the request is too large for the service")]
    TooLarge,
    /// The answer exceeds what a function can answer.
    #[error("the service's answer is too large")]
    AnswerTooLarge,
    /// The invocation did not come about.
    #[error("the service cannot be invoked: {0}")]
    NotInvoked(String),
    /// The function answered something that is no HTTP answer.
    #[error("the service answered nonsense: {0}")]
    Nonsense(String),
}

impl InvokeError {
    /// The error in a word, for the header that names it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Crashed(_) => "crash",
            Self::TimedOut => "timeout",
            Self::Lost(_) => "lost",
            Self::NotConnected(_) => "not-connected",
            Self::ConnectionLost(_) => "connection-lost",
            Self::AnswerCutShort(_) => "answer-cut-short",
            Self::Throttled => "throttled",
            Self::TooLarge => "request-too-large",
            Self::AnswerTooLarge => "answer-too-large",
            Self::NotInvoked(_) => "not-invoked",
            Self::Nonsense(_) => "nonsense",
        }
    }

    /// Whether a connection to Lambda's front end broke or could not be made, which says nothing about the service.
    #[must_use]
    pub const fn is_lost_connection(&self) -> bool {
        matches!(self, Self::NotConnected(_) | Self::ConnectionLost(_) | Self::AnswerCutShort(_))
    }
}

/// Invokes services.
pub trait ServiceInvoker {
    /// Sends `payload` to the service of `level`, once, and returns what it answered within `time`.
    fn invoke(
        &self,
        level: Level,
        payload: Vec<u8>,
        time: Duration,
    ) -> impl Future<Output = Result<Vec<u8>, InvokeError>> + Send;
}

/// Lambda functions.
#[derive(Clone, Debug)]
pub struct LambdaServices {
    /// A client that does not retry.
    pub client: Client,
    /// The function of each level, by name or ARN.
    pub functions: PerLevel<String>,
}

impl ServiceInvoker for LambdaServices {
    async fn invoke(&self, level: Level, payload: Vec<u8>, time: Duration) -> Result<Vec<u8>, InvokeError> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(time).operation_timeout(time);
        let invocation = self.client.invoke().function_name(self.functions.of(level)).payload(Blob::new(payload));
        let overrides = aws_sdk_lambda::config::Builder::new().timeout_config(timeouts.build());
        match invocation.customize().config_override(overrides).send().await {
            Ok(output) => answer_of(output),
            Err(error) => Err(classify(&error)),
        }
    }
}

fn answer_of(output: InvokeOutput) -> Result<Vec<u8>, InvokeError> {
    let payload = output.payload.map(Blob::into_inner).unwrap_or_default();
    let Some(kind) = output.function_error else { return Ok(payload) };
    // Lambda reports what it did to a function as an error like any other, and only words tell them apart.
    let told = String::from_utf8_lossy(&payload);
    Err(if told.contains("Task timed out") {
        InvokeError::TimedOut
    } else if told.contains("Function.ResponseSizeTooLarge") {
        InvokeError::AnswerTooLarge
    } else {
        InvokeError::Crashed(kind)
    })
}

fn classify(error: &SdkError<SdkInvokeError>) -> InvokeError {
    let told = || DisplayErrorContext(error).to_string();
    match error {
        SdkError::TimeoutError(_) => InvokeError::TimedOut,
        SdkError::ServiceError(service) => match service.err() {
            SdkInvokeError::TooManyRequestsException(_) => InvokeError::Throttled,
            SdkInvokeError::RequestTooLargeException(_) => InvokeError::TooLarge,
            // Lambda itself failed, or the function's file system did: before the function ran or after.
            SdkInvokeError::ServiceException(_) | SdkInvokeError::EfsioException(_) => InvokeError::Lost(told()),
            // Nothing says that the function did not run.
            #[expect(deprecated, reason = "of an error that is not described, only the status is known")]
            SdkInvokeError::Unhandled(_) if service.raw().status().is_server_error() => InvokeError::Lost(told()),
            _ => InvokeError::NotInvoked(told()),
        },
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if error.is_user() => InvokeError::NotInvoked(told()),
            Some(error) if was_never_sent(error) => InvokeError::NotConnected(told()),
            Some(error) if error.is_io() => InvokeError::ConnectionLost(told()),
            // Bytes came, and are no HTTP.
            Some(_) => InvokeError::AnswerCutShort(told()),
            None => InvokeError::NotInvoked(told()),
        },
        SdkError::ResponseError(_) => InvokeError::AnswerCutShort(told()),
        _ => InvokeError::NotInvoked(told()),
    }
}
