//! The level alarms: the hints of the policy's table, each with the state of its alarm.

use breaker::{HINT_BREACHING_PERIODS, HINT_PERIODS, Hint, OutcomeCounts, PeriodSums, Policy, hints};

use crate::metrics::Metrics;

/// A level alarm. Missing data is not breaching.
#[derive(Clone, Debug)]
pub struct Alarm {
    hint: Hint,
    on: bool,
}

impl Alarm {
    /// Returns the alarm's name.
    pub fn name(&self) -> String {
        self.hint.to_string()
    }

    /// Evaluates the periods of this many seconds that end at the Unix second `until`. Returns whether the alarm
    /// changes from off to on.
    pub fn goes_off(&mut self, metrics: &Metrics, until: i64, period: i64) -> bool {
        let breaching = (0..i64::from(HINT_PERIODS)).filter(|back| {
            let end = until - back * period;
            let OutcomeCounts { successes, errors, slow_calls, .. } = metrics.sum(self.hint.level, end - period, end);
            self.hint.expression.breaches(PeriodSums { successes, errors, slow_calls })
        });
        let on = u32::try_from(breaching.count()).is_ok_and(|count| count >= HINT_BREACHING_PERIODS);
        let before = std::mem::replace(&mut self.on, on);
        on && !before
    }
}

/// Returns the level alarms of a policy.
pub fn alarms(policy: &Policy) -> Vec<Alarm> {
    hints(policy).into_iter().map(|hint| Alarm { hint, on: false }).collect()
}
