//! The deployed definition of an alarm, and the states of an alarm.

use std::fmt;

use jiff::Timestamp;

use crate::watched::Watched;

/// The comparison of a datapoint with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// A value at or above the threshold breaches.
    GreaterThanOrEqualToThreshold,
    /// A value above the threshold breaches.
    GreaterThanThreshold,
    /// A value at or below the threshold breaches.
    LessThanOrEqualToThreshold,
    /// A value below the threshold breaches.
    LessThanThreshold,
}

impl Comparison {
    /// Whether this value breaches the threshold.
    #[must_use]
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
            Self::LessThanThreshold => value < threshold,
        }
    }

    /// Returns the name in the API.
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

/// How a period without data is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingData {
    /// The period counts as neither; an alarm without any data changes to `INSUFFICIENT_DATA`.
    #[default]
    Missing,
    /// The period counts as a breach.
    Breaching,
    /// The period counts as a value within the threshold.
    NotBreaching,
    /// The alarm keeps its state.
    Ignore,
}

impl MissingData {
    /// Returns the name in the API.
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

/// The actions of an alarm: the ARNs that are notified of each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Whether the alarm's actions are enabled.
    pub enabled: bool,
    /// ARNs that are notified of ALARM.
    pub alarm: Vec<String>,
    /// ARNs that are notified of OK.
    pub ok: Vec<String>,
    /// ARNs that are notified of `INSUFFICIENT_DATA`.
    pub insufficient_data: Vec<String>,
}

impl Actions {
    /// Returns the ARNs for this state, whether or not actions are enabled.
    #[must_use]
    pub fn of(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Ok => &self.ok,
            AlarmState::Alarm => &self.alarm,
            AlarmState::InsufficientData => &self.insufficient_data,
        }
    }
}

/// The deployed definition of an alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmDefinition {
    /// The alarm's name.
    pub name: String,
    /// The alarm's ARN.
    pub arn: String,
    /// The alarm's description, if it is set.
    pub description: Option<String>,
    /// The metric or expression that the alarm watches.
    pub watched: Watched,
    /// N of "M out of N": number of periods that are evaluated.
    pub evaluation_periods: u32,
    /// M of "M out of N": number of periods that must breach. `None` means all.
    pub datapoints_to_alarm: Option<u32>,
    /// The threshold.
    pub threshold: f64,
    /// The comparison with the threshold.
    pub comparison: Comparison,
    /// How a period without data is treated.
    pub missing_data: MissingData,
    /// The ARNs that are notified.
    pub actions: Actions,
    /// Time of the definition's last change (UTC).
    pub configured_at: Option<Timestamp>,
}

impl AlarmDefinition {
    /// Returns M of "M out of N".
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
    /// Beyond the threshold.
    Alarm,
    /// Unknown, because there is too little data.
    InsufficientData,
}

impl AlarmState {
    /// Returns the name in the API.
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
