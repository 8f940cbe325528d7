//! When an alarm changes state: CloudWatch's documented evaluation as a pure function.
//!
//! The caller reads the datapoints (one a period, already reduced by the alarm's statistic) and
//! passes the time in; nothing here talks to anything.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::reason;
use super::watched::Watched;

/// What an alarm watches: namespace, name and the exact set of dimensions. A dimension more is
/// another metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Metric {
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// Its dimensions; their order means nothing.
    pub dimensions: BTreeMap<String, String>,
}

/// How the samples of a period become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Statistic {
    /// All samples added up.
    Sum,
    /// How many samples there were.
    SampleCount,
    /// Their mean.
    Average,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
}

impl Statistic {
    /// The name that `GetMetricData` and `PutMetricAlarm` use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::SampleCount => "SampleCount",
            Self::Average => "Average",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }
}

/// One metric, reduced by one statistic over one period: what a query asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The metric.
    pub metric: Metric,
    /// The statistic.
    pub statistic: Statistic,
    /// The period.
    pub period_seconds: u32,
}

/// The value of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// The start of the period, or any moment in it.
    pub at: Timestamp,
    /// The statistic over the period.
    pub value: f64,
}

/// Datapoints by what was asked for.
pub type Readings = HashMap<SeriesKey, Vec<Datapoint>>;

/// How a datapoint is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Breaching from the threshold upwards.
    GreaterThanOrEqualToThreshold,
    /// Breaching above the threshold.
    GreaterThanThreshold,
    /// Breaching from the threshold downwards.
    LessThanOrEqualToThreshold,
    /// Breaching below the threshold.
    LessThanThreshold,
}

impl Comparison {
    /// Whether this value is on the wrong side of the threshold.
    #[must_use]
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
            Self::LessThanThreshold => value < threshold,
        }
    }

    /// The API's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "GreaterThanOrEqualToThreshold",
            Self::GreaterThanThreshold => "GreaterThanThreshold",
            Self::LessThanOrEqualToThreshold => "LessThanOrEqualToThreshold",
            Self::LessThanThreshold => "LessThanThreshold",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "greater than or equal to",
            Self::GreaterThanThreshold => "greater than",
            Self::LessThanOrEqualToThreshold => "less than or equal to",
            Self::LessThanThreshold => "less than",
        }
    }
}

/// What a period without data counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingData {
    /// As nothing; with no data at all the alarm has insufficient data.
    #[default]
    Missing,
    /// As a breach.
    Breaching,
    /// As no breach.
    NotBreaching,
    /// As a reason to stay in the present state.
    Ignore,
}

impl MissingData {
    /// The API's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
            Self::Ignore => "ignore",
        }
    }
}

/// Who is told of which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Whether the alarm's actions are on.
    pub enabled: bool,
    /// ARNs told of ALARM.
    pub alarm: Vec<String>,
    /// ARNs told of OK.
    pub ok: Vec<String>,
    /// ARNs told of `INSUFFICIENT_DATA`.
    pub insufficient_data: Vec<String>,
}

impl Actions {
    /// The ARNs that this state concerns, whether or not actions are enabled.
    #[must_use]
    pub fn of(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Ok => &self.ok,
            AlarmState::Alarm => &self.alarm,
            AlarmState::InsufficientData => &self.insufficient_data,
        }
    }
}

/// An alarm, as it was deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmDefinition {
    /// The alarm's name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its description, if it has one.
    pub description: Option<String>,
    /// What it watches.
    pub watched: Watched,
    /// N: how many periods are looked at.
    pub evaluation_periods: u32,
    /// M: how many of them must breach. `None` is all of them.
    pub datapoints_to_alarm: Option<u32>,
    /// The threshold.
    pub threshold: f64,
    /// The comparison with it.
    pub comparison: Comparison,
    /// What a period without data counts as.
    pub missing_data: MissingData,
    /// Who is told.
    pub actions: Actions,
    /// When the definition last changed.
    pub configured_at: Option<Timestamp>,
}

impl AlarmDefinition {
    /// M of "M out of N".
    #[must_use]
    pub fn required(&self) -> u32 {
        self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)
    }
}

/// The three states of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlarmState {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Not known.
    InsufficientData,
}

impl AlarmState {
    /// The API's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the period that is still running counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentPeriod {
    /// It does: an alarm fires as soon as the threshold is reached.
    Included,
    /// It does not: only periods that are over count, as in the cloud.
    Excluded,
}

/// How the evaluator is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationSettings {
    /// Whether the period that is still running counts.
    pub current_period: CurrentPeriod,
    /// How many periods more than N are looked at, in case some have no data. CloudWatch does not
    /// say how many it takes; its documented examples take two for an N of three.
    pub spare_periods: u32,
    /// How long a message waits after the change that it tells of. CloudWatch takes some seconds; without any, the
    /// first failure would be evaluated before the others of its burst.
    pub message_delay: SignedDuration,
}

impl EvaluationSettings {
    /// For one machine: an alarm goes off before the end of its period.
    pub const LOCAL: Self =
        Self { current_period: CurrentPeriod::Included, spare_periods: 2, message_delay: SignedDuration::from_secs(3) };
    /// As CloudWatch does it.
    pub const CLOUD: Self =
        Self { current_period: CurrentPeriod::Excluded, spare_periods: 2, message_delay: SignedDuration::from_secs(5) };
}

/// What an evaluation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmVerdict {
    /// The state that the alarm is to have.
    pub state: AlarmState,
    /// Why, in CloudWatch's words for people.
    pub reason: String,
}

/// Where the evaluation range of this alarm begins: what the caller has to read from.
#[must_use]
pub fn range_start(alarm: &AlarmDefinition, now: Timestamp, settings: EvaluationSettings) -> Timestamp {
    let first = periods(alarm, now, settings).next().unwrap_or_default();
    Timestamp::from_second(first).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The state that the alarm is to have now.
#[must_use]
pub fn evaluate(
    alarm: &AlarmDefinition,
    readings: &Readings,
    previous: AlarmState,
    now: Timestamp,
    settings: EvaluationSettings,
) -> AlarmVerdict {
    let starts: Vec<i64> = periods(alarm, now, settings).collect();
    let by_period = alarm.watched.values(readings, &starts);
    let present: Vec<(i64, f64)> =
        starts.iter().filter_map(|start| by_period.get(start).map(|value| (*start, *value))).collect();

    let n = count(alarm.evaluation_periods);
    // Real data first, the newest N of it, however far back the range reaches; gaps are filled only
    // for what is then still wanting.
    let used = present.get(present.len().saturating_sub(n)..).unwrap_or_default();
    let filled = n.saturating_sub(used.len());
    let breaches = |value: f64| alarm.comparison.breaches(value, alarm.threshold);
    let breaching = used.iter().filter(|(_, value)| breaches(*value)).count();
    let state = if filled == 0 || breaching >= count(alarm.required()) {
        by_count(breaching, alarm)
    } else {
        match alarm.missing_data {
            MissingData::Breaching => by_count(breaching + filled, alarm),
            MissingData::NotBreaching => AlarmState::Ok,
            // One good datapoint among them is enough to know that M cannot have been reached.
            MissingData::Missing | MissingData::Ignore if breaching < used.len() => AlarmState::Ok,
            MissingData::Ignore => previous,
            MissingData::Missing if is_lasting(used, &starts, alarm) => AlarmState::Alarm,
            MissingData::Missing => AlarmState::InsufficientData,
        }
    };
    AlarmVerdict { state, reason: reason::of(alarm, state, used, filled) }
}

/// Nothing but breaches, fewer than M: an alarm all the same when the oldest of them is M periods
/// old. Before that the next datapoint may yet be good, and the alarm would have been premature.
fn is_lasting(used: &[(i64, f64)], starts: &[i64], alarm: &AlarmDefinition) -> bool {
    let Some((oldest, _)) = used.first() else { return false };
    starts.iter().filter(|start| *start >= oldest).count() >= count(alarm.required())
}

fn by_count(breaching: usize, alarm: &AlarmDefinition) -> AlarmState {
    if breaching >= count(alarm.required()) { AlarmState::Alarm } else { AlarmState::Ok }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The starts of the periods in the evaluation range, oldest first, aligned to the clock.
fn periods(alarm: &AlarmDefinition, now: Timestamp, settings: EvaluationSettings) -> impl Iterator<Item = i64> {
    let seconds = alarm.watched.period_seconds();
    let length = i64::from(seconds.max(1));
    let current = period_of(now, seconds);
    let newest = match settings.current_period {
        CurrentPeriod::Included => current,
        CurrentPeriod::Excluded => current - length,
    };
    let range = i64::from(alarm.evaluation_periods.max(1)) + i64::from(settings.spare_periods);
    (0..range).rev().map(move |back| newest - back * length)
}

pub(super) fn period_of(at: Timestamp, period_seconds: u32) -> i64 {
    let length = i64::from(period_seconds.max(1));
    at.as_second().div_euclid(length) * length
}
