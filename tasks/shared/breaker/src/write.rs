//! The one way in which the state changes: a conditional transaction.
//!
//! The conditions are data, so that the table in `DynamoDB` and the table of the model checker check the same ones.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::records::{CommandRecord, TransitionRecord, command_key, transition_key};
use crate::state::SystemState;
use crate::validation::InvalidAttribute;
use crate::validation::object::tagged;

/// The key of the state item.
pub const STATE_KEY: &str = "system-state";

/// The stored content that a write expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum Expected {
    /// Neither a state nor a record.
    FirstStart,
    /// The state that was read. The condition has the epoch and the version: a repaired state may repeat a version,
    /// because writes of counts leave no record, but never an epoch.
    Version {
        /// The version of that state.
        version: u64,
        /// The epoch of that state.
        epoch: u64,
    },
    /// A missing or corrupt state, and no record newer than the one that the repair continues after.
    Repair,
}

/// Input of `write-state`: one conditional transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateWrite {
    /// The stored content that the write expects.
    #[serde(deserialize_with = "tagged")]
    pub expected: Expected,
    /// The state to store.
    pub state: SystemState,
    /// The transition's record; absent if the level stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionRecord>,
    /// The command's record; absent if no operator gave a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandRecord>,
}

/// The parts of a write as they are read, before they are checked.
#[derive(Deserialize)]
#[serde(remote = "StateWrite", rename_all = "camelCase", deny_unknown_fields)]
struct Unchecked {
    #[serde(deserialize_with = "tagged")]
    expected: Expected,
    state: SystemState,
    #[serde(default)]
    transition: Option<TransitionRecord>,
    #[serde(default)]
    command: Option<CommandRecord>,
}

impl<'de> Deserialize<'de> for StateWrite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let write = Unchecked::deserialize(deserializer)?;
        write.check().map_err(D::Error::custom)?;
        Ok(write)
    }
}

/// One item of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemWrite<'a> {
    /// Key of the item.
    pub key: String,
    /// Content of the item.
    pub content: Content<'a>,
    /// The condition on what is stored under the key.
    pub condition: Condition,
}

/// The content of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// The state.
    State(&'a SystemState),
    /// The record of the first start, which never expires.
    FirstStart(Box<TransitionRecord>),
    /// A transition's record.
    Transition(&'a TransitionRecord),
    /// A command's record.
    Command(&'a CommandRecord),
}

/// The condition on what is stored under an item's key. The transaction fails if it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is stored.
    Absent,
    /// A state of this version and epoch is stored.
    StateAt {
        /// The version.
        version: u64,
        /// The epoch.
        epoch: u64,
    },
    /// No condition: another item of the transaction guards this one.
    Anything,
}

/// Identifies the write that stored an item. Every item has these attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// ARN of the execution that wrote the item.
    pub execution: String,
    /// The version of the state that was written.
    pub version: u64,
}

/// The reason why a transaction was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another execution wrote first.
    Conflict,
    /// The state is as expected, but the record of the epoch that the write begins exists already: the state item is
    /// older than its history. An old copy of the item was restored, for example.
    Behind,
}

impl StateWrite {
    /// Returns why the transaction was refused. `failed` says for each of [`StateWrite::items`] whether its condition
    /// failed.
    #[must_use]
    pub fn refusal(&self, failed: &[bool]) -> Refusal {
        let failed_items: Vec<_> =
            self.items().into_iter().zip(failed).filter(|(_, failed)| **failed).map(|(item, _)| item.content).collect();
        let only_transition = matches!(failed_items.as_slice(), [Content::Transition(_)]);
        if only_transition && matches!(self.expected, Expected::Version { .. }) {
            Refusal::Behind
        } else {
            Refusal::Conflict
        }
    }

    /// Returns the items of the transaction. Either all are written or none.
    #[must_use]
    pub fn items(&self) -> Vec<ItemWrite<'_>> {
        let condition = match self.expected {
            Expected::FirstStart => Condition::Absent,
            Expected::Version { version, epoch } => Condition::StateAt { version, epoch },
            // The transition's record is the guard: the execution that repaired or moved first has taken its key.
            Expected::Repair => Condition::Anything,
        };
        let mut items = vec![ItemWrite { key: STATE_KEY.to_owned(), content: Content::State(&self.state), condition }];
        let mut record = |key, content| items.push(ItemWrite { key, content, condition: Condition::Absent });
        if self.expected == Expected::FirstStart {
            let first = TransitionRecord::first_start(self.state.last_updated, &self.state.execution);
            record(transition_key(0), Content::FirstStart(Box::new(first)));
        }
        if let Some(transition) = &self.transition {
            record(transition_key(transition.epoch), Content::Transition(transition));
        }
        if let Some(command) = &self.command {
            record(command_key(&command.name), Content::Command(command));
        }
        items
    }

    /// Returns the key of the item that proves which execution carried out this write: a record if the write has one,
    /// because records are never overwritten, else the state. If the write is refused and that item is this write's,
    /// the write succeeded earlier and its reply was lost.
    #[must_use]
    pub fn proof_key(&self) -> String {
        match (&self.command, &self.transition) {
            (Some(command), _) => command_key(&command.name),
            (None, Some(transition)) => transition_key(transition.epoch),
            (None, None) => STATE_KEY.to_owned(),
        }
    }

    /// Whether this write stored the item under [`StateWrite::proof_key`], from which `stamp` was read. The version
    /// distinguishes this write from that of another run of the same execution.
    #[must_use]
    pub fn is_proven_by(&self, stamp: &Stamp) -> bool {
        *stamp == Stamp { execution: self.state.execution.clone(), version: self.state.version }
    }

    /// Checks that the parts are consistent with each other, as in the output of every evaluation.
    ///
    /// # Errors
    /// Names the field that does not fit.
    pub fn check(&self) -> Result<(), InvalidAttribute> {
        let state = &self.state;
        let fits = |field: &str, found: u64, wanted: u64| {
            if found == wanted {
                Ok(())
            } else {
                Err(InvalidAttribute::new(field, format!("is {found}, but {wanted} would fit")))
            }
        };
        state.check().map_err(|problem| problem.within("state"))?;
        let begins_epoch = u64::from(self.transition.is_some());
        match self.expected {
            Expected::FirstStart => {
                fits("state.version", state.version, 1)?;
                fits("state.epoch", state.epoch, begins_epoch)?;
            }
            Expected::Version { version, epoch } => {
                fits("state.version", state.version, version.saturating_add(1))?;
                fits("state.epoch", state.epoch, epoch.saturating_add(begins_epoch))?;
            }
            Expected::Repair if self.transition.is_none() => {
                return Err(InvalidAttribute::new("transition", "is missing"));
            }
            Expected::Repair => {}
        }
        if let Some(transition) = &self.transition {
            fits("transition.epoch", transition.epoch, state.epoch)?;
            fits("transition.version", transition.version, state.version)?;
            fits("transition.to", transition.to.number().into(), state.current_level.number().into())?;
        }
        self.command.as_ref().map_or(Ok(()), |command| fits("command.version", command.version, state.version))
    }
}
