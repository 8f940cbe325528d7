//! Structured logs: one JSON object a line, with dotted field names.

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::log_line::LogLine;
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
    subscriber(*level.as_ref().unwrap_or(&LevelFilter::INFO), std::io::stdout).init();
    level.map(|_| ())
}

/// Returns a subscriber that writes log lines of at least `level` to `writer`.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // Spans are not logged, and formatting them would cost each request some microseconds.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is of one lifetime only")]
    let events = filter_fn(|metadata| metadata.is_event());
    tracing_subscriber::fmt().event_format(LogLine).with_max_level(level).with_writer(writer).finish().with(events)
}
