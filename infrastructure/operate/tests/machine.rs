//! Errors of a start that AWS did not confirm: whether the start may have had its effect.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::error::Error;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_edge::error_kind::ErrorKind;
use aws_sdk_sfn::config::SharedCredentialsProvider;
use axum::Router;
use axum::http::{StatusCode, header};
use breaker::{ScheduleRequest, TransitionRequest};
use operate::aws::Machine;
use operate::ports::{Executed, StateMachine};
use tokio::net::TcpListener;

const ARN: &str = "arn:aws:states:us-east-1:1:stateMachine:bank-level-transition-prod";

/// A chain of providers that finds no credentials.
#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no provider has any")))
    }
}

async fn config(endpoint: &str) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled());
    let credentials = Credentials::new("key", "secret", None, None, "test");
    loader.credentials_provider(SharedCredentialsProvider::new(credentials)).load().await
}

/// Returns a state machine of an AWS that gives this answer to every call.
async fn machine(status: StatusCode, body: &'static str) -> Machine {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || async move { (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body) };
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    Machine::new(&config(&address).await, ARN)
}

fn request(dry_run: bool) -> TransitionRequest {
    TransitionRequest::Schedule(ScheduleRequest { looks: None, dry_run })
}

#[tokio::test]
async fn a_start_that_aws_refuses_had_no_effect() {
    let denied = r#"{"__type": "AccessDeniedException", "message": "not allowed"}"#;
    let error = machine(StatusCode::BAD_REQUEST, denied).await.start("force-1", &request(false)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.kind().is_rejection());
    assert_eq!(error.to_string(), "the start was not confirmed: AccessDeniedException: not allowed");
    assert!(error.source().is_some(), "the SDK's error is the source");
}

#[tokio::test]
async fn a_start_that_aws_did_not_confirm_may_have_had_its_effect() {
    let down = r#"{"__type": "ServiceUnavailable", "message": "down"}"#;
    let failing = machine(StatusCode::SERVICE_UNAVAILABLE, down).await;
    let silent = Machine::new(&config("http://127.0.0.1:1").await, ARN);
    for (machine, kind) in [(failing, ErrorKind::Failed), (silent, ErrorKind::Unreachable)] {
        let error = machine.start("force-1", &request(false)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.kind().is_rejection());
    }
}

#[tokio::test]
async fn expired_credentials_are_named_with_the_remedy() {
    let expired = r#"{"__type": "ExpiredTokenException", "message": "expired"}"#;
    let error = machine(StatusCode::BAD_REQUEST, expired).await.dry_run(&request(true)).await.unwrap_err();
    let remedy = "the credentials are expired or unknown (ExpiredTokenException): see `aws sso login`";
    assert!(error.to_string().contains(remedy), "{error}");
}

#[tokio::test]
async fn missing_credentials_are_named_and_nothing_was_started() {
    let none = SharedCredentialsProvider::new(NoCredentials);
    let config = config("http://127.0.0.1:1").await.into_builder().credentials_provider(none).build();
    let error = Machine::new(&config, ARN).start("force-1", &request(false)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("there are no credentials: see `aws sso login`"), "{error}");
}

#[tokio::test]
async fn a_dry_run_that_ran_out_of_time_has_its_status_as_error() {
    let timed_out = r#"{"executionArn": "arn", "startDate": 0, "stopDate": 1, "status": "TIMED_OUT"}"#;
    let executed = machine(StatusCode::OK, timed_out).await.dry_run(&request(true)).await.unwrap();
    let cause = "no cause was given".to_owned();
    assert_eq!(executed, Executed::Failed { error: "TIMED_OUT".to_owned(), cause });
}
