//! What an execution of the state machine is asked to do.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::{self, Field, quoted};
use crate::{Level, object, text};

/// Characters that a reason may have.
pub const REASON_CHARACTERS: RangeInclusive<usize> = 1..=500;
/// Characters that an alarm's name may have, as CloudWatch allows them.
const ALARM_NAME_CHARACTERS: RangeInclusive<usize> = 1..=255;
/// Characters that an ARN may have, as IAM allows them.
pub const ARN_CHARACTERS: RangeInclusive<usize> = 1..=2048;
/// Characters that a requester's name may have.
pub const REQUESTER_CHARACTERS: RangeInclusive<usize> = 1..=200;
/// Minutes that a hold may last: at most three days, because a hold always ends.
pub const HOLD_MINUTES: RangeInclusive<u32> = 1..=4320;
/// How often the execution that the schedule starts may look within its minute.
pub const LOOKS: RangeInclusive<u8> = 1..=4;
/// Between two looks of one execution: as many as [`LOOKS`] allows fit in the schedule's minute, and in the machine's
/// timeout.
pub const SECONDS_BETWEEN_LOOKS: u32 = 15;
/// What `expectedHold` says for no hold.
pub const NO_HOLD: &str = "none";
const ALARM_FIELDS: &[Field] = &[
    Field::required("name", "the alarm's name, a text of 1 to 255 characters"),
    Field::optional("arn", "the alarm's ARN, a text of 1 to 2048 characters"),
    Field::optional("stateChangeTime", "a time such as \"2026-09-10T14:06:12Z\""),
];
const ALARM: Field = Field::required("alarm", "an object with the alarm's `name`").with(ALARM_FIELDS);
const TARGET_LEVEL: Field = Field::required("targetLevel", "1 (full), 2 (degraded) or 3 (maintenance)");
const REASON: Field = Field::required("reason", "a text of 1 to 500 characters that says why");
const REQUESTED_BY: Field = Field::required("requestedBy", "a text of 1 to 200 characters that says who");
const HOLD_MINUTES_FIELD: Field =
    Field::optional("holdMinutes", "a whole number from 1 to 4320, because a hold always ends");
const EXPECTED_EPOCH: Field =
    Field::optional("expectedEpoch", "the epoch that you saw in the state, a whole number from 0");
const EXPECTED_HOLD: Field = Field::optional(
    "expectedHold",
    "the ARN of the execution that set the hold that you saw in the state, or \"none\"",
);
const REPAIR: Field = Field::optional("repair", "true or false");
const LOOKS_FIELD: Field =
    Field::optional("looks", "a whole number from 1 to 4, because a minute has room for so many");
const DRY_RUN: Field = Field::optional("dryRun", "true or false");

/// The triggers, what sentences call their requests, and the fields that those have.
const SHAPES: [(&str, &str, &[Field]); 4] = [
    ("alarm", "an alarm", &[ALARM, DRY_RUN]),
    ("schedule", "a schedule", &[LOOKS_FIELD, DRY_RUN]),
    (
        "force",
        "a force",
        &[TARGET_LEVEL, REASON, REQUESTED_BY, HOLD_MINUTES_FIELD, EXPECTED_EPOCH, EXPECTED_HOLD, REPAIR, DRY_RUN],
    ),
    ("release", "a release", &[REASON, REQUESTED_BY, EXPECTED_EPOCH, EXPECTED_HOLD, DRY_RUN]),
];
/// What `trigger` may be, for the sentences that refuse it.
const TRIGGERS: &str = "use \"alarm\", \"schedule\", \"force\" or \"release\"";

/// The input of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "trigger", rename_all = "lowercase")]
pub enum TransitionRequest {
    /// An alarm went off: a hint to look.
    Alarm(AlarmRequest),
    /// A minute has passed: look again.
    Schedule(ScheduleRequest),
    /// An operator sets the level.
    Force(ForceRequest),
    /// An operator ends a hold.
    Release(ReleaseRequest),
}

/// `"trigger": "alarm"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlarmRequest {
    /// The alarm, for the record; no rule reads it.
    #[serde(deserialize_with = "object::tagged")]
    pub alarm: AlarmHint,
    /// Decide and answer, but change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// What is known of the alarm that went off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlarmHint {
    /// Its name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Its ARN, which old messages lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub arn: Option<String>,
    /// When its state changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    pub state_change_time: Option<Timestamp>,
}

/// `"trigger": "schedule"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleRequest {
    /// Looks up to so many times, a quarter of a minute apart, while probes or a ramp are to prove a level: no
    /// alarm tells of that. 1 to 4; where it is missing, 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u8", range(min = 1, max = 4))]
    pub looks: Option<u8>,
    /// Decide and answer, but change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// `"trigger": "force"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForceRequest {
    /// The level to go to, whatever the thresholds say.
    pub target_level: Level,
    /// Why: 1 to 500 characters.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
    /// Who: 1 to 200 characters.
    #[schemars(length(min = 1, max = 200))]
    pub requested_by: String,
    /// Keeps automation off the level for so many minutes, 1 to 4320.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 4320))]
    pub hold_minutes: Option<u32>,
    /// Refuses the command unless the state is at this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub expected_epoch: Option<u64>,
    /// Refuses the command if it would end another hold than this one: the execution that set the hold, by its ARN,
    /// or `"none"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub expected_hold: Option<String>,
    /// Where the state is lost or unreadable: continues after the newest record. Else it changes nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repair: bool,
    /// Decide and answer, but change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// `"trigger": "release"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Why: 1 to 500 characters.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
    /// Who: 1 to 200 characters.
    #[schemars(length(min = 1, max = 200))]
    pub requested_by: String,
    /// Refuses the command unless the state is at this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub expected_epoch: Option<u64>,
    /// Refuses the command if it would end another hold than this one: the execution that set the hold, by its ARN,
    /// or `"none"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub expected_hold: Option<String>,
    /// Decide and answer, but change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// A request that cannot be carried out: the sentence names the field and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRequest(pub String);

impl AlarmHint {
    /// Whether the state machine takes it. The arguments are what the sender calls its fields.
    ///
    /// # Errors
    /// Names the field and what it should be.
    pub fn check(&self, name_field: &str, arn_field: &str) -> Result<(), InvalidRequest> {
        text::check_name(name_field, &self.name, &ALARM_NAME_CHARACTERS)?;
        self.arn.as_deref().map_or(Ok(()), |arn| text::check_name(arn_field, arn, &ARN_CHARACTERS))
    }
}

impl TransitionRequest {
    /// Reads the input of an execution. Unknown, missing and wrong fields are refused by name.
    ///
    /// # Errors
    /// Names the field and what it should be.
    pub fn parse(input: Value) -> Result<Self, InvalidRequest> {
        let Value::Object(mut object) = input else {
            return Err(InvalidRequest(format!("the input is not a JSON object with a field `trigger`: {TRIGGERS}")));
        };
        let trigger = match object.remove("trigger") {
            Some(Value::String(trigger)) => trigger,
            Some(_) => return Err(InvalidRequest(format!("`trigger` is not a text: {TRIGGERS}"))),
            None => return Err(InvalidRequest(format!("`trigger` is missing: {TRIGGERS}"))),
        };
        let Some((trigger, whole, shape)) = SHAPES.iter().find(|(known, ..)| *known == trigger) else {
            return Err(InvalidRequest(format!("`trigger` is \"{}\", which is none: {TRIGGERS}", quoted(&trigger))));
        };
        let request = match *trigger {
            "alarm" => Self::Alarm(fields::read(whole, shape, object)?),
            "schedule" => Self::Schedule(fields::read(whole, shape, object)?),
            "force" => Self::Force(fields::read(whole, shape, object)?),
            _ => Self::Release(fields::read(whole, shape, object)?),
        };
        request.check()?;
        Ok(request)
    }

    /// Whether the request asks for a rehearsal.
    #[must_use]
    pub const fn dry_run(&self) -> bool {
        match self {
            Self::Alarm(request) => request.dry_run,
            Self::Schedule(request) => request.dry_run,
            Self::Force(request) => request.dry_run,
            Self::Release(request) => request.dry_run,
        }
    }

    /// The same as records have it: what it asks for, without whether it is a rehearsal and how often it looks.
    #[must_use]
    pub const fn as_recorded(mut self) -> Self {
        match &mut self {
            Self::Alarm(request) => request.dry_run = false,
            Self::Schedule(request) => (request.dry_run, request.looks) = (false, None),
            Self::Force(request) => request.dry_run = false,
            Self::Release(request) => request.dry_run = false,
        }
        self
    }

    /// Whether it is an operator's. Those need no metrics: they must work while `CloudWatch` does not.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(self, Self::Force(_) | Self::Release(_))
    }

    /// Whether it may go on from the newest record where the state is lost.
    #[must_use]
    pub const fn repairs(&self) -> bool {
        matches!(self, Self::Force(ForceRequest { repair: true, .. }))
    }

    fn check(&self) -> Result<(), InvalidRequest> {
        match self {
            Self::Alarm(request) => request.alarm.check("alarm.name", "alarm.arn"),
            Self::Schedule(request) => match request.looks.filter(|looks| !LOOKS.contains(looks)) {
                Some(looks) => Err(InvalidRequest(format!("`looks` is {looks}: use {}", LOOKS_FIELD.wanted))),
                None => Ok(()),
            },
            Self::Force(request) => {
                check_who_and_why(&request.reason, &request.requested_by)?;
                check_expected_hold(request.expected_hold.as_deref())?;
                if let Some(minutes) = request.hold_minutes.filter(|minutes| !HOLD_MINUTES.contains(minutes)) {
                    return Err(InvalidRequest(format!(
                        "`holdMinutes` is {minutes}: use {}",
                        HOLD_MINUTES_FIELD.wanted
                    )));
                }
                Ok(())
            }
            Self::Release(request) => {
                check_who_and_why(&request.reason, &request.requested_by)?;
                check_expected_hold(request.expected_hold.as_deref())
            }
        }
    }
}

fn check_expected_hold(expected: Option<&str>) -> Result<(), InvalidRequest> {
    expected.map_or(Ok(()), |expected| text::check_name("expectedHold", expected, &ARN_CHARACTERS))
}

fn check_who_and_why(reason: &str, requested_by: &str) -> Result<(), InvalidRequest> {
    text::check_plain("reason", reason, &REASON_CHARACTERS)?;
    text::check_plain("requestedBy", requested_by, &REQUESTER_CHARACTERS)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemars::schema_for;

    use super::*;

    /// Names, and whether they are required, as the Rust types have them.
    fn of_type(schema: &Value) -> BTreeSet<(String, bool)> {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let names = schema["properties"].as_object().unwrap().keys();
        names.map(|name| (name.clone(), required.contains(&Value::from(name.as_str())))).collect()
    }

    fn of_shape(fields: &[Field]) -> BTreeSet<(String, bool)> {
        fields.iter().map(|field| (field.name.to_owned(), field.required)).collect()
    }

    #[test]
    fn the_fields_that_sentences_know_are_those_of_the_types() {
        let types = [
            schema_for!(AlarmRequest),
            schema_for!(ScheduleRequest),
            schema_for!(ForceRequest),
            schema_for!(ReleaseRequest),
        ];
        for (schema, (trigger, _, shape)) in types.iter().zip(SHAPES) {
            assert_eq!(of_type(schema.as_value()), of_shape(shape), "{trigger}");
        }
        assert_eq!(of_type(schema_for!(AlarmHint).as_value()), of_shape(ALARM_FIELDS));
    }
}
