//! One event for each Lambda, as AWS would send it.

use anyhow::Result;
use breaker::contract::{EvaluationInput, Execution, MetricsInput};
use breaker::{Expected, Outcome, Policy, PolicySettings, StateWrite, SystemState};
use jiff::Timestamp;
use serde_json::{Value, json, to_value};

/// The execution that the tasks of the state machine run in.
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:express:level-transition:run:1";

/// Returns an HTTP API event, payload format 2.0, with the headers that a browser and a proxy send.
#[must_use]
pub fn http() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "GET /account/{accountId}",
        "rawPath": "/account/12345",
        "rawQueryString": "fields=balance&fields=currency",
        "cookies": ["session=0123456789abcdef0123456789abcdef"],
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate, br",
            "accept-language": "en-GB,en;q=0.9",
            "content-length": "0",
            "host": "api.example.com",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
            "x-forwarded-for": "192.0.2.10",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https"
        },
        "queryStringParameters": { "fields": "balance,currency" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": "GET",
                "path": "/account/12345",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.10",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "GET /account/{accountId}",
            "stage": "$default",
            "time": "10/Sep/2026:14:06:12 +0000",
            "timeEpoch": 1_789_049_172_000_u64
        },
        "pathParameters": { "accountId": "12345" },
        "isBase64Encoded": false
    })
}

/// Returns a request for the status as JSON.
#[must_use]
pub fn status() -> Value {
    let mut event = http();
    if let Some(members) = event.as_object_mut() {
        members.insert("routeKey".to_owned(), json!("GET /circuit-breaker"));
        members.insert("rawPath".to_owned(), json!("/circuit-breaker"));
    }
    event
}

/// Returns the event as the controller passes it to a service.
#[must_use]
pub fn routed() -> Value {
    let mut event = http();
    if let Some(members) = event.as_object_mut() {
        let context = json!({ "level": 1, "status": "healthy", "epoch": 7, "deployment": "bank-bench" });
        members.insert("circuitBreaker".to_owned(), context);
    }
    event
}

/// Returns a batch of one alarm, sent through SNS.
#[must_use]
pub fn alarm_batch() -> Value {
    let alarm = json!({
        "AlarmName": "bank-bench-level-1-error-rate",
        "AlarmDescription": null,
        "AWSAccountId": "123456789012",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: 1 datapoint [8.0 (10/09/26 14:05:00)] was greater than or equal to the threshold (5.0).",
        "StateChangeTime": "2026-09-10T14:06:12.544+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:bank-bench-level-1-error-rate",
        "OldStateValue": "OK",
        "AlarmActions": [],
        "Trigger": {
            "MetricName": "Error", "Namespace": "CircuitBreaker/Service", "Statistic": "SUM", "Unit": null,
            "Dimensions": [{ "value": "1", "name": "ServiceLevel" }], "TreatMissingData": "notBreaching", "Threshold": 5.0
        }
    });
    let body = json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "t", "Subject": "ALARM", "Message": alarm.to_string() });
    json!({ "Records": [
        { "messageId": "1", "body": body.to_string(), "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs" }
    ] })
}

/// Returns the state that the stub of `DynamoDB` has: level 1, written once.
///
/// # Errors
/// The default policy is invalid, which another test excludes.
pub fn state() -> Result<SystemState> {
    let policy = Policy::new(PolicySettings::default())?;
    Ok(SystemState { version: 1, execution: EXECUTION.to_owned(), ..SystemState::initial(&policy, Timestamp::now()) })
}

/// Returns the input of an evaluation that the schedule started.
///
/// # Errors
/// Never in practice: the type can be written as JSON.
pub fn evaluation() -> Result<Value> {
    let request = json!({ "trigger": "schedule" });
    Ok(to_value(EvaluationInput {
        request,
        execution: Execution { arn: EXECUTION.to_owned(), name: "run".to_owned() },
    })?)
}

/// Returns the write after an evaluation that changes only counts.
///
/// # Errors
/// See [`state`].
pub fn write() -> Result<Value> {
    let before = state()?;
    let expected = Expected::Version { version: before.version, epoch: before.epoch };
    let state = SystemState { version: before.version + 1, ..before };
    Ok(to_value(StateWrite { expected, state, transition: None, command: None })?)
}

/// Returns the metrics of an evaluation that changed nothing.
///
/// # Errors
/// See [`state`].
pub fn metrics() -> Result<Value> {
    Ok(to_value(MetricsInput {
        outcome: Outcome::None,
        state: state()?,
        cause: None,
        prevented: None,
        notification_missing: false,
    })?)
}
