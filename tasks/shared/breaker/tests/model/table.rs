//! The state table: keys, items, and transactions that obey the conditions of the real writes.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use breaker::{
    COMMAND_PREFIX, CommandRecord, Condition, Content, LastKnown, Level, STATE_KEY, Stamp, Stored, SystemState,
    TRANSITION_PREFIX, TransitionRecord, command_key, transition_key,
};
use serde::Serialize;

/// A shared value that is compared by a digest of its content.
pub struct Told<T> {
    value: Arc<T>,
    digest: u64,
}

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), digest: self.digest }
    }
}

impl<T: Serialize> Told<T> {
    pub fn new(value: T) -> Self {
        let mut hasher = DefaultHasher::new();
        serde_json::to_vec(&value).unwrap().hash(&mut hasher);
        Self { value: Arc::new(value), digest: hasher.finish() }
    }
}

impl<T> std::ops::Deref for Told<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for Told<T> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl<T> Hash for Told<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Told<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// The content of an item.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Held {
    State(Told<SystemState>),
    Transition(Told<TransitionRecord>),
    Command(Told<CommandRecord>),
}

impl Held {
    fn stamp(&self) -> Stamp {
        let (execution, version) = match self {
            Self::State(state) => (&state.execution, state.version),
            Self::Transition(record) => (&record.execution, record.version),
            Self::Command(record) => (&record.execution, record.version),
        };
        Stamp { execution: execution.clone(), version }
    }

    fn last_known(&self) -> Option<LastKnown> {
        match self {
            Self::State(_) => None,
            Self::Transition(record) => {
                Some(LastKnown { version: record.version, epoch: record.epoch, level: record.to })
            }
            Self::Command(record) => Some(LastKnown { version: record.version, epoch: record.epoch, level: record.to }),
        }
    }
}

impl From<&Content<'_>> for Held {
    fn from(content: &Content<'_>) -> Self {
        match content {
            Content::State(state) => Self::State(Told::new((*state).clone())),
            Content::FirstStart(record) => Self::Transition(Told::new((**record).clone())),
            Content::Transition(record) => Self::Transition(Told::new((*record).clone())),
            Content::Command(record) => Self::Command(Told::new((*record).clone())),
        }
    }
}

/// One item, and the number of its writes.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Item {
    pub held: Held,
    pub puts: u8,
}

/// The put of one item, and the rule under which it happens.
pub struct Put {
    pub key: String,
    pub held: Held,
    pub rule: Rule,
}

/// The condition of a put: a real one, or a mutant's.
pub enum Rule {
    Real(Condition),
    LevelOf(Level),
    VersionOf(u64),
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Table {
    /// Shared until a write, because most steps only read.
    items: Arc<BTreeMap<Arc<str>, Item>>,
}

impl Table {
    /// Puts all items, or none if a condition failed. If so, returns for each item in order whether its condition
    /// failed.
    pub fn transact(&mut self, puts: Vec<Put>) -> Result<(), Vec<bool>> {
        let failed: Vec<_> = puts.iter().map(|put| !self.allows(&put.key, &put.rule)).collect();
        if failed.contains(&true) {
            return Err(failed);
        }
        let items = Arc::make_mut(&mut self.items);
        for Put { key, held, .. } in puts {
            let puts = items.get(key.as_str()).map_or(1, |item| item.puts + 1);
            // The version of the state counts its writes already.
            let puts = if key == STATE_KEY { 1 } else { puts };
            items.insert(key.into(), Item { held, puts });
        }
        Ok(())
    }

    fn allows(&self, key: &str, rule: &Rule) -> bool {
        match rule {
            Rule::Real(Condition::Absent) => !self.items.contains_key(key),
            Rule::Real(Condition::StateAt { version, epoch }) => {
                self.state().is_some_and(|state| (state.version, state.epoch) == (*version, *epoch))
            }
            Rule::Real(Condition::Anything) => true,
            Rule::LevelOf(level) => self.state().is_some_and(|state| state.current_level == *level),
            Rule::VersionOf(version) => self.state().is_some_and(|state| state.version == *version),
        }
    }

    /// The state item.
    pub fn state(&self) -> Option<&SystemState> {
        match self.items.get(STATE_KEY).map(|item| &item.held) {
            Some(Held::State(state)) => Some(state),
            _ => None,
        }
    }

    /// Returns what a reader finds in the table.
    pub fn read(&self) -> Stored {
        match self.state() {
            Some(state) => Stored::State(Box::new(state.clone())),
            None if self.items.contains_key(transition_key(0).as_str()) => Stored::Lost,
            None => Stored::Nothing,
        }
    }

    /// The record of the command that an execution of this name carried out.
    pub fn command(&self, execution_name: &str) -> Option<&CommandRecord> {
        match self.items.get(command_key(execution_name).as_str()).map(|item| &item.held) {
            Some(Held::Command(record)) => Some(record),
            _ => None,
        }
    }

    /// Returns the content of the newest record.
    pub fn last_known(&self) -> Option<LastKnown> {
        self.items.values().filter_map(|item| item.held.last_known()).max()
    }

    /// Returns the write that stored the item under `key`.
    pub fn stamp_of(&self, key: &str) -> Option<Stamp> {
        self.items.get(key).map(|item| item.held.stamp())
    }

    /// The record of the transition that began an epoch, and how often it was put.
    pub fn transition(&self, epoch: u64) -> Option<(&TransitionRecord, u8)> {
        let item = self.items.get(transition_key(epoch).as_str())?;
        match &item.held {
            Held::Transition(record) => Some((record, item.puts)),
            _ => None,
        }
    }

    /// How many transitions' records there are.
    pub fn transitions(&self) -> usize {
        self.items.keys().filter(|key| key.starts_with(TRANSITION_PREFIX)).count()
    }

    /// How often each command's record was put.
    pub fn command_puts(&self) -> impl Iterator<Item = u8> {
        self.items.iter().filter(|(key, _)| key.starts_with(COMMAND_PREFIX)).map(|(_, item)| item.puts)
    }

    /// Returns the table with another state, for worlds that do not begin with a first start.
    pub fn with_state(mut self, change: impl Fn(SystemState) -> SystemState) -> Self {
        if let Some(Item { held: Held::State(state), .. }) = Arc::make_mut(&mut self.items).get_mut(STATE_KEY) {
            *state = Told::new(change((**state).clone()));
        }
        self
    }

    /// Deletes the state item, as an accident would.
    pub fn lose_state(&mut self) {
        Arc::make_mut(&mut self.items).remove(STATE_KEY);
    }
}
