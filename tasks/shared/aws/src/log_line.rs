//! Formats a log event as one line of JSON with bounded texts.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Maximum number of characters of one text. Input may have any length, and logs are billed by the byte.
pub const LONGEST_TEXT: usize = 2_000;
/// The end of a text that was cut.
pub const CUT: &str = " ...";

/// Writes `timestamp`, `level`, the event's fields and `target`, in this order.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogLine;

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line(String::from("{"));
        line.member("timestamp", &format!("{:.6}", Timestamp::now()));
        line.member("level", event.metadata().level().as_str());
        event.record(&mut line);
        line.member("target", event.metadata().target());
        writeln!(writer, "{}}}", line.0)
    }
}

/// The line so far, without the brace at its end.
struct Line(String);

impl Line {
    fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // A number that JSON lacks becomes null, and nothing else can fail.
        let json = |value: Result<String, _>| value.unwrap_or_else(|_: serde_json::Error| "null".to_owned());
        self.0.push_str(&json(serde_json::to_string(name)));
        self.0.push(':');
        self.0.push_str(&json(serde_json::to_string(value)));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded::default();
        // The error stops a formatter that writes beyond the bound.
        let _ = write!(text, "{value:?}");
        self.member(field.name(), &text.0);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Bounded::default();
        let _ = text.write_str(value);
        self.member(field.name(), &text.0);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), &value);
    }
}

/// A text of at most [`LONGEST_TEXT`] characters, and [`CUT`] if there were more.
#[derive(Default)]
struct Bounded(String, usize);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Self(kept, count) = self;
        for character in text.chars() {
            if *count == LONGEST_TEXT {
                kept.push_str(CUT);
                return Err(fmt::Error);
            }
            kept.push(character);
            *count += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::subscriber;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = subscriber(tracing_subscriber::filter::LevelFilter::INFO, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_one_object_with_dotted_fields() {
        let lines = lines(|| {
            tracing::info!(
                text = "a\n\"b\"", shown = %7, debugged = ?Some(1), count = 3_u64, less = -3_i64, share = 0.5,
                on = true, nothing = f64::NAN, "two words: {}", "ü"
            );
            tracing::debug!("not at this level");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let mut line = line.clone();
        let time = line["timestamp"].take();
        assert_eq!(time.as_str().unwrap().len(), "2026-09-10T14:06:12.544000Z".len());
        let expected = json!({
            "timestamp": null, "level": "INFO", "message": "two words: ü", "text": "a\n\"b\"", "shown": "7",
            "debugged": "Some(1)", "count": 3, "less": -3, "share": 0.5, "on": true, "nothing": null,
            "target": "aws_edge::log_line::tests",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn every_text_is_cut_at_the_bound() {
        let long = "ü".repeat(100_000);
        let lines = lines(|| {
            tracing::error!(text = long, shown = %long, debugged = ?long, "{long}");
            tracing::error!(text = "ü".repeat(LONGEST_TEXT), "as long as allowed");
        });
        let expected = "ü".repeat(LONGEST_TEXT) + CUT;
        for field in ["text", "shown", "message"] {
            assert_eq!(lines[0][field], expected, "{field}");
        }
        assert_eq!(lines[0]["debugged"].as_str().unwrap().chars().count(), LONGEST_TEXT + CUT.len());
        assert_eq!(lines[1]["text"], "ü".repeat(LONGEST_TEXT));
    }
}
