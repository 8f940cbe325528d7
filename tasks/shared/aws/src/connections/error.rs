//! Classifies the error of a request without an answer, in the SDK's terms.

use std::error::Error;
use std::io;
use std::iter::successors;

use aws_smithy_runtime_api::client::result::ConnectorError;
use hyper_util::client::legacy;
use tokio::time::error::Elapsed;

/// Returns the SDK's classification of a client error, which decides whether the call is retried.
pub(super) fn connector_error(error: legacy::Error) -> ConnectorError {
    if causes(&error).find_map(|error| error.downcast_ref::<Elapsed>()).is_some() {
        return ConnectorError::timeout(error.into());
    }
    let of_http = causes(&error).find_map(|error| error.downcast_ref::<hyper::Error>());
    let (is_user, is_parse) = of_http.map_or((false, false), |error| (error.is_user(), error.is_parse()));
    if is_user {
        return ConnectorError::user(error.into());
    }
    if is_parse {
        // The answer is not HTTP. A retry would get the same.
        return ConnectorError::other(error.into(), None);
    }
    ConnectorError::io(error.into())
}

/// Whether the request was never sent, because no connection could be opened.
#[must_use]
pub fn was_never_sent(error: &ConnectorError) -> bool {
    error.is_user()
        || causes(error).filter_map(|error| error.downcast_ref::<legacy::Error>()).any(legacy::Error::is_connect)
}

/// Returns an error and its chain of causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| cause(*error))
}

/// Returns the cause of an error. The cause of an `io::Error` is its content, because `source` skips the content.
pub(crate) fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(content) => Some(content),
        None => error.source(),
    }
}
