//! Follows the transitions of a deployment.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_edge::stores::state::{StateReader, StateTable, Stored};
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{TransitionRecord, transition_key};

/// Default time between two reads of the table.
const INTERVAL: Duration = Duration::from_millis(200);

/// Follows the transitions of one deployment without missing any.
#[derive(Debug)]
pub struct Watch {
    client: aws_sdk_dynamodb::Client,
    table: String,
    next_epoch: u64,
    interval: Duration,
}

impl Watch {
    /// Returns a watch of the state table `table` that begins with its first transition.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        let client = aws_sdk_dynamodb::Client::new(config);
        Self { client, table: table.to_owned(), next_epoch: 1, interval: INTERVAL }
    }

    /// Returns the watch with another time between two reads.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Waits for the next transition.
    ///
    /// # Errors
    /// The table holds an invalid record.
    pub async fn next(&mut self) -> Result<TransitionRecord> {
        loop {
            if let Some(record) = self.record(self.next_epoch).await? {
                self.next_epoch += 1;
                return Ok(record);
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Returns the record of an epoch, or `None` if the epoch has not begun or the server does not answer.
    ///
    /// # Errors
    /// The record is invalid.
    pub async fn record(&self, epoch: u64) -> Result<Option<TransitionRecord>> {
        let key = AttributeValue::S(transition_key(epoch));
        let answer = self.client.get_item().table_name(&self.table).key("pk", key).consistent_read(true).send().await;
        let Ok(Some(item)) = answer.map(|answer| answer.item) else { return Ok(None) };
        let record: serde_json::Value = serde_dynamo::from_item(item)?;
        Ok(Some(serde_json::from_value(record).context("a transition's record is invalid")?))
    }

    /// Returns the present state.
    ///
    /// # Errors
    /// The item is missing or invalid.
    pub async fn state(&self) -> Result<breaker::SystemState> {
        match StateTable::new(self.client.clone(), self.table.clone()).read().await? {
            Stored::State(state) => Ok(*state),
            stored => anyhow::bail!("there is no state to follow: {stored:?}"),
        }
    }
}

/// Formats a transition as one line.
#[must_use]
pub fn line(record: &TransitionRecord) -> String {
    let time = record.at.strftime("%H:%M:%S");
    format!("{time}  level {} -> {}  {}", record.from, record.to, record.reason)
}
