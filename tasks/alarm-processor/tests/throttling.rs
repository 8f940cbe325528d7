//! Tests starts of executions that Step Functions throttles or refuses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alarm_processor::{ExecutionFailed, Executions, StateMachine};
use aws_edge::clients::{Timeouts, sdk_config, step_functions};
use aws_edge::error_kind::ErrorKind;
use aws_edge::settings::Environment;
use breaker::{AlarmHint, AlarmRequest, TransitionRequest};

const TIMEOUTS: Timeouts = Timeouts { attempt: Duration::from_secs(10), operation: Duration::from_secs(20) };

/// Starts a server that answers every call with this status and body, and counts the calls. Returns its address.
fn refusing(status: u16, body: &'static str, calls: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() <= 2 {
                    break;
                }
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap();
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            calls.fetch_add(1, Ordering::Relaxed);
            let length = body.len();
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    format!("http://{address}")
}

/// Returns the result of a start that gets this answer, and the number of calls.
async fn start(status: u16, body: &'static str) -> (ExecutionFailed, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let address = refusing(status, body, Arc::clone(&calls));
    let environment = Environment::from_iter([
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &address),
    ]);
    let client = step_functions(&sdk_config(&environment, TIMEOUTS).unwrap());
    let machine = StateMachine { client, arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned() };
    let alarm = AlarmHint::new("level-1-error-rate".to_owned(), None, None).unwrap();
    let request = TransitionRequest::Alarm(AlarmRequest { alarm, dry_run: false });
    (machine.run(&request).await.unwrap_err(), calls.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_start_that_fails_has_the_kind_of_the_failure() {
    for (status, body, expected) in [
        (400, r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#, ErrorKind::Throttled),
        (
            400,
            r#"{"__type": "com.amazonaws.sfn#TooManyRequestsException", "message": "Rate exceeded"}"#,
            ErrorKind::Throttled,
        ),
        (400, r#"{"__type": "ExecutionLimitExceeded", "message": "too many run"}"#, ErrorKind::Throttled),
        (429, "{}", ErrorKind::Throttled),
        (400, r#"{"__type": "AccessDeniedException", "message": "no"}"#, ErrorKind::Denied),
        (403, "{}", ErrorKind::Denied),
        (400, r#"{"__type": "StateMachineDoesNotExist", "message": "no"}"#, ErrorKind::Refused),
        (400, r#"{"__type": "InvalidExecutionInput", "message": "Rate exceeded"}"#, ErrorKind::Refused),
        (500, "{}", ErrorKind::Failed),
    ] {
        let (error, calls) = start(status, body).await;
        assert!(matches!(error, ExecutionFailed::NotStarted(_)), "{status} {body}: {error}");
        assert_eq!(error.kind(), expected, "{status} {body}: {error}");
        assert!(calls >= 1, "{status} {body}");
    }
}
