//! The records of transitions and of commands in the state table.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::stores::state::{BY_TIME, COMMAND, KIND, TIME, TRANSITION, indexed_time};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{COMMAND_PREFIX, CommandRecord, TransitionRecord};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::errors::call_error;
use crate::ports::{CommandsOfEpoch, Records, RecordsByTime};

type Item = HashMap<String, AttributeValue>;

/// The records in the state table.
#[derive(Clone, Debug)]
pub struct RecordsTable {
    client: Client,
    table: String,
}

impl RecordsTable {
    /// Returns the records of the table `table`.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), table: table.to_owned() }
    }

    /// Returns the newest items of a kind in the index.
    async fn newest(&self, kind: &str, since: Option<Timestamp>, count: usize) -> Result<Vec<Item>, CallError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut call = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_TIME)
            .scan_index_forward(false)
            .limit(i32::try_from(count).unwrap_or(i32::MAX).max(1))
            // Both names are reserved or may become so.
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_values(":kind", text(kind));
        call = match since {
            Some(since) => call
                .key_condition_expression("#kind = :kind AND #time >= :since")
                .expression_attribute_names("#time", TIME)
                .expression_attribute_values(":since", text(&indexed_time(since))),
            None => call.key_condition_expression("#kind = :kind"),
        };
        let mut pages = call.into_paginator().send();
        let mut items = Vec::new();
        while items.len() < count {
            let Some(page) = pages.next().await else { break };
            let what =
                format!("the index {BY_TIME} cannot be read (a record of one epoch is found without it: --epoch)");
            items.extend(page.map_err(|error| call_error(&what, error))?.items.unwrap_or_default());
        }
        items.truncate(count);
        Ok(items)
    }
}

fn records<T: DeserializeOwned>(items: Vec<Item>) -> Records<T> {
    let all = items.len();
    let read = |item| serde_dynamo::from_item::<_, Value>(item).ok().and_then(|item| serde_json::from_value(item).ok());
    let records: Vec<T> = items.into_iter().filter_map(read).collect();
    let left_out = all.saturating_sub(records.len());
    Records { records, left_out: u64::try_from(left_out).unwrap_or(u64::MAX) }
}

impl RecordsByTime for RecordsTable {
    async fn transitions(
        &self,
        since: Option<Timestamp>,
        count: usize,
    ) -> Result<Records<TransitionRecord>, CallError> {
        self.newest(TRANSITION, since, count).await.map(records)
    }

    async fn commands(&self, since: Option<Timestamp>, count: usize) -> Result<Records<CommandRecord>, CallError> {
        self.newest(COMMAND, since, count).await.map(records)
    }
}

impl CommandsOfEpoch for RecordsTable {
    // Neither key nor index has the epoch of a command, so all items are read. A table holds some thousand.
    async fn commands_of(&self, epoch: u64) -> Result<Records<CommandRecord>, CallError> {
        let pages = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("begins_with(pk, :commands) AND #epoch = :epoch")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_values(":commands", AttributeValue::S(COMMAND_PREFIX.to_owned()))
            .expression_attribute_values(":epoch", AttributeValue::N(epoch.to_string()))
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> =
            pages.try_collect().await.map_err(|error| call_error("the commands cannot be read", error))?;
        Ok(records(items))
    }
}
