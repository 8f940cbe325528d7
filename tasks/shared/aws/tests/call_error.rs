//! The kinds of failed calls, from the errors of the SDK.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::error::Error;
use std::time::Duration;

use aws_edge::call_error::CallError;
use aws_edge::clients::{Timeouts, sdk_config};
use aws_edge::error_kind::ErrorKind;
use aws_edge::settings::Environment;
use aws_edge::stores::state::{StateReader, StateTable, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Long enough for the SDK's retries, or each failure would end as a timeout of the operation.
const TIMEOUTS: Timeouts = Timeouts { attempt: Duration::from_millis(400), operation: Duration::from_secs(20) };

/// Reads the state from a table at this address.
async fn read(address: &str) -> CallError {
    let environment = Environment::from_iter([
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", address),
    ]);
    let client = aws_sdk_dynamodb::Client::new(&sdk_config(&environment, TIMEOUTS).unwrap());
    match StateTable::new(client, "states".to_owned()).read().await {
        Err(StoreError::Unreadable(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Starts a table that answers every call with this status and error code, or never. Returns its address.
async fn table(answer: Option<(u16, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let Some((status, code)) = answer else { continue };
                    let body = format!("{{\"__type\":\"{code}\",\"message\":\"no\"}}");
                    let length = body.len();
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn each_answer_of_a_table_has_its_kind() {
    let cases = [
        (Some((400, "ProvisionedThroughputExceededException")), ErrorKind::Throttled),
        (Some((400, "ThrottlingException")), ErrorKind::Throttled),
        (Some((400, "AccessDeniedException")), ErrorKind::Denied),
        (Some((400, "UnrecognizedClientException")), ErrorKind::Denied),
        (Some((400, "ResourceNotFoundException")), ErrorKind::Refused),
        (Some((500, "InternalServerError")), ErrorKind::Failed),
        (None, ErrorKind::TimedOut),
    ];
    let calls =
        cases.map(|(answer, kind)| (answer, kind, tokio::spawn(async move { read(&table(answer).await).await })));
    for (answer, kind, call) in calls {
        let error = call.await.unwrap();
        assert_eq!(error.kind(), kind, "{answer:?}: {error}");
        assert!(error.source().is_some(), "the SDK's error is the source");
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_reached_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = read(&format!("http://{address}")).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
