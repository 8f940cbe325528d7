//! `infrastructure/status-page.sh` against an API that looks at the signature.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
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
use local::folders;
use local::python::Python;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "a+secret/of\"somebody\\'s";
const TOKEN: &str = "a/token+of==somebody";
const PAGE: &str = "<!DOCTYPE html><title>the page</title>";

type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// An API that answers everything alike and keeps the headers that it was sent.
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

/// A folder with a `curl` in it that writes its arguments down and then is the real one.
fn watched_curl() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let curl = folder.path().join("curl");
    let script = format!(
        "#!/bin/bash\nprintf '%s\\n' \"$@\" >>{}\nPATH=${{PATH#*:}} exec curl \"$@\"\n",
        folder.path().join("arguments").display()
    );
    fs::write(&curl, script).unwrap();
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn run(folder: &TempDir, token: &str, arguments: &[&str]) -> Output {
    let python = Python::set_up().await.unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    local::server::isolate(&mut command);
    command
        .arg(folders::project().join("infrastructure/status-page.sh"))
        .args(["--region", "eu-central-1"])
        .args(arguments)
        .env("PATH", format!("{}:{}:{path}", folder.path().display(), python.programs().display()))
        .env("TMPDIR", folder.path())
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", token)
        .env("BROWSER", "true");
    command.output().await.unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

/// The signature that a request with these headers should have.
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
async fn the_page_is_fetched_with_a_right_signature_and_no_secret_is_an_argument() {
    for token in ["", TOKEN] {
        let (address, seen) = api(StatusCode::OK, "text/html; charset=utf-8").await;
        let folder = watched_curl();
        let page = folder.path().join("status.html");
        let output = run(&folder, token, &["--api-url", &address, "--output", page.to_str().unwrap()]).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read_to_string(page).unwrap(), PAGE);
        let seen = seen.lock().unwrap();
        let [headers] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(text(headers, "accept"), "text/html");
        assert_eq!(headers.get("x-amz-security-token").map_or("", |token| token.to_str().unwrap()), token);
        let authorization = text(headers, "authorization");
        let signature = expected_signature(&address, headers, token);
        assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}, not {signature}");
        let arguments = fs::read_to_string(folder.path().join("arguments")).unwrap();
        assert!(arguments.contains("--config"));
        for secret in [KEY, SECRET, TOKEN] {
            assert!(!arguments.contains(secret), "{arguments}");
        }
    }
}

#[tokio::test]
async fn a_fetched_page_is_opened_and_where_it_is_is_said() {
    let (address, _) = api(StatusCode::OK, "text/html").await;
    let folder = watched_curl();
    let output = run(&folder, "", &["--api-url", &address]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let opened = said.trim().strip_prefix("Opened ").unwrap();
    assert_eq!(fs::read_to_string(opened).unwrap(), PAGE);
}

#[tokio::test]
async fn what_is_no_page_is_said_with_the_remedy() {
    for (status, content_type, told) in [
        (StatusCode::FORBIDDEN, "application/json", "execute-api:Invoke"),
        (StatusCode::UNAUTHORIZED, "application/json", "StatusAuthorization"),
        (StatusCode::OK, "application/json", "older than this script"),
        (StatusCode::BAD_GATEWAY, "text/html", "status 502"),
    ] {
        let (address, _) = api(status, content_type).await;
        let output = run(&watched_curl(), "", &["--api-url", &address]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(told), "{said}");
    }
    let output = run(&watched_curl(), "", &["--api-url", "http://127.0.0.1:1"]).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("does not answer"));
}
