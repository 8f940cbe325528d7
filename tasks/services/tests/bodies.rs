//! Tests valid bodies of `POST /transfer` and `POST /test`, and the messages for invalid bodies.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use aws_edge::config::BasePath;
use aws_edge::metrics::{MetricLog, MetricSet};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breaker::Level;
use jiff::Timestamp;
use serde_json::{Value, json};
use services::{Service, Simulation};

struct Steady;

impl Simulation for Steady {
    fn fails(&self) -> bool {
        false
    }
    async fn work(&self) {}
    async fn hang(&self) {}
}

struct Unrecorded;

impl MetricLog for Unrecorded {
    fn record(&self, _: Timestamp, _: &MetricSet) {}
}

/// Posts `body` as `content_type`, encoded as API Gateway encodes it. Returns the status and the answer's body.
async fn post(path: &str, content_type: Option<&str>, body: &[u8]) -> (u16, Value) {
    let is_text = content_type.is_some_and(|name| name.starts_with("text/") || name.starts_with("application/json"));
    let text = std::str::from_utf8(body).ok().filter(|_| is_text);
    let event = json!({
        "rawPath": path,
        "headers": content_type.map(|name| json!({ "content-type": name })),
        "body": text.map_or_else(|| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_none(),
        "requestContext": { "http": { "method": "POST" } },
    });
    let service = Service {
        level: Level::Full,
        simulation: Steady,
        metrics: Unrecorded,
        deployment: "bank-test".to_owned(),
        base_path: BasePath::default(),
        fault_injection: true,
    };
    let response = service.handle(event).await.unwrap();
    (response.status_code, serde_json::from_str(&response.body).unwrap())
}

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

#[tokio::test]
async fn a_list_is_no_transfer_and_no_test() {
    for (path, body, says) in [
        ("/transfer", r#"["1","2","10"]"#, "The body is a list: send a JSON object with `fromAccount`"),
        ("/transfer", r#"["1","2",10]"#, "The body is a list"),
        ("/transfer", "[]", "The body is a list"),
        ("/transfer", " \n[{}]", "The body is a list"),
        ("/transfer", r#"[{"fromAccount":"1","toAccount":"2","amount":1}]"#, "The body is a list"),
        ("/transfer", r#""1""#, "The body is a text"),
        ("/transfer", "7", "The body is a number"),
        ("/transfer", "null", "The body is null"),
        ("/test", "[true]", "The body is a list: send the JSON object {\"error\": true}"),
        ("/test", "[]", "The body is a list"),
        ("/test", "[[true]]", "The body is a list"),
        ("/test", "true", "The body is a boolean"),
        ("/test", "null", "The body is null"),
        ("/test", r#"{"error":[true]}"#, "`error`"),
    ] {
        let (status, answer) = post(path, JSON, body.as_bytes()).await;
        let message = answer["message"].as_str().unwrap();
        assert_eq!(status, 400, "{path} {body}: {message}");
        assert!(message.contains(says), "{path} {body}: {message}");
    }
}

#[tokio::test]
async fn another_format_than_json_is_415_and_named() {
    for (path, content_type, body) in [
        ("/transfer", FORM, &b"fromAccount=1&toAccount=2&amount=10"[..]),
        ("/transfer", Some("application/x-www-form-urlencoded; charset=utf-8"), b"amount=10"),
        ("/transfer", Some("application/xml"), b"<transfer/>"),
        ("/transfer", Some("text/plain"), b"ten to account 2, please"),
        ("/transfer", Some("multipart/form-data; boundary=x"), b"--x\r\n\r\n1\r\n--x--"),
        ("/transfer", Some("application/octet-stream"), b"\xff\xfe\x00"),
        ("/transfer", FORM, b"1=2&amount=10"),
        ("/test", FORM, b"error=true"),
        ("/test", FORM, b"true=1"),
        ("/test", Some("text/yaml"), b"error: true"),
    ] {
        let (status, answer) = post(path, content_type, body).await;
        let message = answer["message"].as_str().unwrap();
        assert_eq!((status, &answer["error"]), (415, &json!("unsupportedMediaType")), "{message}");
        for expected in [content_type.unwrap(), "is not JSON", "Content-Type: application/json"] {
            assert!(message.contains(expected), "{expected}: {message}");
        }
    }
}

#[tokio::test]
async fn invalid_json_is_400_with_the_place() {
    for (content_type, body, says) in [
        (JSON, &b"fromAccount=1"[..], "The body is not JSON (line 1, column 2): send a JSON object"),
        (Some("application/json; charset=utf-8"), b"{\"fromAccount\":\"1\",}", "not JSON (line 1, column 20)"),
        (Some("application/vnd.bank+json"), b"{'fromAccount':'1'}", "not JSON (line 1, column 2)"),
        (JSON, b"{\"fromAccount\":\"1\"", "ends too early"),
        (JSON, b"\xff\xfe{}", "not UTF-8"),
        (None, b"fromAccount=1", "The body is not JSON (line 1, column 2)"),
        (JSON, b"1=2", "The body is not JSON: send"),
        (JSON, b"[1,", "The body is not JSON: send"),
        (JSON, b"{\"fromAccount\":\"1\",\"toAccount\":\"2\",\"amount\":1} {}", "more than one JSON value"),
    ] {
        let (status, answer) = post("/transfer", content_type, body).await;
        let message = answer["message"].as_str().unwrap();
        assert_eq!((status, &answer["error"]), (400, &json!("badTransfer")), "{message}");
        assert!(message.contains(says) && !message.contains("ident"), "{says}: {message}");
    }
}

#[tokio::test]
async fn json_is_taken_whatever_format_the_request_says() {
    // By default curl's option `-d` sends the content type form-urlencoded.
    for content_type in [JSON, FORM, None, Some("text/plain"), Some("APPLICATION/JSON")] {
        let body = br#" {"fromAccount":"1","toAccount":"2","amount":"10.50"} "#;
        assert_eq!(post("/transfer", content_type, body).await.0, 200, "{content_type:?}");
        assert_eq!(post("/test", content_type, b"{\"error\":true}").await.0, 500, "{content_type:?}");
        assert_eq!(post("/test", content_type, b"").await.0, 200, "{content_type:?}");
    }
}

#[tokio::test]
async fn an_invalid_account_id_is_refused_with_the_reason() {
    const USE: &str = ": use 1 to 34 letters (A to Z, a to z), digits or hyphens";
    let long = "1".repeat(35);
    for (id, problem) in [
        ("", "is empty"),
        (long.as_str(), "has 35 characters"),
        ("a b", "contains ' '"),
        ("a_b", "contains '_'"),
        ("DE89 3704", "contains ' '"),
        ("é", "contains 'é'"),
        ("\u{202e}1", "contains '\\u{202e}'"),
        ("1\n", "contains '\\n'"),
    ] {
        for field in ["fromAccount", "toAccount"] {
            let mut body = json!({ "fromAccount": "1", "toAccount": "2", "amount": 1 });
            body[field] = json!(id);
            let (status, answer) = post("/transfer", JSON, body.to_string().as_bytes()).await;
            assert_eq!((status, &answer["message"]), (400, &json!(format!("`{field}` {problem}{USE}"))), "{id:?}");
        }
    }
}

#[tokio::test]
async fn an_event_of_lists_is_no_event() {
    let service = Service {
        level: Level::Full,
        simulation: Steady,
        metrics: Unrecorded,
        deployment: "bank-test".to_owned(),
        base_path: BasePath::default(),
        fault_injection: true,
    };
    for event in [
        json!(["/account/1", [["GET"]], {}, null, null, null]),
        json!({ "rawPath": "/account/1", "requestContext": [["GET"]] }),
        json!({ "rawPath": "/account/1", "requestContext": [{ "method": "GET" }] }),
        json!({ "rawPath": "/account/1", "requestContext": { "http": ["GET"] } }),
        json!([]),
    ] {
        let response = service.handle(event.clone()).await.unwrap();
        assert_eq!(response.status_code, 400, "{event}");
        assert!(response.body.contains("badEvent"), "{event}");
    }
}
