//! When a caller may try again after an answer 503 of the breaker.

use std::time::Duration;

use breaker::{Policy, SystemState};
use jiff::Timestamp;

/// Minimum wait in seconds.
const SHORTEST: u64 = 5;
/// Maximum wait in seconds without the jitter. A long cooldown or hold may be ended by an operator at any time.
const LONGEST: u64 = 60;

/// Returns how long a caller should wait: the time until the next possible recovery, limited to 5 to 60 s. A random
/// part is added: up to half of that time, or up to 5 s if that is more. So callers do not all come back in the same
/// second. `chance`, from 0 to 1, chooses the random part.
pub fn retry_after(state: Option<&SystemState>, policy: &Policy, now: Timestamp, chance: f64) -> Duration {
    let recovery = state.and_then(|state| state.recovery_allowed_at(policy, now));
    let left = recovery.map_or(0, |at| u64::try_from(at.duration_since(now).as_secs()).unwrap_or_default());
    let wait = Duration::from_secs(left.clamp(SHORTEST, LONGEST));
    wait + (wait / 2).max(Duration::from_secs(SHORTEST)).mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use breaker::{Hold, Level, Preset};
    use jiff::SignedDuration;

    use super::*;

    fn waits(level: Level, since: i64, hold_minutes: i64) -> [u64; 2] {
        let (policy, then) = (Policy::from(Preset::Classic), Timestamp::UNIX_EPOCH);
        let now = then + SignedDuration::from_secs(since);
        let expires_at = now + SignedDuration::from_mins(hold_minutes);
        let hold = Hold { level, reason: "a drill".into(), requested_by: "alice".into(), expires_at, execution: None };
        let state = SystemState {
            current_level: level,
            hold: Some(hold).filter(|_| hold_minutes > 0),
            ..SystemState::initial(&policy, then)
        };
        [0.0, 1.0].map(|chance| retry_after(Some(&state), &policy, now, chance).as_secs())
    }

    #[test]
    fn a_caller_waits_for_the_next_possible_recovery() {
        assert_eq!(waits(Level::Degraded, 0, 0), [30, 45], "the cooldown");
        assert_eq!(waits(Level::Maintenance, 10, 0), [20, 30]);
        assert_eq!(waits(Level::Degraded, 3_600, 0), [5, 10], "a recovery may come at any time");
        assert_eq!(waits(Level::Full, 0, 0), [5, 10], "no recovery at level 1");
        assert_eq!(waits(Level::Degraded, 0, 60), [60, 90], "a hold may be released");
    }

    #[test]
    fn callers_do_not_come_back_in_one_second() {
        let policy = Policy::from(Preset::Classic);
        let mut by_second = [0; 11];
        for caller in 0..1_000_u32 {
            let chance = f64::from(caller) / 1_000.0;
            let wait = retry_after(None, &policy, Timestamp::UNIX_EPOCH, chance).as_secs();
            by_second[usize::try_from(wait).unwrap()] += 1;
        }
        assert!(by_second.iter().all(|callers| *callers <= 250), "{by_second:?}");
    }
}
