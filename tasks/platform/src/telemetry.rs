//! Structured logs: one JSON object a line, with dotted field names.

use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{Environment, SettingError};

/// Sends the logs of this process to standard output. Called once, first.
///
/// # Errors
/// `LOG_LEVEL` is not one of `info`, `off`, `error`, `warn`, `debug`, `trace`.
pub fn init(environment: &Environment) -> Result<(), SettingError> {
    let level = environment.one_of(
        "LOG_LEVEL",
        &[
            ("info", LevelFilter::INFO),
            ("off", LevelFilter::OFF),
            ("error", LevelFilter::ERROR),
            ("warn", LevelFilter::WARN),
            ("debug", LevelFilter::DEBUG),
            ("trace", LevelFilter::TRACE),
        ],
    );
    // Spans are not shown, and preparing them for it would cost each request some microseconds.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is of one lifetime only")]
    let events = filter_fn(|metadata| metadata.is_event());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(*level.as_ref().unwrap_or(&LevelFilter::INFO))
        .finish()
        .with(events)
        .init();
    level.map(|_| ())
}
