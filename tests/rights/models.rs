//! Checks recorded requests with AWS's own service models: required and unknown members, types, lengths, enumerations.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local::python::Python;
use serde_json::json;

use crate::recorder::Sent;
use crate::recording::{Recording, read};

#[tokio::test(flavor = "multi_thread")]
async fn requests_keep_to_awss_service_models() {
    let recording = Recording::get().await;
    let faults: Vec<String> = recording
        .calls
        .iter()
        .flat_map(|call| call.read.faults.iter().map(move |fault| format!("{}: {} {fault}", call.role, call.service)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let operations: BTreeSet<&str> = recording.calls.iter().map(|call| call.read.operation.as_str()).collect();
    let expected = [
        "DescribeAlarmHistory",
        "DescribeAlarms",
        "GetItem",
        "GetMetricData",
        "Invoke",
        "PutMetricData",
        "Query",
        "Scan",
        "StartSyncExecution",
        "TransactWriteItems",
    ];
    assert_eq!(operations, expected.into(), "the recorded operations");
}

#[tokio::test]
async fn a_request_that_a_model_refuses_is_found() {
    let request = |operation: &str, body: serde_json::Value| Sent {
        access_key: String::new(),
        service: "dynamodb".to_owned(),
        method: "POST".to_owned(),
        path: "/".to_owned(),
        target: format!("DynamoDB_20120810.{operation}"),
        body: STANDARD.encode(body.to_string()),
    };
    let key = json!({"pk": {"S": "system-state"}});
    let sent = [
        request("GetItem", json!({"TableName": "bank", "Key": key})),
        request("GetItem", json!({"Key": key})),
        request("GetItem", json!({"TableName": "", "Key": key})),
        request("GetItem", json!({"TableName": "bank", "Key": key, "Consistent": true})),
        request("GetItem", json!({"TableName": "bank", "Key": {"pk": {"S": 1}}})),
        request("TransactWriteItems", json!({"TransactItems": []})),
    ];
    let read = read(&Python::for_tests().await.unwrap(), &sent).await;
    let faults: Vec<String> = read.into_iter().map(|read| read.faults.join(", ")).collect();
    let expected = [
        "",
        "GetItem: TableName is missing",
        "GetItem.TableName: 0 is below 1",
        "GetItem: Consistent is unknown",
        "GetItem.Key.pk.S: int in place of string",
        "TransactWriteItems.TransactItems: 0 is below 1",
    ];
    assert_eq!(faults, expected);
}
