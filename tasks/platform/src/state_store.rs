//! The state table.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use breaker::contract::{StateWrite, TransitionRecord};
use breaker::{SCHEMA_VERSION, SystemState};
use jiff::SignedDuration;
use serde::Serialize;

type Item = HashMap<String, AttributeValue>;

/// The key of the state item.
pub const STATE_KEY: &str = "system-state";

/// The key of a transition's record. Padded, so that keys sort as epochs do.
#[must_use]
pub fn record_key(epoch: u64) -> String {
    format!("transition#{epoch:010}")
}

/// What the table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A state.
    State(Box<SystemState>),
    /// Nothing at all: a first start.
    Nothing,
    /// No state, but a history: the state was lost.
    Lost,
}

/// The table did not answer, or what it holds makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// A write that did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The stored version is not the expected one.
    #[error("the stored state is not at version {expected}: somebody else wrote first")]
    Conflict {
        /// The version that was expected.
        expected: u64,
    },
    /// The table did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the state.
pub trait StateReader {
    /// What the table holds now.
    fn read(&self) -> impl Future<Output = Result<Stored, StoreError>> + Send;
}

/// Writes the state: the narrow door through which all changes go.
pub trait StateWriter {
    /// Stores the state and its records in one transaction, if the expected version is stored.
    fn write(&self, write: &StateWrite) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// The state table in `DynamoDB`.
#[derive(Clone, Debug)]
pub struct StateTable {
    client: Client,
    table: String,
    consistent_read: bool,
    record_retention: SignedDuration,
}

/// Records are kept for 400 days unless a setting says otherwise.
pub const DEFAULT_RETENTION_DAYS: i64 = 400;

impl StateTable {
    /// The table called `table`. Reads see every write that was answered before.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        let record_retention = SignedDuration::from_hours(24 * DEFAULT_RETENTION_DAYS);
        Self { client, table, consistent_read: true, record_retention }
    }

    /// Reads that may be a moment behind, at half the price: enough for routing.
    #[must_use]
    pub fn eventually_consistent(self) -> Self {
        Self { consistent_read: false, ..self }
    }

    /// Keeps new records for so long.
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
            .map_err(|error| StoreError(format!("the state table cannot be read: {}", DisplayErrorContext(&error))))?;
        Ok(answer.item)
    }

    fn put(
        &self,
        key: String,
        content: &impl Serialize,
    ) -> Result<aws_sdk_dynamodb::types::builders::PutBuilder, StoreError> {
        let mut item: Item = serde_dynamo::to_item(content)
            .map_err(|error| StoreError(format!("{key} cannot be written as an item: {error}")))?;
        item.insert("pk".to_owned(), AttributeValue::S(key));
        Ok(Put::builder().table_name(&self.table).set_item(Some(item)))
    }

    fn state_put(&self, write: &StateWrite) -> Result<TransactWriteItem, StoreError> {
        let put = self.put(STATE_KEY.to_owned(), &write.state)?;
        let put = if write.expected_version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("#version = :expected")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":expected", AttributeValue::N(write.expected_version.to_string()))
        };
        transaction_part(put)
    }

    fn record_put(&self, record: &TransitionRecord) -> Result<TransactWriteItem, StoreError> {
        let mut put = self.put(record_key(record.epoch), record)?;
        // Record 0 marks that there is a history, so it never expires.
        if record.epoch > 0 {
            let expires = record.at.as_second().saturating_add(self.record_retention.as_secs());
            put = put.item("ttl", AttributeValue::N(expires.to_string()));
        }
        transaction_part(put.condition_expression("attribute_not_exists(pk)"))
    }
}

fn transaction_part(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<TransactWriteItem, StoreError> {
    let put = put.build().map_err(|error| StoreError(format!("an item cannot be written: {error}")))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Reads the state item, naming the attribute that makes no sense.
///
/// # Errors
/// An attribute that is missing or has a wrong type.
pub fn state_from_item(item: Item) -> Result<SystemState, StoreError> {
    let value: serde_json::Value =
        serde_dynamo::from_item(item).map_err(|error| StoreError(format!("the state item is unreadable: {error}")))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        StoreError(format!("the state item makes no sense: attribute `{path}`: {}", error.into_inner()))
    })
}

impl StateReader for StateTable {
    async fn read(&self) -> Result<Stored, StoreError> {
        if let Some(item) = self.item(STATE_KEY).await? {
            return state_from_item(item).map(|state| Stored::State(Box::new(state)));
        }
        let history = self.item(&record_key(0)).await?;
        Ok(if history.is_some() { Stored::Lost } else { Stored::Nothing })
    }
}

impl StateWriter for StateTable {
    async fn write(&self, write: &StateWrite) -> Result<(), WriteError> {
        if write.state.schema_version > SCHEMA_VERSION {
            return Err(StoreError(newer_schema(&write.state)).into());
        }
        let mut parts = vec![self.state_put(write)?];
        if write.expected_version == 0 {
            let state = &write.state;
            parts.push(self.record_put(&TransitionRecord::first_start(state.last_updated, &state.execution))?);
        }
        if let Some(record) = &write.record {
            parts.push(self.record_put(record)?);
        }
        let sent = self.client.transact_write_items().set_transact_items(Some(parts)).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_conflict(&error) => Err(WriteError::Conflict { expected: write.expected_version }),
            Err(error) => {
                Err(StoreError(format!("the state table cannot be written: {}", DisplayErrorContext(&error))).into())
            }
        }
    }
}

/// Why a state with a newer layout is left alone.
#[must_use]
pub fn newer_schema(state: &SystemState) -> String {
    format!(
        "the state item has schemaVersion {}, and this version knows {SCHEMA_VERSION}: deploy the newer version",
        state.schema_version
    )
}

fn is_conflict(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    cancelled
        .cancellation_reasons()
        .iter()
        .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
}
