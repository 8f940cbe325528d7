//! The records of transitions, read from a table that leaves some out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use aws_edge::stores::state::HistoryReader;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{TransitionRecord, transition_key};
use common::stubs::{DynamoDb, Reply, attributes, state_table};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

/// A record as `DynamoDB` answers it.
fn record(epoch: u64) -> serde_json::Value {
    let first = TransitionRecord::first_start(Timestamp::UNIX_EPOCH, "arn:execution");
    let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(TransitionRecord { epoch, ..first }).unwrap();
    item.insert("pk".to_owned(), AttributeValue::S(transition_key(epoch)));
    attributes(item)
}

#[tokio::test]
async fn unprocessed_records_are_read_again_with_backoff() {
    let keys = json!({"Keys": [{"pk": {"S": transition_key(1)}}, {"pk": {"S": transition_key(2)}}]});
    let left_out = json!({"Responses": {"state": []}, "UnprocessedKeys": {"state": keys}});
    let dynamodb = DynamoDb::start(Reply::json(200, &left_out));
    let table = state_table(&format!("http://{}", dynamodb.stub.address));
    let begun = Instant::now();
    let enough = async {
        while dynamodb.reads() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let all = json!({"Responses": {"state": [record(1), record(2)]}, "UnprocessedKeys": {}});
        dynamodb.answers(Reply::json(200, &all));
    };
    let (records, ()) = tokio::join!(table.transitions(2, 2), enough);
    let epochs: Vec<_> = records.unwrap().records.iter().map(|record| record.epoch).collect();
    assert_eq!(epochs, [2, 1]);
    // The pauses before the second and the third read.
    assert!(begun.elapsed() >= Duration::from_millis(50 + 100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_invalid_record_is_left_out_and_counted() {
    let mut corrupt = record(7);
    corrupt["to"] = json!({"S": "three"});
    let all = json!({"Responses": {"state": [record(6), corrupt, record(8)]}, "UnprocessedKeys": {}});
    let dynamodb = DynamoDb::start(Reply::json(200, &all));
    let table = state_table(&format!("http://{}", dynamodb.stub.address));
    let found = table.transitions(8, 3).await.unwrap();
    let epochs: Vec<_> = found.records.iter().map(|record| record.epoch).collect();
    assert_eq!((epochs.as_slice(), found.left_out), (&[8, 6][..], 1));
}
