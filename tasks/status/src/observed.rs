//! What callers get, by the metrics of the last minutes.

use breaker::{Level, SystemState};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::traffic::{Outcomes, Traffic, minute_of, minutes_before};

/// Number of whole minutes that count, in addition to the current one.
const WHOLE_MINUTES: i64 = 2;
/// Share of failed calls from which on callers count as failing, in percent, and minimum number of failed calls.
const FAILING_PERCENT: u64 = 5;
const FAILING_MINIMUM: u64 = 3;

/// What callers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// No call was seen.
    Quiet,
    /// Calls succeed at level 1.
    Fine,
    /// Some calls get answers of level 2 or 3, declined ones included.
    Degraded,
    /// At least 5 % of the calls, and at least three, fail.
    Failing,
}

/// The calls of one level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LevelCalls {
    /// The level.
    pub level: Level,
    /// Calls of the level's service.
    pub calls: u64,
    /// Failed calls.
    pub failures: u64,
    /// Calls that the level declined by design.
    pub declined: u64,
    /// Answers as the fallback of a level that failed.
    pub fallbacks: u64,
    /// Calls a second.
    pub calls_per_second: f64,
}

/// What callers get, by the metrics of the last minutes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// What callers get.
    pub health: Health,
    /// Length of the time range, in seconds.
    pub window_seconds: i64,
    /// Requests that were answered or failed. A request that a fallback answered is one request.
    pub requests: u64,
    /// Requests that failed and that no fallback answered.
    pub failed: u64,
    /// Requests with an answer of level 2 or 3.
    pub degraded: u64,
    /// The levels that were called, best first.
    pub levels: Vec<LevelCalls>,
}

impl Observed {
    /// Returns what callers get by `traffic`. If the level has moved in these minutes, only the calls of the current
    /// level and of worse ones count, because those of a better level are of the time before. During a ramp all calls
    /// count.
    #[must_use]
    pub fn of(traffic: &Traffic, state: Option<&SystemState>, now: Timestamp) -> Self {
        let from = minutes_before(minute_of(now), WHOLE_MINUTES);
        let moved_to = state
            .filter(|state| state.last_transition >= from && state.active_ramp(now).is_none())
            .map(|state| (state.current_level, state.last_transition));
        let window_seconds = now.duration_since(from).as_secs().max(1);
        let levels: Vec<LevelCalls> = Level::ALL
            .into_iter()
            .filter_map(|level| {
                let mut sum = Outcomes::default();
                for minute in traffic.since(from) {
                    sum.add(minute.levels.get(&level).unwrap_or(&Outcomes::default()));
                }
                (sum.calls() > 0).then(|| LevelCalls {
                    level,
                    calls: sum.calls(),
                    failures: sum.failures,
                    declined: sum.declined,
                    fallbacks: sum.fallbacks,
                    calls_per_second: per_second(sum.calls(), window_seconds),
                })
            })
            .collect();
        let counted = || levels.iter().filter(|calls| moved_to.is_none_or(|(level, _)| calls.level >= level));
        let total = |of: fn(&LevelCalls) -> u64| counted().map(of).fold(0_u64, u64::saturating_add);
        let fallbacks = total(|calls| calls.fallbacks);
        let failed = total(|calls| calls.failures).saturating_sub(fallbacks);
        let requests = total(|calls| calls.calls).saturating_sub(fallbacks);
        let degraded = counted()
            .filter(|calls| calls.level > Level::Full)
            .map(|calls| calls.calls.saturating_sub(calls.failures))
            .fold(0, u64::saturating_add);
        let window_seconds =
            moved_to.map_or(window_seconds, |(_, at)| now.duration_since(at).as_secs().clamp(1, window_seconds));
        Self { health: health(requests, failed, degraded), window_seconds, requests, failed, degraded, levels }
    }

    /// Returns the share of failed requests in percent, rounded up, so that a failure is never shown as 0 %.
    #[must_use]
    pub const fn failed_percent(&self) -> u64 {
        percent(self.failed, self.requests)
    }
}

const fn health(requests: u64, failed: u64, degraded: u64) -> Health {
    if requests == 0 {
        Health::Quiet
    } else if failed >= FAILING_MINIMUM && failed.saturating_mul(100) >= requests.saturating_mul(FAILING_PERCENT) {
        Health::Failing
    } else if degraded > 0 {
        Health::Degraded
    } else {
        Health::Fine
    }
}

/// Returns `part` of `whole` in percent, rounded up.
#[must_use]
pub const fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { part.saturating_mul(100).div_ceil(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people, to a tenth")]
fn per_second(calls: u64, seconds: i64) -> f64 {
    (calls as f64 / seconds as f64 * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use breaker::{Policy, Preset};

    use super::*;
    use crate::traffic::{Sample, Series};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn observed(values: &[(Series, f64)], state: Option<&SystemState>) -> Observed {
        let samples = values.iter().map(|(series, value)| Sample { series: *series, start: at(540), value: *value });
        Observed::of(&Traffic::new(at(0), at(630), samples), state, at(630))
    }

    #[test]
    fn health_is_what_callers_get_and_not_the_level() {
        use Level::{Degraded, Full, Maintenance};
        use Series::{Failures, Fallbacks, Successes};
        for (values, health, failed) in [
            (&[][..], Health::Quiet, 0),
            (&[(Successes(Full), 250.0)], Health::Fine, 0),
            // Held at level 1, while most calls fail.
            (&[(Successes(Full), 98.0), (Failures(Full), 152.0)], Health::Failing, 152),
            // One failed call of twenty may be chance.
            (&[(Successes(Full), 10.0), (Failures(Full), 2.0)], Health::Fine, 2),
            (&[(Successes(Degraded), 40.0)], Health::Degraded, 0),
            (&[(Successes(Maintenance), 40.0), (Failures(Maintenance), 3.0)], Health::Failing, 3),
            // Level 1 fails, and level 2 answers instead: callers notice a degraded answer, and no failure.
            (&[(Failures(Full), 50.0), (Successes(Degraded), 50.0), (Fallbacks(Degraded), 50.0)], Health::Degraded, 0),
        ] {
            let observed = observed(values, None);
            assert_eq!((observed.health, observed.failed), (health, failed), "{values:?}");
        }
        let observed = observed(&[(Series::Successes(Full), 98.0), (Failures(Full), 152.0)], None);
        assert_eq!((observed.requests, observed.failed_percent(), observed.window_seconds), (250, 61, 150));
        assert!((observed.levels[0].calls_per_second - 1.7).abs() < 0.01);
    }

    #[test]
    fn after_a_fall_the_calls_of_the_level_before_do_not_count() {
        let fallen = SystemState {
            current_level: Level::Degraded,
            last_transition: at(600),
            ..SystemState::initial(&Policy::from(Preset::Classic), at(0))
        };
        let values = [(Series::Failures(Level::Full), 90.0), (Series::Successes(Level::Degraded), 10.0)];
        assert_eq!(observed(&values, None).health, Health::Failing);
        let observed = observed(&values, Some(&fallen));
        assert_eq!((observed.health, observed.requests, observed.window_seconds), (Health::Degraded, 10, 30));
        assert_eq!(observed.levels.len(), 2, "the levels are shown all the same");
    }
}
