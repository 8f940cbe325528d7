//! The controller with real SDK clients, while AWS is slow, broken or unreachable.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::time::{Duration, Instant};

use breaker::{Level, PerLevel, RequestRules};
use common::stubs::{
    DynamoDb, Lambda, RealController, Refusing, Reply, Stub, dynamodb_error, item, real_controller, well,
};
use common::{ask, event};
use controller::{PAYLOAD_LIMIT, StateCache};
use serde_json::{Value, json};

/// Far longer than a request may take, and far shorter than a request that never ends.
const SOON: Duration = Duration::from_secs(2);

fn url(address: &str) -> String {
    format!("http://{address}")
}

fn all_well() -> Lambda {
    Lambda::start([well(), well(), well()])
}

fn controller(dynamodb: &str, lambda: &Lambda) -> RealController {
    real_controller(&url(dynamodb), &url(&lambda.stub.address))
}

/// A controller with a time to live of zero: each request reads, unless a read has just failed.
fn reading_always(controller: RealController, dynamodb: &str) -> RealController {
    let table = common::stubs::state_table(&url(dynamodb));
    RealController { states: StateCache::new(table, Duration::ZERO, Level::Maintenance), ..controller }
}

/// Sends a request. Panics if the answer takes too long.
async fn ask_soon(controller: &RealController, method: &str) -> Value {
    let begun = Instant::now();
    let answer = ask(controller, &event(method, "/account/1")).await;
    assert!(begun.elapsed() < SOON, "answered after {:?}", begun.elapsed());
    answer
}

/// Sends five requests. Each must be answered soon, with 200, by the service of `level`.
async fn expect_level(controller: &RealController, level: Level, trouble: &str) {
    for _ in 0..5 {
        let answer = ask_soon(controller, "GET").await;
        assert_eq!(answer["statusCode"], 200, "{trouble}");
        assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], level.to_string(), "{trouble}");
        assert_eq!(answer["headers"]["X-Routed-To"], level.service(), "{trouble}");
    }
}

/// Answers of `DynamoDB` that are not a valid state.
fn bad_replies() -> Vec<(&'static str, Reply)> {
    let attribute = |name: &str, value: Value| Reply::json(200, &json!({ "Item": { name: value } }));
    vec![
        ("hangs", Reply::Never),
        ("internal error", dynamodb_error(500, "InternalServerError")),
        ("throttled", dynamodb_error(400, "ProvisionedThroughputExceededException")),
        ("no such table", dynamodb_error(400, "ResourceNotFoundException")),
        ("no rights", dynamodb_error(400, "AccessDeniedException")),
        ("no JSON", Reply::Now(200, vec![], b"<html>".to_vec())),
        ("too slow", Reply::After(Duration::from_millis(900), 200, b"{}".to_vec())),
        ("an unknown level", attribute("currentLevel", json!({ "N": "7" }))),
    ]
}

#[tokio::test]
async fn an_unreachable_table_at_start_means_the_fallback_level() {
    let lambda = all_well();
    let refusing = Refusing::new();
    expect_level(&controller(&refusing.address, &lambda), Level::Maintenance, "refuses").await;
    let mute = Stub::mute();
    expect_level(&controller(&mute.address, &lambda), Level::Maintenance, "mute").await;
    let hangs_up = Stub::hangs_up();
    expect_level(&controller(&hangs_up.address, &lambda), Level::Maintenance, "hangs up").await;
    // A TLS client against a server that never shakes hands.
    let controller = real_controller(&format!("https://{}", mute.address), &url(&lambda.stub.address));
    expect_level(&controller, Level::Maintenance, "no handshake").await;
}

#[tokio::test]
async fn a_failing_table_at_start_means_the_fallback_level() {
    for (trouble, reply) in bad_replies() {
        let lambda = all_well();
        let dynamodb = DynamoDb::start(reply);
        expect_level(&controller(&dynamodb.stub.address, &lambda), Level::Maintenance, trouble).await;
        assert!((1..=4).contains(&dynamodb.reads()), "{trouble}: {} reads", dynamodb.reads());
    }
}

#[tokio::test]
async fn the_last_known_level_serves_until_dynamodb_recovers() {
    for (trouble, reply) in bad_replies() {
        let lambda = all_well();
        let dynamodb = DynamoDb::start(item(2));
        let address = &dynamodb.stub.address;
        let controller = reading_always(controller(address, &lambda), address);
        expect_level(&controller, Level::Degraded, "well").await;
        dynamodb.answers(reply);
        expect_level(&controller, Level::Degraded, trouble).await;
        let errors = controller.metrics.values("StateReadErrors");
        assert!(!errors.is_empty() && errors.iter().all(|count| *count > 0.0), "{trouble}");
        dynamodb.answers(item(1));
        let begun = Instant::now();
        while ask_soon(&controller, "GET").await["headers"]["X-Circuit-Breaker-Level"] != "1" {
            assert!(begun.elapsed() < Duration::from_secs(30), "{trouble}: never read again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn an_unreachable_table_later_means_the_last_known_level() {
    let lambda = all_well();
    let dynamodb = DynamoDb::start(item(1));
    let address = dynamodb.stub.address.clone();
    let controller = reading_always(controller(&address, &lambda), &address);
    expect_level(&controller, Level::Full, "well").await;
    drop(dynamodb);
    expect_level(&controller, Level::Full, "gone").await;
}

#[tokio::test]
async fn a_second_attempt_succeeds_after_a_failed_read() {
    let lambda = all_well();
    let dynamodb = DynamoDb::start(dynamodb_error(500, "InternalServerError"));
    let controller = controller(&dynamodb.stub.address, &lambda);
    let recovery = async {
        while dynamodb.reads() == 0 {
            tokio::task::yield_now().await;
        }
        dynamodb.answers(item(1));
    };
    let (answer, ()) = tokio::join!(ask_soon(&controller, "GET"), recovery);
    assert_eq!((&answer["headers"]["X-Circuit-Breaker-Level"], dynamodb.reads()), (&json!("1"), 2));
}

#[tokio::test]
async fn a_routed_request_is_one_invocation_and_at_most_one_read() {
    let lambda = all_well();
    let dynamodb = DynamoDb::start(item(1));
    let controller = controller(&dynamodb.stub.address, &lambda);
    let begun = Instant::now();
    for _ in 0..200 {
        ask_soon(&controller, "GET").await;
    }
    // The shortest lifetime is 0.8 s.
    let reads = 1 + usize::try_from(begun.elapsed().as_millis() / 800).unwrap();
    assert_eq!(lambda.invoked().len(), 200);
    assert!(dynamodb.reads() <= reads, "{} reads", dynamodb.reads());
    assert_eq!((lambda.stub.connections(), dynamodb.stub.connections()), (1, 1));
}

/// A controller at level 1 with short timeouts of the services.
async fn impatient(lambda_url: &str) -> (DynamoDb, RealController) {
    let dynamodb = DynamoDb::start(item(1));
    let timeout = Duration::from_millis(200);
    let controller = RealController {
        rules: RequestRules::new(&common::policy(), PerLevel::same(timeout)),
        ..real_controller(&url(&dynamodb.stub.address), lambda_url)
    };
    controller.states.prime().await;
    (dynamodb, controller)
}

/// A retry could carry out a transfer twice. The caller gets 504, because the outcome is unknown.
#[tokio::test]
async fn a_hanging_service_is_invoked_once_for_an_unsafe_request() {
    let lambda = Lambda::start([Reply::Never, well(), well()]);
    let (_dynamodb, controller) = impatient(&url(&lambda.stub.address)).await;
    let answer = ask_soon(&controller, "POST").await;
    assert_eq!(answer["statusCode"], 504);
    assert!(answer["body"].as_str().unwrap().contains("outcomeUnknown"));
    assert_eq!(lambda.invoked(), ["full-service"]);
    assert_eq!(lambda.stub.connections(), 1);
    assert_eq!(controller.metrics.outcomes(), [("1".to_owned(), Some("Error"))]);
}

#[tokio::test]
async fn a_hanging_read_is_answered_by_the_next_service() {
    let lambda = Lambda::start([Reply::Never, well(), well()]);
    let (_dynamodb, controller) = impatient(&url(&lambda.stub.address)).await;
    let answer = ask_soon(&controller, "GET").await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; timeout");
    assert_eq!(answer["headers"]["X-Routed-To"], "degraded-service");
    assert_eq!(lambda.invoked(), ["full-service", "degraded-service"]);
}

#[tokio::test]
async fn with_every_service_hanging_the_answer_comes_in_time() {
    let lambda = Lambda::start([Reply::Never, Reply::Never, Reply::Never]);
    let dynamodb = DynamoDb::start(item(1));
    // The services' own timeouts of 5 s are far longer than the time that is left.
    let controller = controller(&dynamodb.stub.address, &lambda);
    let event = serde_json::value::RawValue::from_string(event("GET", "/account/1").to_string()).unwrap();
    let begun = Instant::now();
    let by = tokio::time::Instant::now() + Duration::from_millis(800);
    let answer = controller.handle(&event, by).await;
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    assert_eq!(answer["statusCode"], 503);
    assert_eq!(lambda.invoked(), ["full-service", "degraded-service"]);
    assert!(begun.elapsed() < SOON);
}

/// Each reply of Lambda, the status that an unsafe request gets for it, and its name in the fallback header.
fn failures() -> Vec<(Reply, u16, &'static str)> {
    let error = |status, name| {
        let body = br#"{"Type":"User","Message":"no"}"#.to_vec();
        Reply::Now(status, vec![("x-amzn-errortype", name)], body)
    };
    let function_error = |payload: &Value| {
        Reply::Now(200, vec![("x-amz-function-error", "Unhandled")], payload.to_string().into_bytes())
    };
    let timed_out = json!({ "errorMessage": "2026-01-01T00:00:00.000Z 5f Task timed out after 10.00 seconds" });
    vec![
        (error(429, "TooManyRequestsException"), 503, "throttled"),
        (error(404, "ResourceNotFoundException"), 503, "not-invoked"),
        (error(403, "AccessDeniedException"), 503, "not-invoked"),
        (error(502, "EC2UnexpectedException"), 503, "not-invoked"),
        (error(500, "ServiceException"), 504, "lost"),
        (error(410, "EFSIOException"), 504, "lost"),
        (error(503, "ServiceUnavailableException"), 504, "lost"),
        (Reply::Now(502, vec![], b"<html>".to_vec()), 504, "lost"),
        (function_error(&json!({ "errorType": "Panic", "errorMessage": "no" })), 504, "crash"),
        (function_error(&timed_out), 504, "timeout"),
        (Reply::Now(200, vec![], b"hello".to_vec()), 504, "invalid-response"),
    ]
}

#[tokio::test]
async fn whatever_lambda_answers_it_is_asked_once() {
    for (reply, status, why) in failures() {
        let lambda = Lambda::start([reply, well(), well()]);
        let (_dynamodb, controller) = impatient(&url(&lambda.stub.address)).await;
        assert_eq!(ask_soon(&controller, "POST").await["statusCode"], status, "{why}");
        assert_eq!(lambda.invoked(), ["full-service"]);
        let answer = ask_soon(&controller, "GET").await;
        assert_eq!(answer["headers"]["X-Fallback-From"], format!("full-service; {why}"));
    }
}

#[tokio::test]
async fn what_lambda_finds_too_large_is_neutral() {
    let request = Reply::Now(413, vec![("x-amzn-errortype", "RequestTooLargeException")], b"{}".to_vec());
    let answer = json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": "too large" });
    let answer = Reply::Now(200, vec![("x-amz-function-error", "Unhandled")], answer.to_string().into_bytes());
    for (reply, status) in [(request, 413), (answer, 502)] {
        let lambda = Lambda::start([reply, well(), well()]);
        let (_dynamodb, controller) = impatient(&url(&lambda.stub.address)).await;
        assert_eq!(ask_soon(&controller, "GET").await["statusCode"], status);
        assert_eq!(controller.metrics.outcomes(), [("1".to_owned(), None)]);
    }
}

/// An unsafe request whose answer was lost is answered as unknown, because the service may have run.
#[tokio::test]
async fn only_a_request_that_never_left_may_be_retried() {
    let refusing = Refusing::new();
    let (_dynamodb, controller) = impatient(&url(&refusing.address)).await;
    let answer = ask_soon(&controller, "POST").await;
    assert_eq!((&answer["statusCode"], common::waits(&answer)), (&json!(503), true));

    let hangs_up = Stub::hangs_up();
    let (_dynamodb, controller) = impatient(&url(&hangs_up.address)).await;
    assert_eq!(ask_soon(&controller, "POST").await["statusCode"], 504);
    assert_eq!(hangs_up.connections(), 1);

    // No handshake in the second that connecting may take, twice: a request that was never sent is sent once more.
    let mute = Stub::mute();
    let (_dynamodb, controller) = impatient(&format!("https://{}", mute.address)).await;
    let controller =
        RealController { rules: RequestRules::new(&common::policy(), common::five_seconds()), ..controller };
    let begun = Instant::now();
    assert_eq!(ask(&controller, &event("POST", "/transfer")).await["statusCode"], 503);
    assert!(begun.elapsed() < common::five_seconds().full);
    assert_eq!(mute.connections(), 2);
}

#[tokio::test]
async fn the_largest_request_and_answer_pass_through_the_real_client() {
    let mut answer = json!({ "statusCode": 200, "body": "" });
    answer["body"] = json!("x".repeat(PAYLOAD_LIMIT - answer.to_string().len()));
    let lambda = Lambda::start([Reply::json(200, &answer), well(), well()]);
    let (_dynamodb, controller) = impatient(&url(&lambda.stub.address)).await;
    let controller =
        RealController { rules: RequestRules::new(&common::policy(), common::five_seconds()), ..controller };
    let mut upload = event("POST", "/upload");
    upload["body"] = json!("");
    upload["body"] = json!("y".repeat(PAYLOAD_LIMIT - upload.to_string().len()));
    let answered = ask(&controller, &upload).await;
    assert!(answered["body"] == answer["body"]);
    let sent: Value = serde_json::from_slice(&lambda.sent()[0].1).unwrap();
    assert!(sent["body"] == upload["body"]);
}
