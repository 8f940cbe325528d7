//! The input of the state machine: a request to evaluate, or an operator's command.

mod alarm_hint;

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::level::Level;
use crate::validation::fields::{self, Field};
use crate::validation::{InvalidKind, InvalidRequest, object, text};

pub use alarm_hint::AlarmHint;

/// Allowed length of a reason, in characters.
pub const REASON_CHARACTERS: RangeInclusive<usize> = 1..=500;
/// Allowed length of an ARN, in characters (IAM's limit).
pub const ARN_CHARACTERS: RangeInclusive<usize> = 1..=2048;
/// Allowed length of a requester's name, in characters.
pub const REQUESTER_CHARACTERS: RangeInclusive<usize> = 1..=200;
/// Allowed duration of a hold, in minutes: at most three days, so that every hold ends.
pub const HOLD_MINUTES: RangeInclusive<u32> = 1..=4320;
/// Allowed number of evaluations of the execution that the schedule starts, within its minute.
pub const LOOKS: RangeInclusive<u8> = 1..=4;
/// Seconds between two evaluations of an execution that the schedule starts. The maximum of [`LOOKS`] fits in the
/// schedule's minute and in the state machine's timeout.
pub const SECONDS_BETWEEN_LOOKS: u32 = 15;
/// The requester of evaluations, as records and messages name it.
pub const AUTOMATION: &str = "automation";
/// Value of `expectedHold` that means no hold.
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

/// The triggers, the names of their requests in error messages, and their fields.
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
const TRIGGER: Field = Field::required("trigger", "\"alarm\", \"schedule\", \"force\" or \"release\"");

/// The input of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "trigger", rename_all = "lowercase")]
pub enum TransitionRequest {
    /// An alarm went off: a hint to evaluate.
    Alarm(AlarmRequest),
    /// The schedule asks for an evaluation each minute.
    Schedule(ScheduleRequest),
    /// An operator sets the level.
    Force(ForceRequest),
    /// An operator ends a hold.
    Release(ReleaseRequest),
}

/// An alarm's request: `"trigger": "alarm"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlarmRequest {
    /// The alarm, for the record; no rule reads it.
    #[serde(deserialize_with = "object::tagged")]
    pub alarm: AlarmHint,
    /// Whether to decide and answer only, and change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// The schedule's request: `"trigger": "schedule"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleRequest {
    /// Maximum number of evaluations, 15 seconds apart, while probes or a ramp are being judged, because no alarm
    /// reports that. 1 to 4; the default is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u8", range(min = *LOOKS.start(), max = *LOOKS.end()))]
    pub looks: Option<u8>,
    /// Whether to decide and answer only, and change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// An operator's request to set the level: `"trigger": "force"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForceRequest {
    /// The level to set, whatever the thresholds say.
    pub target_level: Level,
    /// Reason of the command, 1 to 500 characters.
    #[schemars(length(min = *REASON_CHARACTERS.start(), max = *REASON_CHARACTERS.end()))]
    pub reason: String,
    /// Name of the requester, 1 to 200 characters. A claim; CloudTrail proves who sent the command.
    #[schemars(length(min = *REQUESTER_CHARACTERS.start(), max = *REQUESTER_CHARACTERS.end()))]
    pub requested_by: String,
    /// Duration of the hold in minutes, 1 to 4320. Automation does not move the level meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = *HOLD_MINUTES.start(), max = *HOLD_MINUTES.end()))]
    pub hold_minutes: Option<u32>,
    /// Refuses the command unless the state is at this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub expected_epoch: Option<u64>,
    /// Refuses the command if it would end another hold than this one: the execution that set the hold, by its ARN,
    /// or `"none"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = *ARN_CHARACTERS.start(), max = *ARN_CHARACTERS.end()))]
    pub expected_hold: Option<String>,
    /// Continues after the newest record if the state is missing or corrupt. Has no effect on a valid state.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repair: bool,
    /// Whether to decide and answer only, and change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// An operator's request to end a hold: `"trigger": "release"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Reason of the command, 1 to 500 characters.
    #[schemars(length(min = *REASON_CHARACTERS.start(), max = *REASON_CHARACTERS.end()))]
    pub reason: String,
    /// Name of the requester, 1 to 200 characters. A claim; CloudTrail proves who sent the command.
    #[schemars(length(min = *REQUESTER_CHARACTERS.start(), max = *REQUESTER_CHARACTERS.end()))]
    pub requested_by: String,
    /// Refuses the command unless the state is at this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub expected_epoch: Option<u64>,
    /// Refuses the command if it would end another hold than this one: the execution that set the hold, by its ARN,
    /// or `"none"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = *ARN_CHARACTERS.start(), max = *ARN_CHARACTERS.end()))]
    pub expected_hold: Option<String>,
    /// Whether to decide and answer only, and change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

impl TransitionRequest {
    /// Reads the input of an execution. Unknown, missing and wrong fields are refused by name.
    ///
    /// # Errors
    /// Names the field and what it should be.
    pub fn parse(input: Value) -> Result<Self, InvalidRequest> {
        let Value::Object(mut object) = input else {
            return Err(InvalidRequest::new(TRIGGER.name, InvalidKind::NoObject, TRIGGER.wanted));
        };
        let Some(trigger) = object.remove(TRIGGER.name) else {
            return Err(InvalidRequest::new(TRIGGER.name, InvalidKind::Missing, TRIGGER.wanted));
        };
        let Some((trigger, whole, shape)) = SHAPES.iter().find(|(known, ..)| trigger == *known) else {
            return Err(TRIGGER.refusal(TRIGGER.name, trigger));
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

    /// Whether the request asks for a dry run.
    #[must_use]
    pub const fn dry_run(&self) -> bool {
        match self {
            Self::Alarm(request) => request.dry_run,
            Self::Schedule(request) => request.dry_run,
            Self::Force(request) => request.dry_run,
            Self::Release(request) => request.dry_run,
        }
    }

    /// Returns the request as records store it: without `dryRun` and the number of evaluations, which do not change
    /// what it asks for.
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

    /// Whether the request is an operator's command. Commands need no metrics, because they must work while
    /// `CloudWatch` fails.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(self, Self::Force(_) | Self::Release(_))
    }

    /// Name of the requester: the operator's name, which is a claim, or [`AUTOMATION`].
    #[must_use]
    pub fn requested_by(&self) -> &str {
        match self {
            Self::Alarm(_) | Self::Schedule(_) => AUTOMATION,
            Self::Force(request) => &request.requested_by,
            Self::Release(request) => &request.requested_by,
        }
    }

    /// Name of the alarm that asked for the evaluation. A hint, and not the cause of what the evaluation decides.
    #[must_use]
    pub fn woken_by(&self) -> Option<&str> {
        match self {
            Self::Alarm(request) => Some(request.alarm.name()),
            Self::Schedule(_) | Self::Force(_) | Self::Release(_) => None,
        }
    }

    /// Whether the request may continue after the newest record if the state is missing or corrupt.
    #[must_use]
    pub const fn repairs(&self) -> bool {
        matches!(self, Self::Force(ForceRequest { repair: true, .. }))
    }

    fn check(&self) -> Result<(), InvalidRequest> {
        match self {
            Self::Alarm(request) => request.alarm.check().map_err(|error| error.within(ALARM.name)),
            Self::Schedule(request) => match request.looks.filter(|looks| !LOOKS.contains(looks)) {
                Some(looks) => Err(LOOKS_FIELD.refusal(LOOKS_FIELD.name, looks.into())),
                None => Ok(()),
            },
            Self::Force(request) => {
                check_who_and_why(&request.reason, &request.requested_by)?;
                check_expected_hold(request.expected_hold.as_deref())?;
                match request.hold_minutes.filter(|minutes| !HOLD_MINUTES.contains(minutes)) {
                    Some(minutes) => Err(HOLD_MINUTES_FIELD.refusal(HOLD_MINUTES_FIELD.name, minutes.into())),
                    None => Ok(()),
                }
            }
            Self::Release(request) => {
                check_who_and_why(&request.reason, &request.requested_by)?;
                check_expected_hold(request.expected_hold.as_deref())
            }
        }
    }
}

impl<'de> Deserialize<'de> for TransitionRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A request as records hold it. Only its shape is checked, because a record of the past stays readable if a later
/// release would refuse its texts.
#[derive(Deserialize)]
#[serde(remote = "TransitionRequest", tag = "trigger", rename_all = "lowercase")]
enum RecordedRequest {
    Alarm(AlarmRequest),
    Schedule(ScheduleRequest),
    Force(ForceRequest),
    Release(ReleaseRequest),
}

/// Reads the request of a record.
pub(crate) fn recorded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TransitionRequest, D::Error> {
    object::tagged(deserializer).map(|Recorded(request)| request)
}

/// Reads the request of a record that may have none.
pub(crate) fn recorded_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TransitionRequest>, D::Error> {
    Ok(object::tagged_or_none(deserializer)?.map(|Recorded(request)| request))
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Recorded(#[serde(with = "RecordedRequest")] TransitionRequest);

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

    use super::alarm_hint::ALARM_NAME_CHARACTERS;
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
    fn error_messages_know_the_fields_of_the_types() {
        let types = [
            schema_for!(AlarmRequest),
            schema_for!(ScheduleRequest),
            schema_for!(ForceRequest),
            schema_for!(ReleaseRequest),
        ];
        for (schema, (trigger, _, shape)) in types.iter().zip(SHAPES) {
            assert_eq!(of_type(schema.as_value()), of_shape(shape), "{trigger}");
            assert!(TRIGGER.wanted.contains(&format!("\"{trigger}\"")), "{trigger}");
        }
        assert_eq!(of_type(schema_for!(AlarmHint).as_value()), of_shape(ALARM_FIELDS));
    }

    #[test]
    fn error_messages_name_the_bounds() {
        fn has(field: &Field, minimum: &impl ToString, maximum: &impl ToString) {
            let bounds = format!(" {} to {}", minimum.to_string(), maximum.to_string());
            assert!(field.wanted.contains(&bounds), "{} is not{bounds}: {}", field.name, field.wanted);
        }
        has(&ALARM_FIELDS[0], ALARM_NAME_CHARACTERS.start(), ALARM_NAME_CHARACTERS.end());
        has(&ALARM_FIELDS[1], ARN_CHARACTERS.start(), ARN_CHARACTERS.end());
        has(&REASON, REASON_CHARACTERS.start(), REASON_CHARACTERS.end());
        has(&REQUESTED_BY, REQUESTER_CHARACTERS.start(), REQUESTER_CHARACTERS.end());
        has(&HOLD_MINUTES_FIELD, HOLD_MINUTES.start(), HOLD_MINUTES.end());
        has(&LOOKS_FIELD, LOOKS.start(), LOOKS.end());
    }
}
