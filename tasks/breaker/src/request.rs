//! What an execution of the state machine is asked to do.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Level;

/// Characters that a reason may have.
const REASON_CHARACTERS: RangeInclusive<usize> = 1..=500;
/// Characters that an alarm's name may have, as CloudWatch allows them.
const ALARM_NAME_CHARACTERS: RangeInclusive<usize> = 1..=255;
/// Characters that an ARN may have, as IAM allows them.
const ARN_CHARACTERS: RangeInclusive<usize> = 1..=2048;
/// Characters that a requester's name may have.
const REQUESTER_CHARACTERS: RangeInclusive<usize> = 1..=200;
/// Minutes that a hold may last: at most three days, because a hold always ends.
const HOLD_MINUTES: RangeInclusive<u32> = 1..=4320;
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
    pub name: String,
    /// Its ARN, which old messages lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// When its state changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_change_time: Option<Timestamp>,
}

/// `"trigger": "schedule"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleRequest {
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
    pub reason: String,
    /// Who: 1 to 200 characters.
    pub requested_by: String,
    /// Keeps automation off the level for so many minutes, 1 to 4320.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_minutes: Option<u32>,
    /// Refuses the command unless the state is at this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_epoch: Option<u64>,
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
    pub reason: String,
    /// Who: 1 to 200 characters.
    pub requested_by: String,
    /// Refuses the command unless the state is at this epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_epoch: Option<u64>,
    /// Decide and answer, but change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// A request that cannot be carried out: the sentence names the field and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRequest(pub String);

impl TransitionRequest {
    /// Reads the input of an execution. Unknown, missing and wrong fields are refused by name.
    ///
    /// # Errors
    /// Names the field and what it should be.
    pub fn parse(input: Value) -> Result<Self, InvalidRequest> {
        let Value::Object(mut fields) = input else {
            return Err(InvalidRequest(format!("the input is not a JSON object with a field `trigger`: {TRIGGERS}")));
        };
        let trigger = match fields.remove("trigger") {
            Some(Value::String(trigger)) => trigger,
            Some(_) => return Err(InvalidRequest(format!("`trigger` is not a string: {TRIGGERS}"))),
            None => return Err(InvalidRequest(format!("`trigger` is missing: {TRIGGERS}"))),
        };
        let request = match trigger.as_str() {
            "alarm" => Self::Alarm(fields_of(fields)?),
            "schedule" => Self::Schedule(fields_of(fields)?),
            "force" => Self::Force(fields_of(fields)?),
            "release" => Self::Release(fields_of(fields)?),
            _ => return Err(InvalidRequest(format!("`trigger` is none of the known ones: {TRIGGERS}"))),
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
            Self::Alarm(request) => {
                check_text("alarm.name", &request.alarm.name, &ALARM_NAME_CHARACTERS)?;
                request.alarm.arn.as_deref().map_or(Ok(()), |arn| check_text("alarm.arn", arn, &ARN_CHARACTERS))
            }
            Self::Schedule(_) => Ok(()),
            Self::Force(request) => {
                check_who_and_why(&request.reason, &request.requested_by)?;
                if request.hold_minutes.is_some_and(|minutes| !HOLD_MINUTES.contains(&minutes)) {
                    return Err(InvalidRequest(format!(
                        "`holdMinutes` is not between {} and {}: a hold always ends",
                        HOLD_MINUTES.start(),
                        HOLD_MINUTES.end()
                    )));
                }
                Ok(())
            }
            Self::Release(request) => check_who_and_why(&request.reason, &request.requested_by),
        }
    }
}

fn check_who_and_why(reason: &str, requested_by: &str) -> Result<(), InvalidRequest> {
    check_text("reason", reason, &REASON_CHARACTERS)?;
    check_text("requestedBy", requested_by, &REQUESTER_CHARACTERS)
}

fn check_text(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    // White space alone says nothing, and what is stored is the text as it came.
    if text.trim().chars().count() < *length.start() || text.chars().count() > *length.end() {
        let (least, most) = (length.start(), length.end());
        return Err(InvalidRequest(format!("`{field}` does not have between {least} and {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidRequest(format!("`{field}` has control characters: use plain text on one line")));
    }
    Ok(())
}

fn fields_of<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, InvalidRequest> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner();
        InvalidRequest(if path == "." { problem.to_string() } else { format!("`{path}`: {problem}") })
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
