//! The records in `DynamoDB`, by the index `by-time`.

use std::collections::HashMap;

use aws_edge::stores::state::MAX_TRANSITIONS;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{RecordReader, Records, SourceError};

/// The index, and its attributes.
const INDEX: &str = "by-time";
/// Number of commands that are read: enough for the holds of a day.
const MAX_COMMANDS: u64 = 20;

/// The records of a table.
#[derive(Clone, Debug)]
pub struct RecordTable {
    client: Client,
    table: String,
}

impl RecordTable {
    /// The records of the table called `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Returns the newest items of a kind. A query of the index costs less than reading as many items by their keys, and
    /// needs no epoch.
    async fn newest(&self, kind: &str, limit: u64) -> Result<Vec<HashMap<String, AttributeValue>>, SourceError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("#kind = :kind")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_values(":kind", AttributeValue::S(kind.to_owned()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        Ok(answer.items.unwrap_or_default())
    }
}

/// Parses items, and counts those that are invalid.
fn parsed<T: DeserializeOwned>(items: Vec<HashMap<String, AttributeValue>>) -> (Vec<T>, u64) {
    let mut left_out = 0;
    let mut records = Vec::new();
    for item in items {
        let key = item.get("pk").and_then(|key| key.as_s().ok()).cloned().unwrap_or_default();
        let value = serde_dynamo::from_item::<_, Value>(item).ok();
        if let Some(record) = value.and_then(|value| serde_json::from_value(value).ok()) {
            records.push(record);
        } else {
            tracing::warn!(record.key = key, "invalid record left out");
            left_out += 1;
        }
    }
    (records, left_out)
}

impl RecordReader for RecordTable {
    async fn records(&self) -> Result<Records, SourceError> {
        let (transitions, commands) =
            tokio::try_join!(self.newest("transition", MAX_TRANSITIONS), self.newest("command", MAX_COMMANDS))?;
        let (transitions, left_out) = parsed(transitions);
        Ok(Records { transitions, commands: parsed(commands).0, left_out })
    }
}

#[cfg(test)]
mod tests {
    use breaker::TransitionRecord;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_invalid_record_is_left_out_and_counted() {
        let record = TransitionRecord::first_start(Timestamp::UNIX_EPOCH, "arn:execution");
        let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&record).unwrap();
        let mut corrupt = item.clone();
        corrupt.insert("to".to_owned(), AttributeValue::S("three".to_owned()));
        assert_eq!(parsed::<TransitionRecord>(vec![item, corrupt]), (vec![record], 1));
    }
}
