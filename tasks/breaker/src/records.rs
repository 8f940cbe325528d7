//! The audit trail: immutable records of transitions and of operators' commands.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::{tagged, tagged_or_none};
use crate::state::HIGHEST_VERSION;
use crate::{
    Decision, EvidenceSummary, Hold, InvalidRequest, Level, Outcome, Policy, PolicySettings, SystemState,
    TransitionRequest,
};

/// What the keys of all transitions' records begin with.
pub const TRANSITION_PREFIX: &str = "transition#";
/// What the keys of all commands' records begin with.
pub const COMMAND_PREFIX: &str = "command#";

/// The key of a transition's record. Padded, so that keys sort as epochs do.
#[must_use]
pub fn transition_key(epoch: u64) -> String {
    format!("{TRANSITION_PREFIX}{epoch:010}")
}

/// The epoch that the key of a transition's record names; `None` for a key of anything else.
#[must_use]
pub fn epoch_of_key(key: &str) -> Option<u64> {
    key.strip_prefix(TRANSITION_PREFIX)?.parse().ok().filter(|epoch| *epoch < HIGHEST_VERSION)
}

/// The key of a command's record. It is the execution's name, so that one execution that is run
/// twice, or started twice under one name after a lost reply, can write only once.
#[must_use]
pub fn command_key(execution_name: &str) -> String {
    format!("{COMMAND_PREFIX}{execution_name}")
}

/// One record a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitionRecord {
    /// The epoch that the transition began; 0 is the first start.
    pub epoch: u64,
    /// The version of the state that was written with it.
    pub version: u64,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// When.
    pub at: Timestamp,
    /// Why, in words with the numbers.
    pub reason: String,
    /// What asked for it; absent for the first start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "tagged_or_none")]
    pub request: Option<TransitionRequest>,
    /// The numbers; absent for operators' commands and the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSummary>,
    /// The settings of the policy in force.
    // Not a `Policy`: a record of the past stays readable when a later version would refuse its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySettings>,
    /// The hold that was in force and that the transition ended: only an operator's command does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_hold: Option<Hold>,
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
            version: 0,
            from: Level::Full,
            to: Level::Full,
            at,
            reason: "First start".to_owned(),
            request: None,
            evidence: None,
            policy: None,
            ended_hold: None,
            execution: execution.to_owned(),
        }
    }
}

/// One record an operator's command that wrote something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandRecord {
    /// The execution's name.
    pub name: String,
    /// The version of the state that the command wrote.
    pub version: u64,
    /// The epoch after it.
    pub epoch: u64,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// When.
    pub at: Timestamp,
    /// Whether the level moved, or a hold only.
    pub outcome: Outcome,
    /// What was done, in words.
    pub reason: String,
    /// The command, with who and why.
    #[serde(deserialize_with = "tagged")]
    pub request: TransitionRequest,
    /// The hold that was in force and that the command ended, by a release or by another hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_hold: Option<Hold>,
    /// The earliest time at which automation may raise the level; absent at level 1, and where automation only
    /// observes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Timestamp")]
    pub recovery_allowed_at: Option<Timestamp>,
    /// The execution that carried it out, to be joined with the account's own trail.
    pub execution: String,
}

impl CommandRecord {
    /// What an execution of this record's name comes to when it is started again with `request`, while the
    /// level is `level`: nothing, because the command was carried out.
    ///
    /// # Errors
    /// The request is another one: it would be taken for done and never happen.
    pub fn repeated(&self, request: &TransitionRequest, level: Level) -> Result<Decision, InvalidRequest> {
        let Self { at, reason, .. } = self;
        if self.request.clone().as_recorded() != request.clone().as_recorded() {
            return Err(InvalidRequest(format!(
                "the execution's name was used at {at} for another command ({reason}): start this one under a name of \
                 its own"
            )));
        }
        let reason = format!(
            "an execution of this name has carried out its command already, at {at} ({reason}); another command needs \
             another name"
        );
        Ok(Decision::nothing(level, reason))
    }
}

/// What records of either kind say about the state that was written with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastKnown {
    /// The version; first, because the newest record is the one with the highest.
    pub version: u64,
    /// The epoch.
    pub epoch: u64,
    /// The level.
    #[serde(rename = "to")]
    pub level: Level,
}

impl LastKnown {
    /// Whether the numbers may be those of a record that a write left, and that another one can follow.
    ///
    /// # Errors
    /// Names the attribute and what would fit.
    pub fn check(&self) -> Result<(), String> {
        let Self { version, epoch, .. } = self;
        if *version >= HIGHEST_VERSION {
            return Err(format!("`version` is {version}: it should be below {HIGHEST_VERSION}"));
        }
        if epoch > version {
            return Err(format!("`epoch` is {epoch}: it should not be above `version`, which is {version}"));
        }
        Ok(())
    }

    /// Whether `state` is an old copy: older than what a record says was written.
    #[must_use]
    pub const fn is_ahead_of(&self, state: &SystemState) -> bool {
        self.version > state.version || self.epoch > state.epoch
    }

    /// A state to go on from where the stored one is lost: nothing but level, epoch and version is
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
