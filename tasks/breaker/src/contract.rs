//! What the tasks of the state machine say to each other. `statemachines/schemas/` has the same as
//! JSON Schema, written from these types.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{EvidenceSummary, Level, Outcome, Policy, SystemState, TransitionRequest};

/// The names under which tasks fail; the state machine matches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorName {
    /// The execution's input makes no sense, or the state refuses the command.
    InvalidRequest,
    /// Somebody else wrote the state first.
    StateConflict,
    /// The state cannot be read or written, or what is stored makes no sense.
    StateUnavailable,
    /// The evidence cannot be read completely.
    MetricsUnavailable,
    /// The metrics of an evaluation could not be stored.
    MetricsNotEmitted,
}

impl ErrorName {
    /// Every name.
    pub const ALL: [Self; 5] = [
        Self::InvalidRequest,
        Self::StateConflict,
        Self::StateUnavailable,
        Self::MetricsUnavailable,
        Self::MetricsNotEmitted,
    ];

    /// The name as the state machine knows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::StateConflict => "StateConflict",
            Self::StateUnavailable => "StateUnavailable",
            Self::MetricsUnavailable => "MetricsUnavailable",
            Self::MetricsNotEmitted => "MetricsNotEmitted",
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Input of `evaluate-thresholds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluationInput {
    /// The execution's input, unchecked: a [`TransitionRequest`] if all is well.
    pub request: Value,
    /// The execution's ARN.
    pub execution: String,
}

/// Output of `evaluate-thresholds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evaluation {
    /// What is to be done.
    pub outcome: Outcome,
    /// Whether it is a rehearsal: nothing is to be written, emitted or announced.
    pub dry_run: bool,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// Why, in words with the numbers.
    pub reason: String,
    /// The numbers; absent for operators' commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSummary>,
    /// The state before.
    pub state: SystemState,
    /// What to write; absent where nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<StateWrite>,
}

/// Input of `write-state`: one conditional transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateWrite {
    /// The version that must be stored for the write to happen; 0 where nothing may be.
    pub expected_version: u64,
    /// The state to store.
    pub state: SystemState,
    /// The transition's record; absent where the level stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<TransitionRecord>,
}

/// Output of `write-state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateWritten {
    /// The state as it is stored now.
    pub state: SystemState,
}

/// One immutable record of a transition, `pk = "transition#<epoch>"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitionRecord {
    /// The epoch that the transition began; 0 is the first start.
    pub epoch: u64,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// When.
    pub at: Timestamp,
    /// Why, in words with the numbers.
    pub reason: String,
    /// What asked for it; absent for the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<TransitionRequest>,
    /// The numbers; absent for operators' commands and the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSummary>,
    /// The policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The execution that wrote it.
    pub execution: String,
}

impl TransitionRecord {
    /// The record of the first start. It never expires: it marks that this deployment has a history,
    /// so that a missing state item can be told from a first start.
    #[must_use]
    pub fn first_start(at: Timestamp, execution: &str) -> Self {
        Self {
            epoch: 0,
            from: Level::Full,
            to: Level::Full,
            at,
            reason: "First start".to_owned(),
            request: None,
            evidence: None,
            policy: None,
            execution: execution.to_owned(),
        }
    }
}

/// Input of `emit-metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsInput {
    /// What the evaluation came to.
    pub outcome: Outcome,
    /// The level after it.
    pub level: Level,
}

/// Output of `emit-metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsEmitted {
    /// How many values were stored.
    pub values: usize,
}
