//! The answer of the state machine.

use breaker::{EvidenceSummary, Hold, Level, Outcome, Policy, RecordedCause, SystemState, unchecked};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The output of an execution that succeeded. The deployment may be of another release: members that an older one does
/// not write are optional, and unknown ones are ignored.
// So it is not the contract's `Evaluation`, which only the parts of one release exchange, and which refuses both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The kind of the decision.
    pub outcome: Outcome,
    /// Whether it was a dry run, which changes nothing.
    pub dry_run: bool,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// The level to which automation would have moved but for a hold or the mode `observe-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevented: Option<Level>,
    /// The hold that the command ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_hold: Option<Hold>,
    /// The earliest time at which automation may raise the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_allowed_at: Option<Timestamp>,
    /// The policy in force, if this release can read it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "readable")]
    pub policy: Option<Policy>,
    /// The reason as a sentence with the numbers: the text of the cause.
    pub reason: String,
    /// The cause as data. Deployments of older releases answer without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RecordedCause")]
    pub cause: Option<RecordedCause>,
    /// The evidence in numbers; absent for operators' commands.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unless_empty")]
    pub evidence: Option<EvidenceSummary>,
    /// The state before. It is not checked, because a newer release may allow more than this one.
    #[serde(deserialize_with = "unchecked")]
    pub old_state: SystemState,
    /// The state after, unchecked.
    #[serde(deserialize_with = "unchecked")]
    pub new_state: SystemState,
}

/// Reads the policy; `None` if another release wrote it with settings that this one does not know, because the rest of
/// the answer is useful without it.
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Policy>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// The state machine writes an empty object if there is no evidence.
fn unless_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EvidenceSummary>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom)
}
