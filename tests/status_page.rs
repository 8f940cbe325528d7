//! Tests `breaker status --open` and `--output` with an API that checks the signature.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::fs;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use jiff::fmt::strtime;
use tokio::net::TcpListener;
use tokio::process::Command;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "a+secret/of\"operator\\'s";
const TOKEN: &str = "a/token+of==operator";
const PAGE: &str = "<!DOCTYPE html><title>the page</title>";

type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// Starts an API that gives every request the same answer and keeps the request's headers.
async fn api(status: StatusCode, content_type: &'static str) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let router = Router::new().fallback(move |headers: HeaderMap| {
        kept.lock().unwrap().push(headers);
        async move { (status, [(header::CONTENT_TYPE, content_type)], PAGE).into_response() }
    });
    tokio::spawn(axum::serve(listener, router).into_future());
    (address, seen)
}

async fn run(token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breaker"));
    local::server::isolate(&mut command);
    command
        .args(["status", "--environment", "dev", "--region", "eu-central-1"])
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", token)
        .env("BROWSER", "true");
    command.output().await.unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

/// Returns the signature that a request with these headers must have.
fn expected_signature(address: &str, headers: &HeaderMap, token: &str) -> String {
    let date = strtime::parse("%Y%m%dT%H%M%SZ", text(headers, "x-amz-date")).unwrap().to_datetime().unwrap();
    let time: Timestamp = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let token = Some(token).filter(|token| !token.is_empty()).map(str::to_owned);
    let identity = Credentials::new(KEY, SECRET, token, None, "test").into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("execute-api")
        .time(SystemTime::from(time))
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let sent = [("accept", text(headers, "accept")), ("host", text(headers, "host"))];
    let url = format!("{address}/circuit-breaker");
    let request = SignableRequest::new("GET", &url, sent.into_iter(), SignableBody::Bytes(b"")).unwrap();
    sign(request, &parameters.into()).unwrap().into_parts().1
}

#[tokio::test]
async fn the_page_is_fetched_with_a_right_signature() {
    for token in ["", TOKEN] {
        let (address, seen) = api(StatusCode::OK, "text/html; charset=utf-8").await;
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("status.html");
        let output = run(token, &["--api-url", &address, "--output", page.to_str().unwrap()]).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read_to_string(page).unwrap(), PAGE);
        let seen = seen.lock().unwrap();
        let [headers] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(text(headers, "accept"), "text/html");
        assert_eq!(headers.get("x-amz-security-token").map_or("", |token| token.to_str().unwrap()), token);
        let authorization = text(headers, "authorization");
        let signature = expected_signature(&address, headers, token);
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}, not {signature}");
    }
}

#[tokio::test]
async fn a_fetched_page_is_opened_and_its_file_named() {
    let (address, _) = api(StatusCode::OK, "text/html").await;
    let output = run("", &["--open", "--api-url", &address]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let opened = said.trim().strip_prefix("Opened ").unwrap();
    assert_eq!(fs::read_to_string(opened).unwrap(), PAGE);
    fs::remove_dir_all(std::path::Path::new(opened).parent().unwrap()).unwrap();
}

#[tokio::test]
async fn an_answer_that_is_no_page_is_named_with_the_remedy() {
    for (status, content_type, told) in [
        (StatusCode::FORBIDDEN, "application/json", "execute-api:Invoke"),
        (StatusCode::UNAUTHORIZED, "application/json", "StatusAuthorization"),
        (StatusCode::OK, "application/json", "of an older release"),
        (StatusCode::BAD_GATEWAY, "text/html", "status 502"),
    ] {
        let (address, _) = api(status, content_type).await;
        let output = run("", &["--open", "--api-url", &address]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(told), "{said}");
    }
    let output = run("", &["--open", "--api-url", "http://127.0.0.1:1"]).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("does not answer"));
}
