//! The time by which a caller must have an answer, and the part of it that one service may take.

use std::time::{Duration, SystemTime};

use breaker::Level;
use tokio::time::Instant;

use crate::settings::PerLevel;

/// API Gateway gives up on an integration of an HTTP API after 30 s, which no setting changes. The second
/// less is for what comes before this function: API Gateway itself and the start of an environment.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(29);
/// Maximum time of an answer's way back to the caller.
const WAY_BACK: Duration = Duration::from_millis(500);
/// Minimum time for an invocation. With less time left, no service is invoked.
pub const MIN_TIME: Duration = Duration::from_millis(50);

/// Maximum timeout of a service. A read of the state (300 ms) and two invocations, one after the other, fit into the
/// time for an answer (28.5 s).
pub const LONGEST_SERVICE_TIMEOUT_MS: u64 = 14_000;

/// Returns the time by which the answer to a request that arrives `now` must leave, if Lambda ends the invocation at
/// `lambda_deadline`. `wall_now` is the time `now` by the wall clock.
#[must_use]
pub fn answer_by(lambda_deadline: SystemTime, wall_now: SystemTime, now: Instant) -> Instant {
    let left = lambda_deadline.duration_since(wall_now).unwrap_or_default();
    now + left.min(GATEWAY_PATIENCE).saturating_sub(WAY_BACK)
}

/// Returns the time that the service of `level` may take at `now`. If `then` is its fallback, the fallback's timeout is
/// reserved, but at most half of the time that is left.
#[must_use]
pub fn time_for(
    level: Level,
    then: Option<Level>,
    timeouts: &PerLevel<Duration>,
    answer_by: Instant,
    now: Instant,
) -> Duration {
    let left = answer_by.saturating_duration_since(now);
    let kept_back = then.map_or(Duration::ZERO, |level| (*timeouts.of(level)).min(left / 2));
    (*timeouts.of(level)).min(left.saturating_sub(kept_back))
}

/// Returns the time that a probe of `probed` may take at `now`: the threshold of a slow call, or the level's timeout if
/// no call is slow. Returns `None` if the service of the current level would then have less than its own timeout.
#[must_use]
pub fn time_for_probe(
    probed: Level,
    current: Level,
    slow_call: Option<Duration>,
    timeouts: &PerLevel<Duration>,
    answer_by: Instant,
    now: Instant,
) -> Option<Duration> {
    let longest = *timeouts.of(probed);
    let time = slow_call.map_or(longest, |slow| slow.min(longest));
    let left = answer_by.saturating_duration_since(now);
    (left >= time + *timeouts.of(current)).then_some(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_timeouts_leave_time_for_two_services() {
        let begun = Instant::now();
        let longest = Duration::from_millis(LONGEST_SERVICE_TIMEOUT_MS);
        let timeouts = PerLevel { full: longest, degraded: longest, maintenance: longest };
        let lambda_timeout = Duration::from_secs(29);
        let answer_by = answer_by(SystemTime::UNIX_EPOCH + lambda_timeout, SystemTime::UNIX_EPOCH, begun);
        let mut now = begun + Duration::from_millis(300);
        now += time_for(Level::Full, Some(Level::Degraded), &timeouts, answer_by, now);
        assert_eq!(now - begun, Duration::from_millis(14_300));
        assert_eq!(time_for(Level::Degraded, None, &timeouts, answer_by, now), Duration::from_secs(14));
    }

    /// A probe ends when it is slow, and is not sent if the current level would then lack time.
    #[test]
    fn a_probe_leaves_the_current_level_its_time() {
        let now = Instant::now();
        let [two, five, six] = [2, 5, 6].map(Duration::from_secs);
        let timeouts = PerLevel { full: five, degraded: six, maintenance: five };
        let time = |slow, left| {
            let by = now + Duration::from_secs(left);
            time_for_probe(Level::Full, Level::Degraded, slow, &timeouts, by, now)
        };
        assert_eq!((time(Some(two), 8), time(Some(two), 7)), (Some(two), None));
        assert_eq!((time(None, 11), time(None, 10)), (Some(five), None));
        assert_eq!(time(Some(Duration::from_secs(30)), 11), Some(five));
        // With the maximum timeouts there is time for a probe too.
        let longest = Duration::from_millis(LONGEST_SERVICE_TIMEOUT_MS);
        let timeouts = PerLevel { full: longest, degraded: longest, maintenance: longest };
        let by = now + Duration::from_millis(28_200);
        assert_eq!(time_for_probe(Level::Full, Level::Degraded, None, &timeouts, by, now), Some(longest));
    }

    /// Lambda's own timeout may be longer than the 30 s after which API Gateway gives up.
    #[test]
    fn the_function_answers_before_the_gateway_gives_up() {
        let now = Instant::now();
        let in_15_minutes = SystemTime::UNIX_EPOCH + Duration::from_mins(15);
        assert_eq!(answer_by(in_15_minutes, SystemTime::UNIX_EPOCH, now) - now, Duration::from_millis(28_500));
    }

    proptest! {
        #[test]
        fn any_settings_leave_a_fallback_its_share_of_time(
            lambda_ms in 0_u64..900_000, full_ms in 100..=LONGEST_SERVICE_TIMEOUT_MS,
            degraded_ms in 100..=LONGEST_SERVICE_TIMEOUT_MS, passed_ms in 0_u64..400,
        ) {
            let begun = Instant::now();
            let timeouts = PerLevel {
                full: Duration::from_millis(full_ms),
                degraded: Duration::from_millis(degraded_ms),
                maintenance: Duration::from_secs(1),
            };
            let lambda = Duration::from_millis(lambda_ms);
            let by = answer_by(SystemTime::UNIX_EPOCH + lambda, SystemTime::UNIX_EPOCH, begun);
            prop_assert!(by <= begun + lambda && by < begun + Duration::from_secs(30));
            let now = begun + Duration::from_millis(passed_ms);
            let first = time_for(Level::Full, Some(Level::Degraded), &timeouts, by, now);
            let second = time_for(Level::Degraded, None, &timeouts, by, now + first);
            prop_assert!(now + first + second <= by.max(now));
            prop_assert!(second >= first.min(*timeouts.of(Level::Degraded)));
        }
    }
}
