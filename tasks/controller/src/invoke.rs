//! Invoking a level's service: once, never again.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{DisplayErrorContext, SdkError};
use aws_sdk_lambda::operation::invoke::{InvokeError as SdkInvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use breaker::Level;

use crate::settings::ServiceFunctions;

/// An invocation without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The function ended in an error.
    #[error("the service crashed: {0}")]
    Crashed(String),
    /// No answer in time; what the service did is unknown.
    #[error("the service did not answer in time")]
    TimedOut,
    /// The function has no capacity left.
    #[error("the service is throttled")]
    Throttled,
    /// The request exceeds what a function can be sent.
    #[error("the request is too large for the service")]
    TooLarge,
    /// The invocation did not come about.
    #[error("the service cannot be invoked: {0}")]
    NotInvoked(String),
    /// The function answered something that is no HTTP answer.
    #[error("the service answered nonsense: {0}")]
    Nonsense(String),
}

/// Invokes services.
pub trait ServiceInvoker {
    /// Sends `payload` to the service of `level` and returns what it answered.
    fn invoke(&self, level: Level, payload: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, InvokeError>> + Send;
}

/// Lambda functions.
#[derive(Clone, Debug)]
pub struct LambdaServices {
    /// A client that does not retry.
    pub client: Client,
    /// The function of each level.
    pub functions: ServiceFunctions,
}

impl ServiceInvoker for LambdaServices {
    async fn invoke(&self, level: Level, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        let function = self.functions.of(level);
        match self.client.invoke().function_name(function).payload(Blob::new(payload)).send().await {
            Ok(output) => answer_of(output),
            Err(error) => Err(classify(&error)),
        }
    }
}

fn answer_of(output: InvokeOutput) -> Result<Vec<u8>, InvokeError> {
    let payload = output.payload.map(Blob::into_inner).unwrap_or_default();
    match output.function_error {
        None => Ok(payload),
        // Lambda reports a function that it stopped at its own timeout as an error like any other.
        Some(_) if String::from_utf8_lossy(&payload).contains("Task timed out") => Err(InvokeError::TimedOut),
        Some(kind) => Err(InvokeError::Crashed(kind)),
    }
}

fn classify(error: &SdkError<SdkInvokeError>) -> InvokeError {
    match error {
        SdkError::TimeoutError(_) => InvokeError::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => InvokeError::TimedOut,
        SdkError::ServiceError(service) => match service.err() {
            SdkInvokeError::TooManyRequestsException(_) => InvokeError::Throttled,
            SdkInvokeError::RequestTooLargeException(_) => InvokeError::TooLarge,
            _ => InvokeError::NotInvoked(DisplayErrorContext(error).to_string()),
        },
        _ => InvokeError::NotInvoked(DisplayErrorContext(error).to_string()),
    }
}
