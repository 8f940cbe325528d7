//! Arithmetic on times that ends at the limits instead of failing.

use jiff::{SignedDuration, Timestamp};

pub(crate) fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns the seconds from `now` until `end`, rounded up.
pub(crate) fn seconds_until(end: Timestamp, now: Timestamp) -> i64 {
    let left = end.duration_since(now);
    left.as_secs().saturating_add(i64::from(left.subsec_nanos() > 0))
}

/// Returns the whole second or minute at or before `time`.
pub(crate) fn floor(time: Timestamp, seconds: i64) -> Timestamp {
    let whole = time.as_nanosecond().div_euclid(1_000_000_000);
    let second = i64::try_from(whole).unwrap_or(i64::MIN);
    Timestamp::from_second(second.div_euclid(seconds).saturating_mul(seconds)).unwrap_or(Timestamp::MIN)
}

/// Returns the whole second or minute at or after `time`.
pub(crate) fn ceiling(time: Timestamp, seconds: i64) -> Timestamp {
    let down = floor(time, seconds);
    if down == time { down } else { later(down, SignedDuration::from_secs(seconds)) }
}
