//! When an alarm changes state: CloudWatch's documented evaluation as a pure function.
//!
//! The caller reads the datapoints (one a period, already reduced by the alarm's statistic) and
//! passes the time in; nothing here talks to anything.

use jiff::{SignedDuration, Timestamp};

use crate::definition::{AlarmDefinition, AlarmState, MissingData};
use crate::reason;
use crate::series::{Readings, period_of};

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
