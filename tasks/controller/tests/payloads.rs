//! Large and odd requests and answers pass through as unchanged bytes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{TestController, answer, ask, ask_raw, controller, event, no_hurry, stored};
use controller::{InvokeError, PAYLOAD_LIMIT};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Lambda's quota: 6 MB, by which it means 6 MiB.
const LAMBDA_QUOTA: usize = 6_291_456;

/// The context that the controller adds at level 1.
const CONTEXT: &str = r#","circuitBreaker":{"level":1,"status":"healthy","epoch":0,"deployment":"bank-test"}}"#;
/// The headers that the controller adds at level 1.
const HEADERS: &str = r#""X-Circuit-Breaker-Level":"1","X-Routed-To":"full-service""#;

/// Sends the text of an event, and returns the bytes that the service was sent.
async fn passed_on(event: &str) -> Vec<u8> {
    let controller = controller(Ok(stored(1)), answer(200));
    ask_raw(&controller, event).await;
    controller.services.sent().remove(0).payload
}

/// Lets the service give this answer, and returns the text that the caller gets.
async fn passed_back(service: &str) -> String {
    let controller = controller(Ok(stored(1)), Ok(service.as_bytes().to_vec()));
    let event = RawValue::from_string(event("POST", "/x").to_string()).unwrap();
    controller.handle(&event, no_hurry()).await.get().to_owned()
}

/// An event of exactly `size` bytes.
fn event_of(size: usize) -> String {
    let mut event = event("POST", "/upload");
    event["body"] = json!("");
    let padding = size - event.to_string().len();
    event["body"] = json!("x".repeat(padding));
    event.to_string()
}

/// An answer of exactly `size` bytes.
fn answer_of(size: usize) -> Vec<u8> {
    let empty = json!({ "statusCode": 200, "headers": { "Content-Type": "text/plain" }, "body": "" });
    let padding = size - empty.to_string().len();
    empty.to_string().replace("\"body\":\"\"", &format!("\"body\":\"{}\"", "x".repeat(padding))).into_bytes()
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_largest_request_passes_and_stays_within_lambdas_quota() {
    let event = event_of(PAYLOAD_LIMIT);
    let sent = passed_on(&event).await;
    assert!(sent.len() <= LAMBDA_QUOTA);
    assert_eq!(sent.strip_suffix(CONTEXT.as_bytes()).unwrap(), event.strip_suffix('}').unwrap().as_bytes());
}

#[tokio::test]
async fn a_request_above_the_limit_is_413_and_has_no_outcome() {
    for method in ["GET", "POST"] {
        let controller = controller(Ok(stored(1)), answer(200));
        let event = event_of(PAYLOAD_LIMIT + 1).replace("POST", method);
        let event = if method == "GET" { event.replacen("xx", "xxxx", 1) } else { event };
        let answer = ask_raw(&controller, &event).await;
        assert_eq!((&answer["statusCode"], &body(&answer)["error"]), (&json!(413), &json!("requestTooLarge")));
        assert!(body(&answer)["message"].as_str().unwrap().contains("6283264 bytes"));
        assert_eq!((controller.services.asked(), controller.metrics.outcomes()), (vec![], vec![]));
    }
}

#[tokio::test]
async fn the_largest_answer_passes_and_stays_within_lambdas_quota() {
    let service = answer_of(PAYLOAD_LIMIT);
    let answer = passed_back(std::str::from_utf8(&service).unwrap()).await;
    assert!(answer.len() <= LAMBDA_QUOTA);
    assert_eq!(answer.len(), service.len() + HEADERS.len() + 1);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_502_and_neutral() {
    // The second is what Lambda itself says of an answer above its quota.
    for too_large in [Ok(answer_of(PAYLOAD_LIMIT + 1)), Err(InvokeError::AnswerTooLarge)] {
        let controller = controller(Ok(stored(1)), too_large);
        let answer = ask(&controller, &event("GET", "/report")).await;
        assert_eq!((&answer["statusCode"], &body(&answer)["error"]), (&json!(502), &json!("answerTooLarge")));
        assert!(body(&answer)["message"].as_str().unwrap().contains("6283264 bytes"));
        assert_eq!(controller.services.asked(), [1]);
        assert_eq!(controller.metrics.outcomes(), [("1".to_owned(), None)]);
    }
}

#[tokio::test]
async fn a_request_too_large_for_lambda_is_413_and_neutral() {
    let controller = controller(Ok(stored(1)), Err(InvokeError::TooLarge));
    assert_eq!(ask(&controller, &event("POST", "/transfer")).await["statusCode"], 413);
    assert_eq!(controller.metrics.outcomes(), [("1".to_owned(), None)]);
}

#[tokio::test]
async fn four_megabytes_of_binary_pass_both_ways() {
    let bytes: Vec<u8> =
        (0..4_400_000_u32).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let encoded = STANDARD.encode(&bytes);
    let mut upload = event("POST", "/upload");
    upload["body"] = json!(encoded);
    let download = json!({ "statusCode": 200, "isBase64Encoded": true, "body": encoded });
    let controller = controller(Ok(stored(1)), Ok(download.to_string().into_bytes()));
    let answer = ask(&controller, &upload).await;
    let sent = controller.services.sent()[0].json();
    for passed in [&sent["body"], &answer["body"]] {
        assert!(STANDARD.decode(passed.as_str().unwrap()).unwrap() == bytes);
    }
    assert_eq!((&sent["isBase64Encoded"], &answer["isBase64Encoded"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn cookies_headers_queries_and_odd_json_pass_unchanged() {
    let event = concat!(
        "{ \"version\":\"2.0\",\"routeKey\":\"$default\",\n\t\"rawPath\":\"/a%2Fb/\\u00e9\\/c\",",
        "\"rawQueryString\":\"key=1&key=2&empty=&%20=%26\",\"cookies\":[\"a=1\",\"a=2; b\"],",
        "\"headers\":{\"accept\":\"text/html,application/json\",\"x-many\":\"1,2,3\"},",
        "\"multiValueHeaders\":{\"x-many\":[\"1\",\"2\",\"3\"]},",
        "\"queryStringParameters\":{\"key\":\"1,2\"},\"twice\":1,\"twice\":2,\"number\":1.0e+400,\"deep\":[[[{}]]],",
        "\"requestContext\":{\"http\":{\"method\":\"GET\",\"userAgent\":\"\\ud83d\\ude00\"},\"timeEpoch\":1}, ",
        "\"body\":\"\\u0000\\\"}{\",\"isBase64Encoded\":false }"
    );
    let sent = passed_on(event).await;
    assert_eq!(String::from_utf8(sent).unwrap(), format!("{}{CONTEXT}", event.strip_suffix('}').unwrap()));
}

#[tokio::test]
async fn answers_pass_unchanged_but_for_the_breakers_headers() {
    let ours = format!("{{{HEADERS}}}");
    for (service, expected) in [
        (r#"{"statusCode":200}"#, format!(r#"{{"statusCode":200,"headers":{ours}}}"#)),
        (r#" {"statusCode":200 } "#, format!(r#"{{"statusCode":200 ,"headers":{ours}}}"#)),
        (r#"{"headers":null,"statusCode":204}"#, format!(r#"{{"headers":{ours},"statusCode":204}}"#)),
        (r#"{"headers":{},"statusCode":204}"#, format!(r#"{{"headers":{ours},"statusCode":204}}"#)),
        (
            r#"{ "body":"é\u00e9\/" , "cookies":["a=1","a=2"],"twice":1,"twice":1e999, "headers" : {"B":"2","A":"1","X-Circuit-Breaker-Declined":"true","A":"\u0031"} , "multiValueHeaders":{"A":["1","2"]},"statusCode":200,"isBase64Encoded":false}"#,
            format!(
                r#"{{ "body":"é\u00e9\/" , "cookies":["a=1","a=2"],"twice":1,"twice":1e999, "headers" : {{"B":"2","A":"1","A":"\u0031",{HEADERS}}} , "multiValueHeaders":{{"A":["1","2"]}},"statusCode":200,"isBase64Encoded":false}}"#
            ),
        ),
    ] {
        assert_eq!(passed_back(service).await, expected);
    }
}

#[tokio::test]
async fn two_statuses_or_two_sets_of_headers_are_invalid() {
    for service in [
        r#"{"statusCode":200,"statusCode":500}"#,
        r#"{"statusCode":200,"headers":{},"headers":{"A":"1"}}"#,
        r#"{"statusCode":200,"headers":{}} {}"#,
    ] {
        let answer: Value = serde_json::from_str(&passed_back(service).await).unwrap();
        assert_eq!(answer["statusCode"], 504, "{service}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Members of an object, in any order and with names that may repeat, and space between them.
fn members() -> impl Strategy<Value = (Vec<(String, Value)>, String)> {
    (prop::collection::vec((any::<String>(), json_value()), 0..8), "[ \t\r\n]{0,3}")
}

/// The text of an object of these members.
fn object(members: &[(String, Value)], space: &str) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}{space}:{value}", json!(name))).collect();
    format!("{{{space}{}{space}}}", members.join(&format!("{space},")))
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_event_passes_unchanged((mut others, space) in members(), at in any::<prop::sample::Index>()) {
        others.retain(|(name, _)| !["rawPath", "requestContext", "circuitBreaker"].contains(&name.as_str()));
        others.insert(at.index(others.len() + 1), ("rawPath".to_owned(), json!("/x")));
        others.insert(
            at.index(others.len() + 1),
            ("requestContext".to_owned(), json!({ "http": { "method": "POST" }, "more": [1.5, null] })),
        );
        let event = object(&others, &space);
        run(async {
            let sent = String::from_utf8(passed_on(&event).await).unwrap();
            assert_eq!(sent, format!("{}{CONTEXT}", event.strip_suffix('}').unwrap()));
        });
    }

    #[test]
    fn any_answer_passes_unchanged_but_for_the_headers(
        (mut others, space) in members(), at in any::<prop::sample::Index>(), status in 200_u16..600,
        theirs in prop::collection::vec(("[A-Z][a-z]{0,5}", "[ -~\u{80}-\u{ff}]{0,9}".prop_map(Value::from)), 1..5),
    ) {
        let read = ["statusCode", "headers", "body", "cookies", "isBase64Encoded"];
        others.retain(|(name, _)| !read.contains(&name.as_str()));
        others.insert(at.index(others.len() + 1), ("statusCode".to_owned(), json!(status)));
        let place = at.index(others.len() + 1);
        let headers = theirs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
        let with = |headers: &str| {
            let mut members = others.clone();
            members.insert(place, ("headers".to_owned(), json!("HERE")));
            object(&members, &space).replace("\"HERE\"", &format!("{{{headers}}}"))
        };
        let (service, expected) = (with(&headers), with(&format!("{headers},{HEADERS}")));
        run(async { assert_eq!(passed_back(&service).await, expected.trim()) });
    }

    #[test]
    fn no_answer_of_a_service_breaks_the_controller(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        run(async {
            let text = std::str::from_utf8(&payload).ok();
            let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
            let controller: TestController = controller(Ok(stored(1)), Ok(payload));
            let expected = if is_json { 200 } else { 504 };
            assert_eq!(ask(&controller, &event("POST", "/x")).await["statusCode"], expected);
        });
    }
}
