//! Everything that one answer shows.

use breaker::{Level, NewerState, Policy, Stored, SystemState};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::observed::Observed;
use crate::place::Place;
use crate::query::Range;
use crate::sources::{Alarm, AlarmChange, Records, Source, SourceError};
use crate::traffic::{Controllers, Traffic, minute_of, minutes_before};

/// Minutes in which the controllers' newest metrics are looked for.
const CONTROLLER_MINUTES: i64 = 4;

/// A source's answer, or the reason why there is none.
pub type Read<'a, T> = Result<&'a T, &'a SourceError>;

/// The source of the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StateSource")]
pub enum LevelSource {
    /// Read from the table for this answer, strongly consistent.
    Table,
    /// The table is empty: level 1.
    FirstStart,
    /// The table did not answer, or its state is missing or corrupt. The level is the highest that a controller
    /// routed by in the last minutes, by its metrics.
    Controllers,
    /// Neither the table nor the metrics tell the level.
    Unknown,
}

/// Everything that one answer shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The time of the answer (UTC).
    pub now: Timestamp,
    /// The deployment.
    pub place: &'a Place,
    /// The policy.
    pub policy: &'a Policy,
    /// The content of the table.
    pub stored: Read<'a, Stored>,
    /// The metrics of the range.
    pub traffic: Read<'a, Traffic>,
    /// The alarms.
    pub alarms: Read<'a, Vec<Alarm>>,
    /// The changes of the alarms in the range.
    pub changes: Read<'a, Vec<AlarmChange>>,
    /// The newest records.
    pub records: Read<'a, Records>,
    /// The time range of the chart.
    pub range: Range,
}

impl<'a> View<'a> {
    /// Returns the state if it is known and of a layout that this release knows.
    #[must_use]
    pub fn state(&self) -> Option<&'a SystemState> {
        match self.stored {
            Ok(Stored::State(state)) => Some(state),
            _ => None,
        }
    }

    /// Returns the level and its source.
    #[must_use]
    pub fn level(&self) -> (Option<Level>, LevelSource) {
        match self.stored {
            Ok(Stored::State(state)) => (Some(state.current_level), LevelSource::Table),
            Ok(Stored::Newer(NewerState { current_level, .. })) => (Some(*current_level), LevelSource::Table),
            Ok(Stored::Nothing) => (Some(Level::Full), LevelSource::FirstStart),
            Ok(Stored::Lost | Stored::Unreadable(_)) | Err(_) => {
                match self.controllers().and_then(|controllers| controllers.level()) {
                    Some(level) => (Some(level), LevelSource::Controllers),
                    None => (None, LevelSource::Unknown),
                }
            }
        }
    }

    /// Returns what the controllers reported in the last minutes; `None` if the metrics cannot be read.
    #[must_use]
    pub fn controllers(&self) -> Option<Controllers> {
        let traffic = self.traffic.ok()?;
        Some(traffic.controllers(minutes_before(minute_of(self.now), CONTROLLER_MINUTES)))
    }

    /// Returns what callers get; `None` if the metrics cannot be read.
    #[must_use]
    pub fn observed(&self) -> Option<Observed> {
        Some(Observed::of(self.traffic.ok()?, self.state(), self.now))
    }

    /// Returns the alarms that are on.
    pub fn alarms_on(&self) -> impl Iterator<Item = &'a Alarm> {
        self.alarms.ok().into_iter().flatten().filter(|alarm| alarm.is_on)
    }

    /// Returns the sources that cannot be read, each with the reason.
    #[must_use]
    pub fn unavailable(&self) -> Vec<(Source, String)> {
        [
            (Source::State, self.stored.err()),
            (Source::Metrics, self.traffic.err()),
            (Source::Alarms, self.alarms.err()),
            (Source::AlarmHistory, self.changes.err()),
            (Source::Records, self.records.err()),
        ]
        .into_iter()
        .filter_map(|(source, error)| Some((source, error?.to_string())))
        .collect()
    }
}
