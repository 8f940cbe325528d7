//! What happened in each minute, from the metrics.

use std::collections::BTreeMap;

use breaker::Level;
use jiff::{SignedDuration, Timestamp};

/// One series of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Successful calls of a level.
    Successes(Level),
    /// Failed calls of a level.
    Failures(Level),
    /// Calls of a level, failed or not, that were slow.
    SlowCalls(Level),
    /// Successful calls of a level that declined by design.
    Declined(Level),
    /// Answers of a level in place of one that failed.
    Fallbacks(Level),
    /// The lowest level that a controller routed by.
    LowestLevel,
    /// The highest level that a controller routed by.
    HighestLevel,
    /// Age of the oldest state that a controller routed by, in seconds.
    OldestState,
    /// Evaluations.
    Evaluations,
}

impl Series {
    /// Returns all series.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_level = |level| {
            [
                Self::Successes(level),
                Self::Failures(level),
                Self::SlowCalls(level),
                Self::Declined(level),
                Self::Fallbacks(level),
            ]
        };
        let others = [Self::LowestLevel, Self::HighestLevel, Self::OldestState, Self::Evaluations];
        Level::ALL.into_iter().flat_map(of_level).chain(others)
    }

    /// Returns the id in a query.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Successes(level) => format!("successes_{level}"),
            Self::Failures(level) => format!("failures_{level}"),
            Self::SlowCalls(level) => format!("slow_calls_{level}"),
            Self::Declined(level) => format!("declined_{level}"),
            Self::Fallbacks(level) => format!("fallbacks_{level}"),
            Self::LowestLevel => "lowest_level".to_owned(),
            Self::HighestLevel => "highest_level".to_owned(),
            Self::OldestState => "oldest_state".to_owned(),
            Self::Evaluations => "evaluations".to_owned(),
        }
    }

    /// Returns the series with this id.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        Self::all().find(|series| series.id() == id)
    }

    /// Returns the level whose series it is; `None` for series of the whole deployment.
    #[must_use]
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::Successes(level)
            | Self::Failures(level)
            | Self::SlowCalls(level)
            | Self::Declined(level)
            | Self::Fallbacks(level) => Some(level),
            Self::LowestLevel | Self::HighestLevel | Self::OldestState | Self::Evaluations => None,
        }
    }
}

/// The value of a series in one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The series.
    pub series: Series,
    /// Start of the minute (UTC).
    pub start: Timestamp,
    /// The value.
    pub value: f64,
}

/// Outcomes of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Successful calls, declined ones and fallbacks among them.
    pub successes: u64,
    /// Failed calls.
    pub failures: u64,
    /// Slow calls, failed or not.
    pub slow: u64,
    /// Calls that the level declined by design.
    pub declined: u64,
    /// Answers in place of a level that failed.
    pub fallbacks: u64,
}

impl Outcomes {
    /// Returns the number of calls.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.successes.saturating_add(self.failures)
    }

    /// Adds other outcomes.
    pub const fn add(&mut self, other: &Self) {
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
        self.declined = self.declined.saturating_add(other.declined);
        self.fallbacks = self.fallbacks.saturating_add(other.fallbacks);
    }
}

/// What happened in one minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Minute {
    /// The outcomes of each level that was called.
    pub levels: BTreeMap<Level, Outcomes>,
    /// The lowest level that a controller routed by.
    pub lowest_level: Option<f64>,
    /// The highest level that a controller routed by.
    pub highest_level: Option<f64>,
    /// Age of the oldest state that a controller routed by, in seconds.
    pub oldest_state_seconds: Option<f64>,
    /// Evaluations.
    pub evaluations: u64,
}

impl Minute {
    /// Returns the outcomes of all levels together.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        self.levels.values().fold(Outcomes::default(), |mut sum, outcomes| {
            sum.add(outcomes);
            sum
        })
    }

    fn add(&mut self, series: Series, value: f64) {
        match series {
            Series::Successes(level) => self.levels.entry(level).or_default().successes += whole(value),
            Series::Failures(level) => self.levels.entry(level).or_default().failures += whole(value),
            Series::SlowCalls(level) => self.levels.entry(level).or_default().slow += whole(value),
            Series::Declined(level) => self.levels.entry(level).or_default().declined += whole(value),
            Series::Fallbacks(level) => self.levels.entry(level).or_default().fallbacks += whole(value),
            Series::LowestLevel => self.lowest_level = Some(value),
            Series::HighestLevel => self.highest_level = Some(value),
            Series::OldestState => self.oldest_state_seconds = Some(value),
            Series::Evaluations => self.evaluations += whole(value),
        }
    }
}

/// The minutes of a time range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Start of the range (UTC), a whole minute.
    pub from: Timestamp,
    /// End of the range (UTC).
    pub until: Timestamp,
    /// Each minute in which something happened, by its start (UTC).
    pub minutes: BTreeMap<Timestamp, Minute>,
}

impl Traffic {
    /// Returns the minutes that the samples make up.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp, samples: impl IntoIterator<Item = Sample>) -> Self {
        let mut minutes: BTreeMap<Timestamp, Minute> = BTreeMap::new();
        for Sample { series, start, value } in samples {
            minutes.entry(start).or_default().add(series, value);
        }
        Self { from, until, minutes }
    }

    /// Returns the minutes that begin at `from` or later.
    pub fn since(&self, from: Timestamp) -> impl Iterator<Item = &Minute> {
        self.minutes.range(from..).map(|(_, minute)| minute)
    }

    /// Returns the newest minute with an evaluation.
    #[must_use]
    pub fn last_evaluation(&self) -> Option<Timestamp> {
        self.minutes.iter().rev().find(|(_, minute)| minute.evaluations > 0).map(|(start, _)| *start)
    }

    /// Returns what the controllers reported since `from`.
    #[must_use]
    pub fn controllers(&self, from: Timestamp) -> Controllers {
        let values = |of: fn(&Minute) -> Option<f64>| self.since(from).filter_map(of);
        Controllers {
            lowest_level: values(|minute| minute.lowest_level).reduce(f64::min),
            highest_level: values(|minute| minute.highest_level).reduce(f64::max),
            oldest_state_seconds: values(|minute| minute.oldest_state_seconds).reduce(f64::max),
        }
    }
}

/// What the controllers reported in their metrics; empty if none had a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Controllers {
    /// The lowest level that one routed by.
    pub lowest_level: Option<f64>,
    /// The highest level that one routed by.
    pub highest_level: Option<f64>,
    /// Age of the oldest state that one routed by, in seconds.
    pub oldest_state_seconds: Option<f64>,
}

impl Controllers {
    /// Returns the highest level that one routed by.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        level_of(self.highest_level?)
    }
}

/// Returns the level of a metric's value.
#[must_use]
pub fn level_of(value: f64) -> Option<Level> {
    Level::ALL.into_iter().find(|level| (f64::from(level.number()) - value).abs() < 0.5)
}

/// Returns the start of the minute of `at`.
#[must_use]
pub fn minute_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

/// Returns the time `minutes` before `at`.
#[must_use]
pub fn minutes_before(at: Timestamp, minutes: i64) -> Timestamp {
    at.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MIN)
}

/// Converts a sum of ones to a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts: small, and not negative")]
fn whole(sum: f64) -> u64 {
    sum.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_has_an_id_of_its_own() {
        for series in Series::all() {
            assert_eq!(Series::of_id(&series.id()), Some(series));
        }
        assert_eq!(Series::of_id("other"), None);
    }

    #[test]
    fn samples_become_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let sample = |series, second, value| Sample { series, start: at(second), value };
        let samples = [
            sample(Series::Successes(Level::Full), 0, 7.0),
            sample(Series::Failures(Level::Full), 0, 3.0),
            sample(Series::Fallbacks(Level::Degraded), 60, 2.0),
            sample(Series::HighestLevel, 60, 2.0),
            sample(Series::LowestLevel, 0, 1.0),
            sample(Series::OldestState, 60, 4.5),
            sample(Series::Evaluations, 0, 1.0),
        ];
        let traffic = Traffic::new(at(0), at(120), samples);
        assert_eq!(traffic.minutes[&at(0)].outcomes().calls(), 10);
        assert_eq!(traffic.last_evaluation(), Some(at(0)));
        let controllers = traffic.controllers(at(60));
        assert_eq!((controllers.level(), controllers.lowest_level), (Some(Level::Degraded), None));
        assert_eq!(controllers.oldest_state_seconds, Some(4.5));
        assert_eq!(minute_of(at(119)), at(60));
    }
}
