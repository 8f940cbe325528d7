//! An alarm as it was deployed, and the states that it can have.

use std::fmt;

use jiff::Timestamp;

use crate::watched::Watched;

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

    pub(crate) fn words(self) -> &'static str {
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
