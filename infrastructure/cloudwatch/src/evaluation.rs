//! Evaluates the state of an alarm as CloudWatch documents it. Pure.
//!
//! The caller passes in the time and the datapoints: one per period, already reduced by the alarm's statistic.

use jiff::{SignedDuration, Timestamp};

use crate::definition::{AlarmDefinition, AlarmState, MissingData};
use crate::reason;
use crate::series::{Readings, period_of};

/// Whether the evaluation includes the current, unfinished period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentPeriod {
    /// Included: an alarm goes off as soon as the threshold is reached.
    Included,
    /// Excluded: only finished periods count, as on AWS.
    Excluded,
}

/// The settings of the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationSettings {
    /// Whether the current, unfinished period counts.
    pub current_period: CurrentPeriod,
    /// Number of periods before the newest N that are read, too, in case some have no data. CloudWatch does not
    /// document this number; its examples have two for an N of three.
    pub spare_periods: u32,
    /// Delay of a message after the state change that it reports. CloudWatch takes some seconds. Without a delay the
    /// first failure of a burst would be evaluated before the others arrive.
    pub message_delay: SignedDuration,
}

impl EvaluationSettings {
    /// The settings for one machine: an alarm goes off before the end of its period.
    pub const LOCAL: Self =
        Self { current_period: CurrentPeriod::Included, spare_periods: 2, message_delay: SignedDuration::from_secs(3) };
    /// The settings that follow CloudWatch.
    pub const CLOUD: Self =
        Self { current_period: CurrentPeriod::Excluded, spare_periods: 2, message_delay: SignedDuration::from_secs(5) };
}

/// The result of an alarm's evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmVerdict {
    /// The state that the alarm must have.
    pub state: AlarmState,
    /// Reason of the state, worded like CloudWatch's for people.
    pub reason: String,
}

/// Returns the start of this alarm's evaluation range (UTC), from which the caller must read datapoints.
#[must_use]
pub fn range_start(alarm: &AlarmDefinition, now: Timestamp, settings: EvaluationSettings) -> Timestamp {
    let first = periods(alarm, now, settings).next().unwrap_or_default();
    Timestamp::from_second(first).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns the state that the alarm must have now, with the reason.
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
    // Take the newest N real datapoints of the range first. Only if there are fewer than N, fill the gaps.
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
            // One datapoint within the threshold among fewer than M proves that M cannot be reached.
            MissingData::Missing | MissingData::Ignore if breaching < used.len() => AlarmState::Ok,
            MissingData::Ignore => previous,
            MissingData::Missing if is_lasting(used, &starts, alarm) => AlarmState::Alarm,
            MissingData::Missing => AlarmState::InsufficientData,
        }
    };
    AlarmVerdict { state, reason: reason::of(alarm, state, used, filled) }
}

/// Whether fewer than M datapoints, all of them breaching, raise the alarm: they do once the oldest is M periods old.
/// Before that, the next datapoint may be within the threshold, and the alarm would be premature.
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

/// Returns the starts of the periods in the evaluation range, oldest first, aligned to the clock.
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
