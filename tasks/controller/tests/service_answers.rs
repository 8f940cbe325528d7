//! Answers of services by API Gateway's rules for HTTP APIs, payload format 2.0, one table for each rule.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use common::{TestController, answer, ask, event, stored, with_answers};
use controller::{InvokeError, PAYLOAD_LIMIT};
use serde_json::{Value, json};

/// A controller at level 1 whose first service gives this answer, and whose second service works.
fn answering(service: impl Into<Vec<u8>>) -> TestController {
    with_answers(Ok(stored(1)), [Ok(service.into()), answer(200), answer(200)])
}

fn outcomes(controller: &TestController) -> Vec<Option<&'static str>> {
    controller.metrics.outcomes().into_iter().map(|(_, outcome)| outcome).collect()
}

/// Returns the answer to a POST, which has no fallback, without the breaker's headers, and its outcome.
async fn passed_on(service: &str) -> (Value, Option<&'static str>) {
    let controller = answering(service);
    let mut answer = ask(&controller, &event("POST", "/x")).await;
    let headers = answer["headers"].as_object_mut().unwrap();
    assert_eq!(headers.remove("X-Routed-To").unwrap(), "full-service", "{service}");
    headers.remove("X-Circuit-Breaker-Level").unwrap();
    (answer, outcomes(&controller)[0])
}

#[tokio::test]
async fn a_status_may_be_a_number_or_a_text_of_digits() {
    for (status, expected, outcome) in [
        ("200", 200, Some("Success")),
        ("\"200\"", 200, Some("Success")),
        ("\"201\"", 201, Some("Success")),
        ("\"302\"", 302, Some("Success")),
        ("\"404\"", 404, None),
        ("\"503\"", 503, Some("Error")),
        ("599", 599, Some("Error")),
    ] {
        let service = format!(
            r#"{{"isBase64Encoded":null,"body":"QQ","headers":{{"A":"1"}},"statusCode":{status},"cookies":["a=b"],"more":1}}"#
        );
        let (answer, recorded) = passed_on(&service).await;
        assert_eq!((&answer["statusCode"], recorded), (&json!(expected), outcome), "{status}");
        assert_eq!((&answer["body"], &answer["headers"]), (&json!("QQ"), &json!({ "A": "1" })), "{status}");
        assert_eq!(answer["cookies"], json!(["a=b"]), "{status}");
    }
}

#[tokio::test]
async fn a_level_may_decline_with_a_text_for_its_status() {
    let declined = r#"{"statusCode":"503","headers":{"x-circuit-breaker-declined":true,"Retry-After":60}}"#;
    let (answer, outcome) = passed_on(declined).await;
    assert_eq!((outcome, &answer["statusCode"]), (Some("Success"), &json!(503)));
    assert_eq!(answer["headers"], json!({ "Retry-After": "60" }));
}

/// The form of every answer of the crate `lambda_http`, 1.3.2.
#[tokio::test]
async fn an_answer_of_lambda_http_is_passed_on() {
    let declined = r#"{"statusCode":503,"headers":{"x-circuit-breaker-declined":"true","content-type":"application/json"},
        "multiValueHeaders":{},"body":"{}","isBase64Encoded":false,"cookies":[]}"#;
    let (answer, outcome) = passed_on(declined).await;
    assert_eq!((outcome, &answer["statusCode"], &answer["body"]), (Some("Success"), &json!(503), &json!("{}")));
    assert_eq!(answer["headers"], json!({ "content-type": "application/json" }));
}

#[tokio::test]
async fn null_and_false_do_not_decline() {
    for value in ["null", "false", r#""false""#] {
        let service = format!(r#"{{"statusCode":503,"headers":{{"X-Circuit-Breaker-Declined":{value}}}}}"#);
        let (answer, outcome) = passed_on(&service).await;
        assert_eq!((outcome, &answer["headers"]), (Some("Error"), &json!({})), "{value}");
    }
}

#[tokio::test]
async fn header_values_may_be_numbers_booleans_and_null() {
    for (headers, expected) in [
        (r#"{"A":"text"}"#, json!({ "A": "text" })),
        (r#"{"A":0}"#, json!({ "A": "0" })),
        (r#"{"Content-Length":15,"Age":-1.50}"#, json!({ "Content-Length": "15", "Age": "-1.50" })),
        (r#"{"A":true,"B":false}"#, json!({ "A": "true", "B": "false" })),
        (r#"{"A":null,"B":"1"}"#, json!({ "B": "1" })),
        (r#"{"A":""}"#, json!({ "A": "" })),
        (r#"{"A":"tab\tand \u00e9"}"#, json!({ "A": "tab\tand é" })),
        (r#"{"!#$%&'*+-.^_`|~09azAZ":"1"}"#, json!({ "!#$%&'*+-.^_`|~09azAZ": "1" })),
        ("{}", json!({})),
        ("null", json!({})),
    ] {
        let (answer, outcome) = passed_on(&format!(r#"{{"statusCode":200,"headers":{headers},"body":"ok"}}"#)).await;
        assert_eq!((&answer["headers"], outcome), (&expected, Some("Success")), "{headers}");
        assert_eq!(answer["body"], "ok");
    }
}

#[tokio::test]
async fn json_without_a_status_is_the_body_of_a_200() {
    for (service, body) in [
        (r#"{"greeting":"hello"}"#, r#"{"greeting":"hello"}"#),
        (r#" {"a":[1.50,1e999,"\u00e9"]} "#, r#"{"a":[1.50,1e999,"\u00e9"]}"#),
        ("{}", "{}"),
        (r#"{"body":"hello"}"#, r#"{"body":"hello"}"#),
        (r#"{"headers":[],"cookies":7,"isBase64Encoded":"x"}"#, r#"{"headers":[],"cookies":7,"isBase64Encoded":"x"}"#),
        (r#"{"StatusCode":500}"#, r#"{"StatusCode":500}"#),
        (r#"["hello",3,true]"#, r#"["hello",3,true]"#),
        (r#""hello \"you\"""#, r#"hello "you""#),
        ("3.1", "3.1"),
        ("true", "true"),
        ("null", "null"),
    ] {
        let (answer, outcome) = passed_on(service).await;
        let expected = json!({
            "statusCode": 200, "headers": { "content-type": "application/json" }, "body": body, "isBase64Encoded": false
        });
        assert_eq!((answer, outcome), (expected, Some("Success")), "{service}");
    }
}

#[tokio::test]
async fn base64_is_sent_in_the_standard_form() {
    for (body, expected) in [
        (r#""""#, ""),
        (r#""QQ==""#, "QQ=="),
        (r#""\/w==""#, "/w=="),
        (r#""QQ""#, "QQ=="),
        (r#""QUJD\nRA==\n""#, "QUJDRA=="),
        (r#""QUJD\r\nRA""#, "QUJDRA=="),
        ("null", ""),
    ] {
        let (answer, outcome) =
            passed_on(&format!(r#"{{"statusCode":200,"body":{body},"isBase64Encoded":true}}"#)).await;
        assert_eq!((answer["body"].as_str().unwrap_or_default(), outcome), (expected, Some("Success")), "{body}");
        assert_eq!(answer["isBase64Encoded"], true, "{body}");
    }
}

/// Answers that API Gateway cannot send.
const INVALID: &[&str] = &[
    // Not JSON.
    "",
    " ",
    "hello",
    "<html>",
    "{",
    "{\"statusCode\":200}}",
    "{\"statusCode\":200} {}",
    "undefined",
    "NaN",
    // The status.
    r#"{"statusCode":null}"#,
    r#"{"statusCode":""}"#,
    r#"{"statusCode":"ok"}"#,
    r#"{"statusCode":"+20"}"#,
    r#"{"statusCode":" 200"}"#,
    r#"{"statusCode":"0200"}"#,
    r#"{"statusCode":99}"#,
    r#"{"statusCode":100}"#,
    r#"{"statusCode":101}"#,
    r#"{"statusCode":199}"#,
    r#"{"statusCode":600}"#,
    r#"{"statusCode":999}"#,
    r#"{"statusCode":-200}"#,
    r#"{"statusCode":200.5}"#,
    r#"{"statusCode":2e2}"#,
    r#"{"statusCode":true}"#,
    r#"{"statusCode":[200]}"#,
    r#"{"statusCode":{"code":200}}"#,
    r#"{"statusCode":200,"statusCode":500}"#,
    // Headers.
    r#"{"statusCode":200,"headers":[]}"#,
    r#"{"statusCode":200,"headers":[["A","1"]]}"#,
    r#"{"statusCode":200,"headers":"A: 1"}"#,
    r#"{"statusCode":200,"headers":7}"#,
    r#"{"statusCode":200,"headers":{"A":["1"]}}"#,
    r#"{"statusCode":200,"headers":{"A":[]}}"#,
    r#"{"statusCode":200,"headers":{"A":{"b":"c"}}}"#,
    r#"{"statusCode":200,"headers":{"A":"a\nb"}}"#,
    r#"{"statusCode":200,"headers":{"A":"a\r\nSet-Cookie: b=c"}}"#,
    r#"{"statusCode":200,"headers":{"A":"a\u0000"}}"#,
    r#"{"statusCode":200,"headers":{"A":"\u001b[2J"}}"#,
    r#"{"statusCode":200,"headers":{"A":"\u007f"}}"#,
    r#"{"statusCode":200,"headers":{"A":"\ud800"}}"#,
    r#"{"statusCode":200,"headers":{"":"1"}}"#,
    r#"{"statusCode":200,"headers":{"a b":"1"}}"#,
    r#"{"statusCode":200,"headers":{"a:":"1"}}"#,
    r#"{"statusCode":200,"headers":{"a\n":"1"}}"#,
    r#"{"statusCode":200,"headers":{"é":"1"}}"#,
    r#"{"statusCode":"200","headers":{"A":"a\nb"}}"#,
    // Cookies.
    r#"{"statusCode":200,"cookies":"a=b"}"#,
    r#"{"statusCode":200,"cookies":[7]}"#,
    r#"{"statusCode":200,"cookies":[null]}"#,
    r#"{"statusCode":200,"cookies":{"a":"b"}}"#,
    r#"{"statusCode":200,"cookies":["a=b\r\nX: y"]}"#,
    // The body.
    r#"{"statusCode":200,"body":{"balance":1}}"#,
    r#"{"statusCode":200,"body":["a"]}"#,
    r#"{"statusCode":200,"body":7}"#,
    r#"{"statusCode":200,"body":false}"#,
    r#"{"statusCode":200,"isBase64Encoded":"true"}"#,
    r#"{"statusCode":200,"isBase64Encoded":1}"#,
    r#"{"statusCode":200,"isBase64Encoded":true,"body":"hello, world"}"#,
    r#"{"statusCode":200,"isBase64Encoded":true,"body":"_-8="}"#,
    r#"{"statusCode":200,"isBase64Encoded":true,"body":"QQ==QQ=="}"#,
    r#"{"statusCode":"200","isBase64Encoded":true,"body":"{}"}"#,
];

#[tokio::test]
async fn what_cannot_be_sent_is_a_failure_and_the_fallback_answers() {
    for service in INVALID.iter().copied() {
        let controller = answering(service);
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("hello")), "{service}");
        assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; invalid-response", "{service}");
        assert_eq!(outcomes(&controller), [Some("Error"), Some("Success")], "{service}");
    }
}

#[tokio::test]
async fn an_invalid_answer_to_a_post_is_an_unknown_outcome() {
    for service in INVALID.iter().copied() {
        let controller = answering(service);
        let answer = ask(&controller, &event("POST", "/transfer")).await;
        assert_eq!((&answer["statusCode"], answer["headers"].get("Retry-After")), (&json!(504), None), "{service}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["error"], "outcomeUnknown", "{service}");
        assert!(body["message"].as_str().unwrap().starts_with("The service gave an invalid answer. "), "{body}");
        assert_eq!(outcomes(&controller), [Some("Error")], "{service}");
    }
}

#[tokio::test]
async fn the_explicit_form_of_an_answer_can_be_too_large() {
    // Each quotation mark is two characters in the body.
    let list = format!("[{}\"\"]", "\"\",".repeat(PAYLOAD_LIMIT / 3 - 2));
    assert!(list.len() <= PAYLOAD_LIMIT);
    let controller = answering(list);
    let answer = ask(&controller, &event("GET", "/report")).await;
    assert_eq!((&answer["statusCode"], outcomes(&controller)), (&json!(502), vec![None]));
}

/// Each kind of failure without an answer, whether the service may have run, and the cause in the caller's message.
fn without_answer() -> Vec<(InvokeError, bool, &'static str)> {
    vec![
        (InvokeError::TimedOut, true, "The service did not answer in time."),
        (InvokeError::Lost("connection closed".into()), true, "The service's answer did not arrive."),
        (InvokeError::Crashed("Unhandled".into()), true, "The service ended in an error."),
        (InvokeError::InvalidResponse("no JSON".into()), true, "The service gave an invalid answer."),
        (InvokeError::Throttled, false, "The service has no capacity left."),
        (InvokeError::NotInvoked("no such function".into()), false, "The service could not be invoked."),
    ]
}

async fn error_of(problem: InvokeError, method: &str) -> (Value, Value, Option<&'static str>) {
    let answers = [Err(problem.clone()), Err(problem.clone()), Err(problem)];
    let controller = with_answers(Ok(stored(1)), answers);
    let answer = ask(&controller, &event(method, "/transfer")).await;
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer, body, outcomes(&controller)[0])
}

#[tokio::test]
async fn unsafe_methods_may_be_sent_again_only_if_nothing_ran() {
    for (problem, may_have_run, cause) in without_answer() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get"] {
            let (answer, body, outcome) = error_of(problem.clone(), method).await;
            let (status, code, retry_after, advice) = if may_have_run {
                (504, "outcomeUnknown", false, "Whether the request was carried out is unknown: check")
            } else {
                (503, "serviceUnavailable", true, "The request was not carried out. Try again")
            };
            let told = (&answer["statusCode"], &body["error"], common::waits(&answer));
            assert_eq!(told, (&json!(status), &json!(code), retry_after), "{method} {problem}");
            let message = body["message"].as_str().unwrap();
            assert!(message.starts_with(cause) && message.contains(advice), "{method} {problem}: {message}");
            assert_eq!((outcome, &body["level"]), (Some("Error"), &json!(1)), "{method} {problem}");
        }
    }
}

#[tokio::test]
async fn safe_methods_may_always_be_sent_again() {
    for (problem, _, cause) in without_answer() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let (answer, body, outcome) = error_of(problem.clone(), method).await;
            let told = (&answer["statusCode"], &body["error"], common::waits(&answer));
            assert_eq!(told, (&json!(503), &json!("serviceUnavailable"), true), "{method} {problem}");
            let message = body["message"].as_str().unwrap();
            assert!(message.starts_with(cause) && message.ends_with("Try again shortly."), "{problem}: {message}");
            assert_eq!(outcome, Some("Error"), "{method} {problem}");
            // An attempt before the last one may have carried the request out.
            assert!(!message.contains("not carried out"), "{problem}: {message}");
        }
    }
}

#[tokio::test]
async fn an_answer_too_large_for_a_post_says_that_the_service_ran() {
    let (answer, body, outcome) = error_of(InvokeError::AnswerTooLarge, "POST").await;
    assert_eq!((&answer["statusCode"], &body["error"], outcome), (&json!(502), &json!("answerTooLarge"), None));
    assert_eq!(answer["headers"].get("Retry-After"), None);
    let message = body["message"].as_str().unwrap();
    for expected in ["The service answered", "6283264 bytes", "check the result before you send the request again"] {
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let (_, body, _) = error_of(InvokeError::AnswerTooLarge, "GET").await;
    assert!(body["message"].as_str().unwrap().ends_with("Ask for less."), "{body}");
}
