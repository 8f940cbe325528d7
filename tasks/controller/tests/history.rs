//! The records of transitions, read from a table that leaves some out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use aws_edge::stores::state::{HistoryReader, StoreError, Transitions};
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{TransitionRecord, transition_key};
use common::stubs::{DynamoDb, Reply, attributes, dynamodb_error, history_table, item, real_controller, state_table};
use common::{Records, TestController, answer, ask, controller, event, stored, with_history};
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
    // Before the second and the third question, of which the stub saw both.
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

/// Two records, as `DynamoDB` answers after this time.
fn records_after(delay: Duration) -> Reply {
    let all = json!({"Responses": {"state": [record(1), record(2)]}, "UnprocessedKeys": {}});
    Reply::After(delay, 200, all.to_string().into_bytes())
}

#[tokio::test]
async fn a_slow_table_has_a_second_for_the_history() {
    let dynamodb = DynamoDb::start(records_after(Duration::from_millis(600)));
    let table = history_table(&format!("http://{}", dynamodb.stub.address));
    assert_eq!(table.transitions(2, 2).await.unwrap().records.len(), 2);
    assert_eq!(dynamodb.reads(), 1, "a slow answer is waited for, not asked for again");

    dynamodb.answers(records_after(Duration::from_millis(1_600)));
    let begun = Instant::now();
    table.transitions(2, 2).await.unwrap_err();
    assert!((Duration::from_millis(950)..Duration::from_millis(1_500)).contains(&begun.elapsed()), "{begun:?}");

    // A read that is refused at once leaves time for a second attempt.
    dynamodb.answers(dynamodb_error(400, "ProvisionedThroughputExceededException"));
    let before = dynamodb.reads();
    table.transitions(2, 2).await.unwrap_err();
    assert_eq!(dynamodb.reads() - before, 2);
}

#[tokio::test]
async fn the_status_shows_the_history_of_a_slow_table() {
    let dynamodb = DynamoDb::start(item(2));
    let controller = real_controller(&format!("http://{}", dynamodb.stub.address), "http://127.0.0.1:9");
    let mut event = event("GET", "/circuit-breaker");
    // With the state known, nothing but the history is read.
    ask(&controller, &event).await;
    dynamodb.answers(records_after(Duration::from_millis(600)));
    event["rawQueryString"] = json!("history=2");
    let answer = ask(&controller, &event).await;
    let body: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["history"].as_array().map(Vec::len), Some(2), "{body}");
}

/// A table that does not answer.
struct Silent;

impl HistoryReader for Silent {
    async fn transitions(&self, _: u64, _: u64) -> Result<Transitions, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_history_delays_the_status_at_most_a_second() {
    let controller = with_history(Silent, Ok(stored(2)), [answer(200), answer(200), answer(200)]);
    for (accept, told) in [("text/html", "The transitions cannot be shown"), ("application/json", "\"historyError\"")] {
        let mut event = event("GET", "/circuit-breaker");
        event["headers"] = json!({ "accept": accept });
        event["rawQueryString"] = json!("history=20");
        let begun = Instant::now();
        let answer = ask(&controller, &event).await;
        assert!(begun.elapsed() <= Duration::from_millis(1_010), "{:?}", begun.elapsed());
        assert_eq!(answer["statusCode"], 200);
        assert!(answer["body"].as_str().unwrap().contains(told), "{answer}");
    }
}

#[tokio::test]
async fn the_status_counts_the_records_that_are_left_out() {
    let mut event = event("GET", "/circuit-breaker");
    event["rawQueryString"] = json!("history=20");
    for (left_out, expected) in [(3, json!(3)), (0, serde_json::Value::Null)] {
        let history = Records(Ok(Transitions { records: Vec::new(), left_out }));
        let answer = ask(&TestController { history, ..controller(Ok(stored(2)), answer(200)) }, &event).await;
        let body: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&body["history"], &body["historyLeftOut"]), (&json!([]), &expected));
    }
}
