//! The audit trail: immutable records of transitions and of operators' commands.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cause::{Cause, NoEffect, RecordedCause};
use crate::decision::{Decision, Outcome};
use crate::level::Level;
use crate::policy::{Policy, PolicySettings};
use crate::refused_command::RefusedCommand;
use crate::request::{TransitionRequest, recorded, recorded_or_none};
use crate::state::{HIGHEST_VERSION, Hold, SystemState};
use crate::summary::EvidenceSummary;
use crate::validation::InvalidAttribute;

/// Prefix of the keys of transition records.
pub const TRANSITION_PREFIX: &str = "transition#";
/// Prefix of the keys of command records.
pub const COMMAND_PREFIX: &str = "command#";

/// Returns the key of a transition record. The epoch is zero-padded, so that keys sort as epochs do.
#[must_use]
pub fn transition_key(epoch: u64) -> String {
    format!("{TRANSITION_PREFIX}{epoch:010}")
}

/// Returns the epoch in the key of a transition record; `None` for any other key.
#[must_use]
pub fn epoch_of_key(key: &str) -> Option<u64> {
    key.strip_prefix(TRANSITION_PREFIX)?.parse().ok().filter(|epoch| *epoch < HIGHEST_VERSION)
}

/// Returns the key of a command record. It contains the execution's name, so that an execution that runs twice, or is
/// started twice under one name after a lost reply, can write only once.
#[must_use]
pub fn command_key(execution_name: &str) -> String {
    format!("{COMMAND_PREFIX}{execution_name}")
}

/// The record of one transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitionRecord {
    /// The epoch that the transition began; 0 is the first start.
    pub epoch: u64,
    /// The version of the state that was written with it.
    pub version: u64,
    /// The level before the write.
    pub from: Level,
    /// The level after the write.
    pub to: Level,
    /// Time of the transition (UTC).
    pub at: Timestamp,
    /// The reason as a sentence with the numbers: the text of the cause.
    pub reason: String,
    /// The cause as data. Records that were written before this attribute existed lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RecordedCause")]
    pub cause: Option<RecordedCause>,
    /// The request that caused the transition; absent for the first start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "recorded_or_none")]
    pub request: Option<TransitionRequest>,
    /// Who asked for the transition: an operator's name, which is a claim, or `automation`. Records that were written
    /// before this attribute existed lack it, and so does the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub requested_by: Option<String>,
    /// Name of the alarm whose message asked for the evaluation. A hint, and not the cause: an alarm of another rule
    /// may come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub woken_by: Option<String>,
    /// The evidence in numbers; absent for operators' commands and the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSummary>,
    /// The settings of the policy in force.
    // Not a `Policy`: a record of the past stays readable when a later version would refuse its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySettings>,
    /// The hold that was in force and that the transition ended. Only an operator's command ends a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_hold: Option<Hold>,
    /// ARN of the execution that wrote the record.
    pub execution: String,
}

impl TransitionRecord {
    /// Returns record 0, the record of the first start. It never expires, because it distinguishes a missing state item
    /// from a first start.
    #[must_use]
    pub fn first_start(at: Timestamp, execution: &str) -> Self {
        Self {
            epoch: 0,
            version: 0,
            from: Level::Full,
            to: Level::Full,
            at,
            reason: Cause::FirstStart.to_string(),
            cause: Some(Cause::FirstStart.into()),
            request: None,
            requested_by: None,
            woken_by: None,
            evidence: None,
            policy: None,
            ended_hold: None,
            execution: execution.to_owned(),
        }
    }
}

/// The record of one operator's command that wrote something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandRecord {
    /// The execution's name.
    pub name: String,
    /// The version of the state that the command wrote.
    pub version: u64,
    /// The epoch after the command.
    pub epoch: u64,
    /// The level before the write.
    pub from: Level,
    /// The level after the write.
    pub to: Level,
    /// Time of the write (UTC).
    pub at: Timestamp,
    /// Whether the level moved, or only another part of the state changed.
    pub outcome: Outcome,
    /// The effect as a sentence: the text of the cause.
    pub reason: String,
    /// The effect as data. Records that were written before this attribute existed lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RecordedCause")]
    pub cause: Option<RecordedCause>,
    /// The command, with `requestedBy` and `reason`.
    #[serde(deserialize_with = "recorded")]
    pub request: TransitionRequest,
    /// The hold that was in force and that the command ended, by a release or by another hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_hold: Option<Hold>,
    /// The earliest time at which automation may raise the level; absent at level 1, and in the mode `observe-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    pub recovery_allowed_at: Option<Timestamp>,
    /// ARN of the execution that carried out the command. CloudTrail's `StartExecution` of the same execution proves
    /// who sent it.
    pub execution: String,
}

impl CommandRecord {
    /// Returns the decision for an execution that is started again under this record's name with `request` while the
    /// level is `level`. It changes nothing, because the command was carried out.
    ///
    /// # Errors
    /// `request` differs from the recorded one. Without the error its sender would believe that `request` was carried
    /// out.
    pub fn repeated(&self, request: &TransitionRequest, level: Level) -> Result<Decision, RefusedCommand> {
        let Self { at, reason, .. } = self;
        if self.request.clone().as_recorded() != request.clone().as_recorded() {
            return Err(RefusedCommand::NameUsed { at: *at, reason: reason.clone() });
        }
        Ok(Decision::NoEffect(NoEffect::CarriedOut { level, at: *at, reason: reason.clone() }))
    }
}

/// The part of the state that a record of either kind contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastKnown {
    /// The version. It is the first field because records are ordered by it.
    pub version: u64,
    /// The epoch.
    pub epoch: u64,
    /// The level.
    #[serde(rename = "to")]
    pub level: Level,
}

impl LastKnown {
    /// Checks that a write can have left these numbers and that another write can follow.
    ///
    /// # Errors
    /// Names the attribute and what would fit.
    pub fn check(&self) -> Result<(), InvalidAttribute> {
        let Self { version, epoch, .. } = self;
        if *version >= HIGHEST_VERSION {
            return Err(InvalidAttribute::new(
                "version",
                format!("is {version}: it should be below {HIGHEST_VERSION}"),
            ));
        }
        if epoch > version {
            return Err(InvalidAttribute::new(
                "epoch",
                format!("is {epoch}: it should not be above `version`, which is {version}"),
            ));
        }
        Ok(())
    }

    /// Whether `state` is older than this record, and so an old copy.
    #[must_use]
    pub const fn is_ahead_of(&self, state: &SystemState) -> bool {
        self.version > state.version || self.epoch > state.epoch
    }

    /// Returns a state to continue from if the stored one is missing or corrupt. Only level, epoch and version are
    /// known.
    #[must_use]
    pub fn state(&self, policy: &Policy, now: Timestamp) -> SystemState {
        SystemState {
            current_level: self.level,
            version: self.version,
            epoch: self.epoch,
            ..SystemState::initial(policy, now)
        }
    }
}
