//! Errors of calls to AWS, each with a sentence for the operator: the problem and the remedy.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};

/// The remedy if there are no credentials, or if they are not valid.
const CREDENTIALS: &str = "see `aws sso login` or `aws configure`, give --profile, or set AWS_ACCESS_KEY_ID and \
                           AWS_SECRET_ACCESS_KEY";

/// Returns the error of a call. `what` says what could not be done, as in "the stack cannot be read".
pub fn call_error<E>(what: &str, error: SdkError<E>) -> CallError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let sentence = format!("{what}: {}", problem(&error));
    let error =
        if lacks_credentials(&error) { CallError::new(ErrorKind::Denied, error) } else { CallError::from(error) };
    error.described(sentence)
}

/// Returns an error without an error of the SDK: the answer or the request is not usable.
#[must_use]
pub fn failure(kind: ErrorKind, sentence: String) -> CallError {
    CallError::new(kind, sentence.as_str()).described(sentence)
}

/// Returns the problem and, if the credentials are missing or not valid, the remedy.
fn problem<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        _ if lacks_credentials(error) => format!("there are no credentials: {CREDENTIALS}"),
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("an error without a code");
            let message = answer.err().message().unwrap_or_default();
            match code {
                "ExpiredToken" | "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidClientTokenId" => {
                    format!("the credentials are expired or unknown ({code}): {CREDENTIALS}")
                }
                _ if message.is_empty() => code.to_owned(),
                _ => format!("{code}: {message}"),
            }
        }
        SdkError::TimeoutError(_) => "AWS does not answer in time".to_owned(),
        other => chain(other),
    }
}

/// Returns the error with its causes, in words alone.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<CredentialsError>().is_some() {
            return true;
        }
        cause = error.source();
    }
    false
}
