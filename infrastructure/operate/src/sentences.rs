//! The sentences about holds and levels, each in one place.

use breaker::{Hold, Level, SystemState};
use jiff::Timestamp;

/// Returns the effect of a command on a hold: "this ended the hold of level 3 by ...".
#[must_use]
pub fn ended(hold: &Hold) -> String {
    format!("This ended the {}.", described(hold))
}

/// Returns the effect that a command would have on a hold.
#[must_use]
pub fn would_end(hold: &Hold) -> String {
    format!("This ends the {}.", described(hold))
}

fn described(hold: &Hold) -> String {
    let Hold { level, reason, requested_by, expires_at, .. } = hold;
    format!("hold of level {level} by {requested_by} until {expires_at} ({reason})")
}

/// The time from which on automation may move the level, or the hold that prevents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The level.
    pub level: Level,
    /// The end of the hold that is in force.
    pub held_until: Option<Timestamp>,
    /// The earliest time at which automation may raise the level, if it is known.
    pub recovery_allowed_at: Option<Timestamp>,
}

impl Standing {
    /// Returns when automation may move the level of this state.
    #[must_use]
    pub fn new(state: &SystemState, recovery_allowed_at: Option<Timestamp>, now: Timestamp) -> Self {
        let held_until = state.active_hold(now).map(|hold| hold.expires_at);
        Self { level: state.current_level, held_until, recovery_allowed_at }
    }

    /// Returns the sentence with which every command ends.
    #[must_use]
    pub fn sentence(self, now: Timestamp) -> String {
        match (self.held_until, self.recovery_allowed_at) {
            (Some(until), _) => format!("Held until {until}."),
            (None, Some(from)) => format!("No hold: automation may raise the level from {}.", clock(from, now)),
            (None, None) if self.level == Level::Full => {
                "No hold: automation may lower the level at any time.".to_owned()
            }
            (None, None) => "No hold: automation may move the level if the policy allows it.".to_owned(),
        }
    }
}

/// Formats a time (UTC) for people, without the date if it is today's.
#[must_use]
pub fn clock(time: Timestamp, now: Timestamp) -> String {
    let same_day = time.strftime("%F").to_string() == now.strftime("%F").to_string();
    let form = if same_day { "%H:%M:%S UTC" } else { "%F %H:%M:%S UTC" };
    time.strftime(form).to_string()
}

/// Returns the age of an event, rounded.
#[must_use]
pub fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let now: Timestamp = "2026-09-10T23:50:00Z".parse().unwrap();
        assert_eq!(clock("2026-09-10T23:55:00.5Z".parse().unwrap(), now), "23:55:00 UTC");
        assert_eq!(clock("2026-09-11T00:05:00Z".parse().unwrap(), now), "2026-09-11 00:05:00 UTC");
    }

    #[test]
    fn the_last_sentence_says_what_keeps_automation_off() {
        let now: Timestamp = "2026-09-10T14:06:12Z".parse().unwrap();
        let free = Standing { level: Level::Degraded, held_until: None, recovery_allowed_at: None };
        let later: Timestamp = "2026-09-10T14:06:42Z".parse().unwrap();
        for (standing, expected) in [
            (Standing { held_until: Some(later), ..free }, "Held until 2026-09-10T14:06:42Z."),
            (
                Standing { recovery_allowed_at: Some(later), ..free },
                "No hold: automation may raise the level from 14:06:42 UTC.",
            ),
            (Standing { level: Level::Full, ..free }, "No hold: automation may lower the level at any time."),
            (free, "No hold: automation may move the level if the policy allows it."),
        ] {
            assert_eq!(standing.sentence(now), expected);
        }
    }
}
