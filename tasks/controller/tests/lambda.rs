//! The controller's binary, from its start to its answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::time::{Duration, Instant};

use common::environment::Environment;
use common::event;
use common::stubs::{DynamoDb, Lambda, Refusing, Reply, item, well};

/// Longer than anything takes, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_state_is_read_once_and_before_there_is_a_request() {
    let (dynamodb, lambda) = (DynamoDb::start(item(2)), Lambda::start([well(), well(), well()]));
    let environment =
        Environment::start(&dynamodb.stub.address, &lambda.stub.address, &[("STATE_CACHE_TTL_MS", "60000")]);
    let begun = Instant::now();
    while dynamodb.reads() == 0 {
        assert!(begun.elapsed() < DEADLINE, "the state was never read");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        let answer = environment.invoke(&event("GET", "/account/1"), DEADLINE).await.unwrap();
        assert_eq!((&answer["statusCode"], &answer["headers"]["X-Circuit-Breaker-Level"]), (&200.into(), &"2".into()));
    }
    assert_eq!((dynamodb.reads(), lambda.invoked().len()), (1, 3));
}

#[tokio::test]
async fn with_dynamodb_gone_the_function_starts_and_answers_at_the_fallback_level() {
    let (dynamodb, lambda) = (Refusing::new(), Lambda::start([well(), well(), well()]));
    let environment = Environment::start(&dynamodb.address, &lambda.stub.address, &[("FALLBACK_LEVEL", "2")]);
    let answer = environment.invoke(&event("GET", "/account/1"), DEADLINE).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&200.into(), &"degraded-service".into()));
}

#[tokio::test]
async fn the_answer_is_on_its_way_before_lambda_ends_the_invocation() {
    let hanging = [Reply::Never, Reply::Never, Reply::Never];
    let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start(hanging));
    let environment =
        Environment::start(&dynamodb.stub.address, &lambda.stub.address, &[("SERVICE_TIMEOUT_MS", "14000")]);
    let answer = environment.invoke(&event("POST", "/transfer"), Duration::from_secs(3)).await.unwrap();
    assert_eq!(answer["statusCode"], 504);
    assert_eq!(lambda.invoked().len(), 1);
}
