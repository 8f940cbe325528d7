//! Parsers of the arguments that operators type.

use std::ffi::OsString;

use breaker::{HOLD_MINUTES, Level};
use clap::builder::{OsStringValueParser, TypedValueParser};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Returns the parser of a text in UTF-8. It refuses an empty text, which usually is a variable that was not set.
pub fn text() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|value: OsString| match value.into_string() {
        Ok(text) if text.is_empty() => Err("it is empty".to_owned()),
        Ok(text) => Ok(text),
        Err(_) => Err("it is not UTF-8: type it again in a terminal that writes UTF-8".to_owned()),
    })
}

/// Parses a level.
pub fn level(text: &str) -> Result<Level, String> {
    let refused = || "use 1 (full), 2 (degraded) or 3 (maintenance)".to_owned();
    text.parse::<u8>().ok().and_then(|number| Level::try_from(number).ok()).ok_or_else(refused)
}

/// Parses the duration of a hold, in minutes.
pub fn hold(text: &str) -> Result<u32, String> {
    let duration = duration(text, "30m, 2h or 1h30m")?;
    let minutes = u32::try_from(duration.as_mins()).ok();
    let whole = duration == SignedDuration::from_mins(duration.as_mins());
    minutes.filter(|minutes| whole && HOLD_MINUTES.contains(minutes)).ok_or_else(|| {
        let (minimum, maximum) = (HOLD_MINUTES.start(), HOLD_MINUTES.end() / 60);
        format!("a hold lasts whole minutes, from {minimum}m to {maximum}h, because a hold always ends")
    })
}

/// Parses the time to wait.
pub fn wait(text: &str) -> Result<std::time::Duration, String> {
    let duration = duration(text, "60s or 2m")?;
    duration.try_into().map_err(|_| "it is negative: use a time such as 60s or 2m".to_owned())
}

/// Parses a duration with its unit. A day is 24 hours.
fn duration(text: &str, such_as: &str) -> Result<SignedDuration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    span.map_err(|_| format!("use a time with its unit, such as {such_as}"))
}

/// Parses a time in the past: a duration before now, or a time stamp.
pub fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago = duration(text, "2h or 3d, or a time such as 2026-09-10T14:00:00Z")?;
    Timestamp::now().checked_sub(ago.abs()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_number() {
        assert_eq!(level("2"), Ok(Level::Degraded));
        for wrong in ["two", "0", "4", "", "2.0"] {
            assert_eq!(level(wrong).unwrap_err(), "use 1 (full), 2 (degraded) or 3 (maintenance)", "{wrong}");
        }
    }

    #[test]
    fn a_hold_has_a_unit_and_an_end() {
        for (typed, minutes) in [("30m", 30), ("2h", 120), ("1h30m", 90), ("72h", 4320), ("120s", 2)] {
            assert_eq!(hold(typed), Ok(minutes), "{typed}");
        }
        for wrong in ["30", "an hour", ""] {
            assert_eq!(hold(wrong).unwrap_err(), "use a time with its unit, such as 30m, 2h or 1h30m", "{wrong}");
        }
        for wrong in ["0m", "73h", "90s", "-30m", "30s"] {
            assert!(hold(wrong).unwrap_err().starts_with("a hold lasts whole minutes, from 1m to 72h"), "{wrong}");
        }
    }

    #[test]
    fn a_wait_has_a_unit() {
        assert_eq!(wait("2m"), Ok(std::time::Duration::from_mins(2)));
        assert!(wait("long").is_err() && wait("60").is_err() && wait("-5s").is_err());
    }

    #[test]
    fn a_time_of_the_past_is_a_time_stamp_or_so_long_ago() {
        assert_eq!(since("2026-09-10T14:00:00Z"), Ok("2026-09-10T14:00:00Z".parse().unwrap()));
        for (typed, seconds) in [("2h", 7_200), ("3d", 259_200)] {
            let age = Timestamp::now().duration_since(since(typed).unwrap()).as_secs();
            assert!((seconds - 10..seconds + 10).contains(&age), "{typed}: {age}");
        }
        assert!(since("yesterday").is_err());
    }
}
