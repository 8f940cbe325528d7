//! The time by which a caller must have an answer.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// API Gateway gives up on an integration of an HTTP API after 30 s, which no setting changes. One second of that is for
/// what happens before this function runs: API Gateway's own work and the start of an environment.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(29);
/// Maximum time of an answer's way back to the caller.
const WAY_BACK: Duration = Duration::from_millis(500);

/// Returns the time by which the answer to a request that arrives `now` must leave, if Lambda ends the invocation at
/// `lambda_deadline`. `wall_now` is the time `now` by the wall clock.
#[must_use]
pub fn answer_by(lambda_deadline: SystemTime, wall_now: SystemTime, now: Instant) -> Instant {
    let left = lambda_deadline.duration_since(wall_now).unwrap_or_default();
    now + left.min(GATEWAY_PATIENCE).saturating_sub(WAY_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lambda's own timeout may be longer than the 30 s after which API Gateway gives up.
    #[test]
    fn the_function_answers_before_the_gateway_gives_up() {
        let now = Instant::now();
        let at = |lambda| answer_by(SystemTime::UNIX_EPOCH + lambda, SystemTime::UNIX_EPOCH, now) - now;
        assert_eq!(at(Duration::from_mins(15)), Duration::from_millis(28_500));
        assert_eq!(at(Duration::from_secs(10)), Duration::from_millis(9_500));
        assert_eq!(at(Duration::ZERO), Duration::ZERO);
    }
}
