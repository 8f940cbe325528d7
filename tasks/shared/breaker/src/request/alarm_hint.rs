//! The alarm that a request to evaluate names.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ARN_CHARACTERS;
use crate::validation::{InvalidRequest, text};

/// Allowed length of an alarm's name, in characters (CloudWatch's limit).
pub(super) const ALARM_NAME_CHARACTERS: RangeInclusive<usize> = 1..=255;

/// The alarm that went off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlarmHint {
    /// Name of the alarm.
    #[schemars(length(min = *ALARM_NAME_CHARACTERS.start(), max = *ALARM_NAME_CHARACTERS.end()))]
    name: String,
    /// ARN of the alarm; absent in old messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = *ARN_CHARACTERS.start(), max = *ARN_CHARACTERS.end()))]
    arn: Option<String>,
    /// Time at which the alarm's state changed (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    state_change_time: Option<Timestamp>,
}

impl AlarmHint {
    /// Returns the alarm with this name, this ARN and the time at which its state changed (UTC).
    ///
    /// # Errors
    /// The state machine would refuse the alarm. Names the field, `name` or `arn`, and what is allowed.
    pub fn new(
        name: String,
        arn: Option<String>,
        state_change_time: Option<Timestamp>,
    ) -> Result<Self, InvalidRequest> {
        let alarm = Self { name, arn, state_change_time };
        alarm.check().map(|()| alarm)
    }

    /// Returns the name of the alarm.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the ARN of the alarm, if the message has it.
    #[must_use]
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// Returns the time at which the alarm's state changed (UTC), if the message has it.
    #[must_use]
    pub const fn state_change_time(&self) -> Option<Timestamp> {
        self.state_change_time
    }

    pub(super) fn check(&self) -> Result<(), InvalidRequest> {
        text::check_name("name", &self.name, &ALARM_NAME_CHARACTERS)?;
        self.arn.as_deref().map_or(Ok(()), |arn| text::check_name("arn", arn, &ARN_CHARACTERS))
    }
}
