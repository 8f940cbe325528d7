//! How the controller's binary adds up metrics by the second, and which of them are lost when it ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::time::{Duration, Instant};

use breaker::Level;
use common::environment::Environment;
use common::event;
use common::stubs::{DynamoDb, Lambda, Reply, item, well};
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// The successes of an environment by the time of their answers, and the number of its failures.
#[derive(Default)]
struct Sent {
    successes: Vec<Instant>,
    failures: u64,
}

/// Sends requests one after the other for two and a half seconds; in the first second each tenth fails.
async fn traffic(environment: &Environment, lambda: &Lambda) -> Sent {
    let failing = Reply::json(200, &json!({ "statusCode": 500 }));
    let (mut sent, begun) = (Sent::default(), Instant::now());
    for n in 1.. {
        let fails = n % 10 == 0 && begun.elapsed() < SECOND;
        lambda.answers(Level::Full, if fails { failing.clone() } else { well() });
        environment.invoke(&event("POST", "/transfer"), DEADLINE).await.unwrap();
        if fails {
            sent.failures += 1;
        } else {
            sent.successes.push(Instant::now());
        }
        if begun.elapsed() > SECOND * 5 / 2 {
            break;
        }
    }
    assert!(sent.failures > 0);
    sent
}

#[tokio::test]
async fn a_killed_environment_loses_a_second_of_successes() {
    let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start([well(), well(), well()]));
    let mut environment = Environment::start(&dynamodb.stub.address, &lambda.stub.address, &[]);
    let sent = traffic(&environment, &lambda).await;
    let killed = Instant::now();
    environment.kill().await;
    assert_eq!(environment.recorded("Error"), sent.failures, "no failure is lost");
    let older = sent.successes.iter().filter(|at| killed.duration_since(**at) > SECOND).count();
    let recorded = usize::try_from(environment.recorded("Success")).unwrap();
    let all = sent.successes.len();
    assert!((older..=all).contains(&recorded), "{recorded} of {all}, {older} of them older than a second");
}

#[tokio::test]
async fn an_environment_that_lambda_ends_loses_nothing() {
    let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start([well(), well(), well()]));
    let mut environment = Environment::start(&dynamodb.stub.address, &lambda.stub.address, &[]);
    let sent = traffic(&environment, &lambda).await;
    environment.end().await;
    let successes = u64::try_from(sent.successes.len()).unwrap();
    assert_eq!((environment.recorded("Success"), environment.recorded("Error")), (successes, sent.failures));
    assert_eq!(environment.recorded("Invocation"), successes + sent.failures);
    assert_eq!(environment.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn without_the_signal_the_function_serves() {
    let (dynamodb, lambda) = (DynamoDb::start(item(1)), Lambda::start([well(), well(), well()]));
    let mut environment = Environment::start_where(false, &dynamodb.stub.address, &lambda.stub.address, &[]);
    for _ in 0..3 {
        let answer = environment.invoke(&event("GET", "/account/1"), DEADLINE).await.unwrap();
        assert_eq!(answer["statusCode"], 200);
    }
    environment.kill().await;
    let problems = environment.problems();
    assert!(problems.len() == 1 && problems[0].contains("no signal of the environment's end"), "{problems:?}");
}
