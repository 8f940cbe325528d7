//! The commands' records in the state table.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{COMMAND_PREFIX, CommandRecord};
use serde_json::Value;

use super::errors::call_error;
use crate::ports::{CallError, CommandsReader};

/// The state table, for reading all commands.
#[derive(Clone, Debug)]
pub struct CommandTable {
    client: Client,
    table: String,
}

impl CommandTable {
    /// The table called `table`.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), table: table.to_owned() }
    }
}

impl CommandsReader for CommandTable {
    // Commands have no order in the table's key, so all items are read. A table holds some thousand.
    async fn commands(&self) -> Result<(Vec<CommandRecord>, u64), CallError> {
        let pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("begins_with(pk, :commands)")
            .expression_attribute_values(":commands", AttributeValue::S(COMMAND_PREFIX.to_owned()))
            .into_paginator()
            .items()
            .send();
        let items: Vec<_> =
            pages.try_collect().await.map_err(|error| call_error("the commands cannot be read", &error))?;
        let read =
            |item| serde_dynamo::from_item::<_, Value>(item).ok().and_then(|item| serde_json::from_value(item).ok());
        let all = items.len();
        let records: Vec<CommandRecord> = items.into_iter().filter_map(read).collect();
        let left_out = all.saturating_sub(records.len());
        Ok((records, u64::try_from(left_out).unwrap_or(u64::MAX)))
    }
}
