//! Invokes a level's service.
//!
//! An invocation can fail between controller and service. What such a failure says about the service differs:
//!
//! | failure | error | outcome of the level | may be retried |
//! |---|---|---|---|
//! | no connection: refused, no name, no TLS, no time | `NotConnected` | none | any method, once: it was never sent |
//! | Lambda refused: no such function, access denied | `NotInvoked` | failure | no |
//! | the connection broke before a byte of the answer | `ConnectionLost` | none | a GET or HEAD, once |
//! | it broke in the middle of the answer | `AnswerCutShort` | none: Lambda answers when the function has ended, so the service ran, but its answer is unknown | no |
//! | Lambda answered 500 for itself | `Lost` | failure | no |
//! | no answer in time | `TimedOut` | failure: the service hung | no |

use std::time::Duration;

use aws_edge::connections::was_never_sent;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{DisplayErrorContext, SdkError};
use aws_sdk_lambda::operation::invoke::{InvokeError as SdkInvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use breaker::{Level, PerLevel};

/// Maximum size of a request to a function and of its answer, as JSON, in bytes. Lambda's quota for synchronous
/// invocations is documented as 6 MB and enforced as 6 MiB; 8 KiB of it are for what the controller adds.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024 - 8 * 1024;

/// An invocation without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The function ended in an error.
    #[error("the service crashed: {0}")]
    Crashed(String),
    /// No answer came in time. It is unknown what the service did.
    #[error("the service did not answer in time")]
    TimedOut,
    /// The answer was lost. It is unknown what the service did.
    #[error("the service's answer was lost: {0}")]
    Lost(String),
    /// No connection to Lambda could be made, so the request was never sent.
    #[error("no connection to Lambda: {0}")]
    NotConnected(String),
    /// The connection to Lambda broke before a byte of the answer. It is unknown whether the service ran.
    #[error("the connection to Lambda broke before an answer: {0}")]
    ConnectionLost(String),
    /// The connection to Lambda broke in the middle of the answer. It is unknown what the service did.
    #[error("the connection to Lambda broke in the middle of the answer: {0}")]
    AnswerCutShort(String),
    /// The function has no capacity left.
    #[error("the service is throttled")]
    Throttled,
    /// The request is larger than Lambda accepts.
    #[error("the request is too large for the service")]
    TooLarge,
    /// The answer is larger than Lambda returns.
    #[error("the service's answer is too large")]
    AnswerTooLarge,
    /// Lambda refused the invocation, so the service did not run.
    #[error("the service cannot be invoked: {0}")]
    NotInvoked(String),
    /// The function's answer is not a valid HTTP answer.
    #[error("the service gave an invalid response: {0}")]
    InvalidResponse(String),
}

impl InvokeError {
    /// Returns the error as a word, for the header `X-Fallback-From`.
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
            Self::InvalidResponse(_) => "invalid-response",
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
    /// Sends `payload` to the service of `level` once and returns the answer if it comes within `time`.
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
    // Lambda reports a function that it ended as an error of the function; only the text tells them apart.
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
            // The function may have run.
            #[expect(deprecated, reason = "of an error that is not described, only the status is known")]
            SdkInvokeError::Unhandled(_) if service.raw().status().is_server_error() => InvokeError::Lost(told()),
            _ => InvokeError::NotInvoked(told()),
        },
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if error.is_user() => InvokeError::NotInvoked(told()),
            Some(error) if was_never_sent(error) => InvokeError::NotConnected(told()),
            Some(error) if error.is_io() => InvokeError::ConnectionLost(told()),
            // Bytes arrived that are not HTTP.
            Some(_) => InvokeError::AnswerCutShort(told()),
            None => InvokeError::NotInvoked(told()),
        },
        SdkError::ResponseError(_) => InvokeError::AnswerCutShort(told()),
        _ => InvokeError::NotInvoked(told()),
    }
}
