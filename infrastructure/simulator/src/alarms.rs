//! The level alarms: hints that it is time to look, as the template has them.

use breaker::{Level, Policy};

use crate::metrics::{Counts, Metrics};

/// What an alarm sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    Success,
    Error,
    SlowCall,
}

/// An alarm on one metric: Sum, one period of one, missing data not breaching.
#[derive(Clone, Debug)]
pub struct Alarm {
    pub name: String,
    level: Level,
    metric: Metric,
    threshold: u64,
    breaching: bool,
}

impl Alarm {
    /// Evaluates the period between two Unix seconds; tells whether the alarm has gone off, which it does
    /// only where it was not breaching before.
    pub fn goes_off(&mut self, metrics: &Metrics, from: i64, until: i64) -> bool {
        let Counts { successes, errors, slow_calls, .. } = metrics.sum(self.level, from, until);
        let sum = match self.metric {
            Metric::Success => successes,
            Metric::Error => errors,
            Metric::SlowCall => slow_calls,
        };
        let before = std::mem::replace(&mut self.breaching, sum >= self.threshold);
        self.breaching && !before
    }
}

/// The alarms of a policy: one for each rule that is on, where `calls` are expected in a period.
///
/// A rule on a rate has its hint at that rate of the calls that are expected: lower, and every period of a
/// busy bank would breach it, so that it could not go off when it matters.
pub fn alarms(policy: &Policy, calls: f64) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let mut add = |level: Level, rule: &str, metric: Metric, threshold: u64| {
        if threshold > 0 {
            let name = format!("level-{level}-{rule}");
            alarms.push(Alarm { name, level, metric, threshold, breaching: false });
        }
    };
    let of_calls = |percent: Option<u32>| {
        percent.map_or(0, |percent| rounded_up(calls.max(policy.minimum_calls().into()) * f64::from(percent) / 100.0))
    };
    // Level 2 is entered with the failures of level 1.
    let second_count = policy.level_2_failures().saturating_sub(policy.level_1_failures());
    for (level, count) in [(Level::Full, policy.level_1_failures()), (Level::Degraded, second_count)] {
        add(level, "error-count", Metric::Error, count.into());
        add(level, "error-rate", Metric::Error, of_calls(policy.failure_rate_percent()));
        add(level, "consecutive-errors", Metric::Error, policy.consecutive_failures().unwrap_or(0).into());
        add(level, "slow-calls", Metric::SlowCall, of_calls(policy.slow_call_rate_percent()));
    }
    add(Level::Degraded, "recovery", Metric::Success, policy.level_2_successes().into());
    add(Level::Maintenance, "recovery", Metric::Success, policy.level_3_successes().into());
    alarms
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor near the limit")]
fn rounded_up(number: f64) -> u64 {
    number.ceil() as u64
}
