//! Durations from numbers.

use std::time::Duration;

use jiff::SignedDuration;

/// Returns this number of milliseconds.
pub fn milliseconds(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1_000.0)
}

/// Returns this number of seconds, rounded to the millisecond.
#[expect(clippy::cast_possible_truncation, reason = "far from the limit")]
pub fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::from_millis((seconds * 1_000.0).round() as i64)
}
