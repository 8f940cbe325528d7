//! The records of transitions, read from a table that leaves some out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{TransitionRecord, transition_key};
use common::stubs::{DynamoDb, Reply, attributes, state_table};
use jiff::Timestamp;
use platform::state_store::HistoryReader;
use serde_json::json;

/// A record as `DynamoDB` answers it.
fn record(epoch: u64) -> serde_json::Value {
    let first = TransitionRecord::first_start(Timestamp::UNIX_EPOCH, "arn:execution");
    let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(TransitionRecord { epoch, ..first }).unwrap();
    item.insert("pk".to_owned(), AttributeValue::S(transition_key(epoch)));
    attributes(item)
}

#[tokio::test]
async fn records_that_a_throttled_table_leaves_out_are_asked_for_again_after_growing_pauses() {
    let keys = json!({"Keys": [{"pk": {"S": transition_key(1)}}, {"pk": {"S": transition_key(2)}}]});
    let left_out = json!({"Responses": {"state": []}, "UnprocessedKeys": {"state": keys}});
    let dynamodb = DynamoDb::start(Reply::json(200, &left_out));
    let table = state_table(&format!("http://{}", dynamodb.stub.address)).await;
    let begun = Instant::now();
    let enough = async {
        while dynamodb.reads() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let all = json!({"Responses": {"state": [record(1), record(2)]}, "UnprocessedKeys": {}});
        dynamodb.answers(Reply::json(200, &all));
    };
    let (records, ()) = tokio::join!(table.transitions(2, 2), enough);
    let epochs: Vec<_> = records.unwrap().iter().map(|record| record.epoch).collect();
    assert_eq!(epochs, [2, 1]);
    // Before the second and the third question, of which the stub saw both.
    assert!(begun.elapsed() >= Duration::from_millis(50 + 100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_record_that_makes_no_sense_is_named_by_its_key() {
    let mut garbled = record(7);
    garbled["to"] = json!({"S": "three"});
    let all = json!({"Responses": {"state": [garbled]}, "UnprocessedKeys": {}});
    let dynamodb = DynamoDb::start(Reply::json(200, &all));
    let table = state_table(&format!("http://{}", dynamodb.stub.address)).await;
    let problem = table.transitions(7, 1).await.unwrap_err().to_string();
    assert!(problem.contains(&transition_key(7)) && problem.contains("`to`"), "{problem}");
}
