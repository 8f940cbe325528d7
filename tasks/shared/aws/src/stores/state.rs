//! The state table.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use breaker::validation::object::Objects;
use breaker::{
    COMMAND_PREFIX, CommandRecord, CorruptState, InvalidAttribute, LastKnown, NewerState, Refusal, SCHEMA_VERSION,
    STATE_KEY, Stamp, StateWrite, SystemState, TRANSITION_PREFIX, TransitionRecord, command_key, epoch_of_key,
    transition_key, without_content,
};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_dynamo::Deserializer;

use crate::call_error::CallError;
use crate::stores::refusal::refusal;
use crate::stores::transaction::transaction_item;

pub use crate::stores::store_error::{CorruptRecord, StoreError};
pub use breaker::Stored;

pub use crate::stores::transaction::{BY_TIME, COMMAND, KIND, TIME, TRANSITION, indexed_time};

type Item = HashMap<String, AttributeValue>;

/// A write that did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A condition of the transaction does not hold, or another transaction is writing the same items.
    #[error("another execution wrote first")]
    Conflict,
    /// The state item is older than its own history.
    #[error("the record of epoch {epoch} exists already: the state item is older than its history")]
    Behind {
        /// The epoch that was to begin.
        epoch: u64,
    },
    /// The table did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the state.
pub trait StateReader {
    /// Returns the content of the table.
    fn read(&self) -> impl Future<Output = Result<Stored, StoreError>> + Send;
}

/// Reads command records.
pub trait CommandReader {
    /// Returns the record of the command that an execution of this name carried out.
    fn command(&self, execution_name: &str) -> impl Future<Output = Result<Option<CommandRecord>, StoreError>> + Send;
}

/// Transitions of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transitions {
    /// The valid records, newest first.
    pub records: Vec<TransitionRecord>,
    /// Number of requested records that are missing or invalid.
    pub left_out: u64,
}

/// Reads the transitions of the past.
pub trait HistoryReader {
    /// Returns the records of at most `count` transitions up to `epoch`. An invalid record is left out and counted,
    /// because it cannot be repaired and the others are useful.
    fn transitions(&self, epoch: u64, count: u64) -> impl Future<Output = Result<Transitions, StoreError>> + Send;
}

/// Reads the records to continue after if the state is missing or corrupt.
pub trait LastKnownReader {
    /// Returns the content of the newest record; `None` if there is no record.
    fn last_known(&self) -> impl Future<Output = Result<Option<LastKnown>, StoreError>> + Send;
}

/// Writes the state. Every change goes through this port.
pub trait StateWriter {
    /// Stores the items of the write in one transaction, if all their conditions hold.
    fn write(&self, write: &StateWrite) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Returns the stamp of the write that stored the item under `key`.
    fn stamp_of(&self, key: &str) -> impl Future<Output = Result<Option<Stamp>, StoreError>> + Send;
}

/// The state table in `DynamoDB`.
#[derive(Clone, Debug)]
pub struct StateTable {
    client: Client,
    table: String,
    consistent_read: bool,
    record_retention: SignedDuration,
}

/// Maximum number of transitions in one answer; also the maximum number of keys that `DynamoDB` reads at once.
pub const MAX_TRANSITIONS: u64 = 100;

/// Pause before reading again the keys that a throttled table left out; doubled each time. The caller limits the whole
/// time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Maximum of that pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Default retention of records: 400 days.
pub const DEFAULT_RETENTION_DAYS: i64 = 400;

impl StateTable {
    /// Returns the store of `table` with strongly consistent reads.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        let record_retention = SignedDuration::from_hours(24 * DEFAULT_RETENTION_DAYS);
        Self { client, table, consistent_read: true, record_retention }
    }

    /// Makes reads eventually consistent, at half the price. That is enough for routing.
    #[must_use]
    pub fn eventually_consistent(self) -> Self {
        Self { consistent_read: false, ..self }
    }

    /// Sets the retention of new records.
    #[must_use]
    pub fn keeping_records_for(self, record_retention: SignedDuration) -> Self {
        Self { record_retention, ..self }
    }

    async fn item(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(key.to_owned()))
            .consistent_read(self.consistent_read)
            .send()
            .await
            .map_err(unreadable)?;
        Ok(answer.item)
    }
}

fn unreadable(error: impl Into<CallError>) -> StoreError {
    StoreError::Unreadable(error.into())
}

/// Parses the state item. If it is corrupt, names the attribute.
#[must_use]
pub fn stored_from_item(item: Item) -> Stored {
    if let Some(newer) = newer_state(&item) {
        return Stored::Newer(newer);
    }
    // The item is the product's own data, so the error may quote it.
    let checked = typed::<SystemState>(item, ToString::to_string).and_then(|state| {
        state.check_written()?;
        Ok(state)
    });
    match checked {
        Ok(state) => Stored::State(Box::new(state)),
        Err(problem) => Stored::Unreadable(CorruptState(problem)),
    }
}

fn number(item: &Item, attribute: &str) -> Option<u64> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

fn key_of(item: &Item) -> &str {
    item.get("pk").and_then(|key| key.as_s().ok()).map_or("without a key", String::as_str)
}

/// Returns the content of the newest valid record. An invalid record is skipped, because it cannot be repaired and must
/// not prevent the repair of the state. The epochs still continue after every record's key, valid or not.
///
/// # Errors
/// All records are invalid. The message names one of them.
pub fn last_known_of(records: impl IntoIterator<Item = Item>) -> Result<Option<LastKnown>, StoreError> {
    let (mut newest, mut newest_epoch, mut corrupt) = (None, 0, None);
    for record in records {
        let epoch = epoch_of_key(key_of(&record));
        newest_epoch = newest_epoch.max(epoch.unwrap_or_default());
        match known_from(record, epoch) {
            Ok(known) => newest = newest.max(Some(known)),
            Err(problem) => {
                tracing::warn!(error.message = %problem, "a corrupt record is skipped");
                corrupt = Some(problem);
            }
        }
    }
    match (newest, corrupt) {
        (None, Some(corrupt)) => Err(StoreError::NoValidRecord(corrupt)),
        (newest, _) => Ok(newest.map(|LastKnown { version, epoch, level }| {
            let epoch = epoch.max(newest_epoch);
            LastKnown { version: version.max(epoch), epoch, level }
        })),
    }
}

/// Parses one record. `epoch` is the epoch in its key if it is a transition record, because later writes are checked
/// against the key.
fn known_from(mut record: Item, epoch: Option<u64>) -> Result<LastKnown, CorruptRecord> {
    if let Some(epoch) = epoch {
        record.insert("epoch".to_owned(), AttributeValue::N(epoch.to_string()));
    }
    let key = key_of(&record).to_owned();
    let corrupt = |problem| CorruptRecord { key: key.clone(), problem };
    if epoch.is_none() && !key.starts_with(COMMAND_PREFIX) {
        return Err(corrupt(InvalidAttribute::new("pk", "is not a record's key")));
    }
    let known: LastKnown = record_of(record)?;
    known.check().map_err(corrupt)?;
    Ok(known)
}

fn newer_state(item: &Item) -> Option<NewerState> {
    let schema_version = number(item, "schemaVersion")?;
    let level = u8::try_from(number(item, "currentLevel")?).ok()?;
    (schema_version > SCHEMA_VERSION.into())
        .then_some(NewerState { schema_version, current_level: level.try_into().ok()? })
}

fn record_of<T: DeserializeOwned>(item: Item) -> Result<T, CorruptRecord> {
    let key = key_of(&item).to_owned();
    typed(item, without_content).map_err(|problem| CorruptRecord { key, problem })
}

/// Parses an item. `told` converts an error to the part of it that may be logged.
fn typed<T: DeserializeOwned>(item: Item, told: fn(&serde_dynamo::Error) -> String) -> Result<T, InvalidAttribute> {
    let map = serde_dynamo::AttributeValue::M(serde_dynamo::Item::from(item).into_inner());
    serde_path_to_error::deserialize(Objects::new(Deserializer::from_attribute_value(map)))
        .map_err(|error| InvalidAttribute::from_error(&error, told))
}

impl StateReader for StateTable {
    async fn read(&self) -> Result<Stored, StoreError> {
        if let Some(item) = self.item(STATE_KEY).await? {
            return Ok(stored_from_item(item));
        }
        if self.item(&transition_key(0)).await?.is_none() {
            return Ok(Stored::Nothing);
        }
        // The state and its record may have been written since the first read.
        Ok(self.item(STATE_KEY).await?.map_or(Stored::Lost, stored_from_item))
    }
}

impl CommandReader for StateTable {
    async fn command(&self, execution_name: &str) -> Result<Option<CommandRecord>, StoreError> {
        let Some(item) = self.item(&command_key(execution_name)).await? else { return Ok(None) };
        record_of(item).map(Some).map_err(StoreError::CorruptCommand)
    }
}

impl HistoryReader for StateTable {
    async fn transitions(&self, epoch: u64, count: u64) -> Result<Transitions, StoreError> {
        let oldest = epoch.saturating_add(1).saturating_sub(count.min(MAX_TRANSITIONS));
        let keys = (oldest..=epoch)
            .map(|epoch| Item::from([("pk".to_owned(), AttributeValue::S(transition_key(epoch)))]))
            .collect();
        let mut wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .build()
            .map_err(|error| StoreError::Invalid(format!("the records cannot be asked for: {error}")))?;
        let mut found = Transitions::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let answer =
                self.client.batch_get_item().request_items(&self.table, wanted).send().await.map_err(unreadable)?;
            for item in answer.responses.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default() {
                match record_of::<TransitionRecord>(item) {
                    Ok(record) => found.records.push(record),
                    Err(problem) => {
                        tracing::warn!(error.message = %problem, "a record is left out of the history");
                        found.left_out += 1;
                    }
                }
            }
            // Keys that the answer left out are read again.
            match answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table)) {
                Some(rest) if !rest.keys().is_empty() => wanted = rest,
                _ => break,
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        found.records.sort_by_key(|record| std::cmp::Reverse(record.epoch));
        Ok(found)
    }
}

impl LastKnownReader for StateTable {
    async fn last_known(&self) -> Result<Option<LastKnown>, StoreError> {
        // A scan, because a query by key cannot find the newest record. The table is small, and a repair is rare.
        let pages = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("begins_with(pk, :transition) OR begins_with(pk, :command)")
            .expression_attribute_values(":transition", AttributeValue::S(TRANSITION_PREFIX.to_owned()))
            .expression_attribute_values(":command", AttributeValue::S(COMMAND_PREFIX.to_owned()))
            .projection_expression("pk, #version, #epoch, #to")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_names("#to", "to")
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> = pages.collect::<Result<_, _>>().await.map_err(unreadable)?;
        last_known_of(items)
    }
}

impl StateWriter for StateTable {
    async fn write(&self, write: &StateWrite) -> Result<(), WriteError> {
        let items = write.items().into_iter().map(|item| transaction_item(&self.table, self.record_retention, item));
        let items = items.collect::<Result<_, _>>()?;
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(()) };
        Err(match refusal(write, &error) {
            Some(Refusal::Conflict) => WriteError::Conflict,
            Some(Refusal::Behind) => WriteError::Behind { epoch: write.state.epoch },
            None => StoreError::Unwritable(error.into()).into(),
        })
    }

    async fn stamp_of(&self, key: &str) -> Result<Option<Stamp>, StoreError> {
        let Some(item) = self.item(key).await? else { return Ok(None) };
        let execution = item.get("execution").and_then(|value| value.as_s().ok()).cloned();
        Ok(execution.zip(number(&item, "version")).map(|(execution, version)| Stamp { execution, version }))
    }
}
