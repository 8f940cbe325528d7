//! The steps of the chart: outcomes, and the measure that the rules compare with their thresholds.

use breaker::{Level, Policy};
use jiff::{SignedDuration, Timestamp};

use crate::observed::percent;
use crate::traffic::{Outcomes, Traffic, level_of};

/// The outcomes of one step of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// Start of the step (UTC).
    pub start: Timestamp,
    /// End of the step (UTC).
    pub end: Timestamp,
    /// The outcomes of all levels.
    pub outcomes: Outcomes,
    /// The worst level that a controller routed by.
    pub level: Option<Level>,
}

impl Bin {
    /// Successful calls without those that a level declined or answered as a fallback.
    pub const fn answered(&self) -> u64 {
        self.outcomes.successes.saturating_sub(self.outcomes.declined).saturating_sub(self.outcomes.fallbacks)
    }

    /// Requests that failed and that no fallback answered.
    pub const fn failed(&self) -> u64 {
        self.outcomes.failures.saturating_sub(self.outcomes.fallbacks)
    }

    /// All requests.
    pub const fn requests(&self) -> u64 {
        self.outcomes.calls().saturating_sub(self.outcomes.fallbacks)
    }
}

/// Returns the steps of the traffic, oldest first, without a gap.
pub fn bins(traffic: &Traffic, step_minutes: i64) -> Vec<Bin> {
    let step = SignedDuration::from_mins(step_minutes.max(1));
    let mut bins = Vec::new();
    let mut start = traffic.from;
    while start < traffic.until {
        let Ok(end) = start.checked_add(step) else { break };
        let mut outcomes = Outcomes::default();
        let mut highest: Option<f64> = None;
        for (_, minute) in traffic.minutes.range(start..end) {
            outcomes.add(&minute.outcomes());
            highest = highest.into_iter().chain(minute.highest_level).reduce(f64::max);
        }
        bins.push(Bin { start, end, outcomes, level: highest.and_then(level_of) });
        start = end;
    }
    bins
}

/// What a rule compares with its thresholds, over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// What is measured.
    pub title: String,
    /// The unit behind each number; empty for a count.
    pub unit: &'static str,
    /// The value at the end of each step.
    pub values: Vec<u64>,
    /// The thresholds, each with what it leads to.
    pub thresholds: Vec<(u64, Level)>,
}

impl Measure {
    /// Returns the measure of the policy's first rule that is on: the failure rate, else the count of failures.
    pub fn of(policy: &Policy, traffic: &Traffic, bins: &[Bin]) -> Option<Self> {
        let over = |window: SignedDuration, end: Timestamp| {
            let mut sum = Outcomes::default();
            let from = end.checked_sub(window).unwrap_or(Timestamp::MIN);
            for (_, minute) in traffic.minutes.range(from..end) {
                sum.add(&minute.outcomes());
            }
            sum
        };
        let minutes = |window: SignedDuration| SignedDuration::from_mins((window.as_secs().max(60) + 59) / 60);
        if let Some(threshold) = policy.failure_rate_percent() {
            let window = minutes(policy.rate_window());
            let share = |bin: &Bin| {
                let sum = over(window, bin.end);
                percent(sum.failures, sum.calls())
            };
            return Some(Self {
                title: format!("Failed calls within {} min", window.as_mins()),
                unit: " %",
                values: bins.iter().map(share).collect(),
                thresholds: vec![(threshold.into(), Level::Degraded)],
            });
        }
        let thresholds =
            [(policy.level_1_failures(), Level::Degraded), (policy.level_2_failures(), Level::Maintenance)];
        let thresholds: Vec<(u64, Level)> = thresholds
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, level)| (count.into(), level))
            .collect();
        let window = minutes(policy.window()?);
        (!thresholds.is_empty()).then(|| Self {
            title: format!("Failures within {} min", window.as_mins()),
            unit: "",
            values: bins.iter().map(|bin| over(window, bin.end).failures).collect(),
            thresholds,
        })
    }

    /// Returns the largest value that is drawn: twice the largest threshold, so that the thresholds stay visible.
    pub fn maximum(&self) -> u64 {
        let threshold = self.thresholds.iter().map(|(count, _)| *count).max().unwrap_or(1);
        let twice = threshold.saturating_mul(2);
        if self.unit.is_empty() { twice } else { twice.min(100) }
    }
}

#[cfg(test)]
mod tests {
    use breaker::Preset;

    use super::*;
    use crate::traffic::{Sample, Series};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn traffic(samples: &[(Series, i64, f64)]) -> Traffic {
        let samples =
            samples.iter().map(|(series, start, value)| Sample { series: *series, start: at(*start), value: *value });
        Traffic::new(at(0), at(630), samples)
    }

    #[test]
    fn steps_have_no_gap_and_add_up_their_minutes() {
        let (ok, failed) = (Series::Successes(Level::Full), Series::Failures(Level::Full));
        let traffic = traffic(&[(ok, 0, 4.0), (ok, 60, 5.0), (failed, 60, 2.0), (Series::HighestLevel, 300, 2.0)]);
        let bins = bins(&traffic, 5);
        assert_eq!(bins.iter().map(|bin| bin.start).collect::<Vec<_>>(), [at(0), at(300), at(600)]);
        assert_eq!((bins[0].answered(), bins[0].failed(), bins[0].requests()), (9, 2, 11));
        assert_eq!((bins[0].level, bins[1].level), (None, Some(Level::Degraded)));
    }

    #[test]
    fn a_request_that_a_fallback_answered_counts_once() {
        let samples = [
            (Series::Failures(Level::Full), 0, 10.0),
            (Series::Successes(Level::Degraded), 0, 9.0),
            (Series::Fallbacks(Level::Degraded), 0, 9.0),
            (Series::Declined(Level::Degraded), 0, 0.0),
        ];
        let bin = bins(&traffic(&samples), 1)[0];
        assert_eq!((bin.answered(), bin.outcomes.fallbacks, bin.failed(), bin.requests()), (0, 9, 1, 10));
    }

    #[test]
    fn the_measure_is_that_of_the_policy() {
        let failed = Series::Failures(Level::Full);
        let traffic = traffic(&[(failed, 0, 4.0), (failed, 240, 2.0), (Series::Successes(Level::Full), 240, 8.0)]);
        let bins = bins(&traffic, 5);
        let classic = Measure::of(&Policy::from(Preset::Classic), &traffic, &bins).unwrap();
        assert_eq!((classic.values.as_slice(), classic.maximum()), (&[6, 0, 0][..], 20));
        assert_eq!(classic.thresholds, [(5, Level::Degraded), (10, Level::Maintenance)]);
        let production = Measure::of(&Policy::from(Preset::Production), &traffic, &bins).unwrap();
        assert_eq!(production.unit, " %");
        assert_eq!(production.values[0], 20, "2 of the 10 calls within the minute of the rate's window");
    }
}
