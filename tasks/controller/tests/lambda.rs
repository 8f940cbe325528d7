//! The controller's binary, from its start to its answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::time::{Duration, Instant};

use breaker::Level;
use common::environment::Environment;
use common::event;
use common::stubs::{DynamoDb, Lambda, Refusing, Reply, item, well};

/// Longer than any request takes, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_state_is_read_once_and_before_there_is_a_request() {
    let (dynamodb, lambda) = (DynamoDb::start(item(2)), Lambda::start([well(), well(), well()]));
    let environment = Environment::start(
        &dynamodb.stub.address,
        &lambda.stub.address,
        &[("BREAKER_CONFIG", r#"{"request_path.state_cache_milliseconds":60000}"#)],
    );
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
async fn without_dynamodb_the_function_starts_and_answers() {
    let (dynamodb, lambda) = (Refusing::new(), Lambda::start([well(), well(), well()]));
    let environment = Environment::start(
        &dynamodb.address,
        &lambda.stub.address,
        &[("BREAKER_CONFIG", r#"{"request_path.fallback_level":2}"#)],
    );
    let answer = environment.invoke(&event("GET", "/account/1"), DEADLINE).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&200.into(), &"degraded-service".into()));
}

#[tokio::test]
async fn the_answer_is_on_its_way_before_lambda_ends_the_invocation() {
    let hanging = [Reply::Never, Reply::Never, Reply::Never];
    let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start(hanging));
    let environment = Environment::start(
        &dynamodb.stub.address,
        &lambda.stub.address,
        &[("BREAKER_CONFIG", r#"{"request_path.service_timeout_milliseconds":14000}"#)],
    );
    let answer = environment.invoke(&event("POST", "/transfer"), Duration::from_secs(3)).await.unwrap();
    assert_eq!(answer["statusCode"], 504);
    assert_eq!(lambda.invoked().len(), 1);
}

/// Lambda Managed Instances send an environment several requests at once, and say how many in a variable.
#[tokio::test]
async fn one_request_is_served_at_a_time_unless_lambda_sends_more() {
    let config = ("BREAKER_CONFIG", r#"{"request_path.service_timeout_milliseconds":3000}"#);
    let many = ("AWS_LAMBDA_MAX_CONCURRENCY", "2");
    for (variables, answered_first) in [(&[config][..], "POST"), (&[config, many], "GET")] {
        let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start([Reply::Never, well(), well()]));
        let environment = Environment::start(&dynamodb.stub.address, &lambda.stub.address, variables);
        let (hanging, quick) = (event("POST", "/transfer"), event("GET", "/account/1"));
        let second = async {
            let begun = Instant::now();
            while lambda.invoked().is_empty() {
                assert!(begun.elapsed() < DEADLINE, "the first request reached no service");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            lambda.answers(Level::Full, well());
            environment.invoke(&quick, DEADLINE).await
        };
        let first = tokio::select! {
            answer = environment.invoke(&hanging, DEADLINE) => (answer, "POST"),
            answer = second => (answer, "GET"),
        };
        let status = if answered_first == "POST" { 504 } else { 200 };
        assert_eq!((&first.0.unwrap()["statusCode"], first.1), (&status.into(), answered_first), "{variables:?}");
    }
}

/// The warnings and errors in the log, as soon as there are any.
async fn problems(environment: &Environment) -> Vec<String> {
    let begun = Instant::now();
    while environment.problems().is_empty() {
        assert!(begun.elapsed() < DEADLINE, "nothing was logged");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    environment.problems()
}

#[tokio::test]
async fn an_invalid_policy_is_logged_once_and_replaced_by_its_preset() {
    let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start([well(), well(), well()]));
    let environment = Environment::start(
        &dynamodb.stub.address,
        &lambda.stub.address,
        &[("BREAKER_CONFIG", r#"{"policy.counts.level_1_failures":10}"#)],
    );
    for _ in 0..2 {
        assert_eq!(environment.invoke(&event("GET", "/account/1"), DEADLINE).await.unwrap()["statusCode"], 200);
    }
    let logged = problems(&environment).await;
    assert!(logged.len() == 1 && logged[0].contains("policy.counts.level_2_failures"), "{logged:?}");
}

#[tokio::test]
async fn errors_are_logged_without_the_payload() {
    const MARK: &str = "9078563412";
    let cookie = format!("{{\"statusCode\":200,\"cookies\":\"session={MARK}\"}}");
    let flag = format!("{{\"statusCode\":200,\"isBase64Encoded\":\"{MARK}\"}}");
    for answer in [cookie, flag, format!("{{\"statusCode\":200,\"cookies\":[{MARK}]}}")] {
        let invalid = || Reply::Now(200, vec![], answer.clone().into_bytes());
        let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start([invalid(), invalid(), invalid()]));
        let environment = Environment::start(&dynamodb.stub.address, &lambda.stub.address, &[]);
        assert_eq!(environment.invoke(&event("POST", "/transfer"), DEADLINE).await.unwrap()["statusCode"], 504);
        let logged = problems(&environment).await.concat();
        assert!(logged.contains("invalid response") && logged.contains("column"), "{logged}");
        assert!(!logged.contains(MARK), "{logged}");

        let mut odd = event("GET", "/account/1");
        odd["rawPath"] = MARK.parse::<u64>().unwrap().into();
        assert_eq!(environment.invoke(&odd, DEADLINE).await.unwrap()["statusCode"], 400);
        let begun = Instant::now();
        while environment.problems().len() < 2 {
            assert!(begun.elapsed() < DEADLINE, "nothing was logged");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!environment.problems().concat().contains(MARK), "{:?}", environment.problems());
    }
}
