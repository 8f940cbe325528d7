//! The one way in which the state changes: a conditional transaction.
//!
//! The conditions are data, so that the table in `DynamoDB` and the one of the model checker obey the
//! same ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
        /// Its version.
        version: u64,
        /// Its epoch.
        epoch: u64,
    },
    /// A missing or corrupt state, and no record newer than the one that the repair continues after.
    Repair,
}

/// Input of `write-state`: one conditional transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// One item of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemWrite<'a> {
    /// Its key.
    pub key: String,
    /// Its content.
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
    /// Nothing.
    Absent,
    /// A state of this version and epoch.
    StateAt {
        /// The version.
        version: u64,
        /// The epoch.
        epoch: u64,
    },
    /// Anything: another item of the transaction guards it.
    Anything,
}

/// The write that an item came with; every item carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The execution that wrote.
    pub execution: String,
    /// The version of the state that was written.
    pub version: u64,
}

/// Why a transaction whose conditions did not hold was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another execution wrote first.
    Conflict,
    /// The state is as expected, but the record of the epoch that was to begin exists: the state item
    /// is older than its own history, as after restoring an old copy of it.
    Behind,
}

impl StateWrite {
    /// Why the transaction was refused, from which of its items' conditions failed, in their order.
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

    /// The items of the transaction: all are written, or none.
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

    /// Whether the item under [`StateWrite::proof_key`] that `stamp` was read from is this write's. The
    /// version tells it from what another run of the same execution wrote.
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
