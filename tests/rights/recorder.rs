//! A proxy between the Lambdas and the local AWS, which records the Lambdas' calls.
//!
//! The local AWS gives each function its own name as access key, so the signature names the caller. The proxy passes
//! the call on with the runner's key, because the tests judge the rights of a role, not the local AWS, which supports
//! fewer condition keys and refuses calls without TLS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::net::TcpListener;

/// Maximum size of a body in bytes, larger than any that the tests send.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// The runner's own access key.
const RUNNER: &str = "test";

/// A request as `requests.py` reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Sent {
    #[serde(skip)]
    pub access_key: String,
    pub service: String,
    pub method: String,
    pub path: String,
    pub target: String,
    /// The body in base64.
    pub body: String,
}

#[derive(Default)]
struct Shared {
    upstream: OnceLock<String>,
    client: OnceLock<reqwest::Client>,
    sent: Mutex<Vec<Sent>>,
}

/// A running recorder.
pub struct Recorder {
    pub address: String,
    shared: Arc<Shared>,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        shared.client.set(reqwest::Client::builder().no_proxy().build().unwrap()).unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, shared }
    }

    /// Passes calls on to the server at `endpoint` from now on. Earlier calls are refused.
    pub fn stand_before(&self, endpoint: &str) {
        self.shared.upstream.set(endpoint.to_owned()).unwrap();
    }

    /// Returns the requests so far, by the access key that signed them.
    pub fn sent(&self) -> BTreeMap<String, Vec<Sent>> {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for sent in self.shared.sent.lock().unwrap().iter() {
            by_key.entry(sent.access_key.clone()).or_default().push(sent.clone());
        }
        by_key
    }
}

fn read(parts: &Parts, body: &[u8]) -> Sent {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request, ...
    let scope = header(AUTHORIZATION.as_str()).split("Credential=").nth(1).unwrap_or_default();
    let mut scope = scope.split('/');
    Sent {
        access_key: scope.next().unwrap_or_default().to_owned(),
        service: scope.nth(2).unwrap_or_default().to_owned(),
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        target: header("x-amz-target").to_owned(),
        body: STANDARD.encode(body),
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let (Ok(body), Some(endpoint)) = (axum::body::to_bytes(body, BODY_LIMIT).await, shared.upstream.get()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let sent = read(&parts, &body);
    if !sent.access_key.is_empty() && sent.access_key != RUNNER {
        let signed = parts.headers[AUTHORIZATION].to_str().unwrap().replace(&sent.access_key, RUNNER);
        parts.headers.insert(AUTHORIZATION, signed.parse().unwrap());
        shared.sent.lock().unwrap().push(sent);
    }
    forward(&shared, endpoint, parts, body).await
}

async fn forward(shared: &Shared, endpoint: &str, parts: Parts, body: Bytes) -> Response {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let client = shared.client.get().unwrap();
    let call = client.request(parts.method, format!("{endpoint}{path}")).headers(end_to_end(parts.headers));
    let Ok(answer) = call.body(body).send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = end_to_end(headers);
    response
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

#[tokio::test]
async fn a_call_is_recorded_and_passed_on_with_the_runners_key() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", upstream.local_addr().unwrap());
    let echo = |headers: HeaderMap| async move { headers[AUTHORIZATION].to_str().unwrap().to_owned() };
    tokio::spawn(axum::serve(upstream, Router::new().fallback(echo)).into_future());
    let recorder = Recorder::start().await;
    recorder.stand_before(&endpoint);
    let signed =
        |key: &str| format!("AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/dynamodb/aws4_request, Signature=0");
    let call = |key: &str| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = client.post(&recorder.address).header(AUTHORIZATION, signed(key));
        call.header("x-amz-target", "DynamoDB_20120810.GetItem").body("{}").send()
    };
    assert_eq!(call("bank-controller").await.unwrap().text().await.unwrap(), signed(RUNNER));
    assert_eq!(call(RUNNER).await.unwrap().text().await.unwrap(), signed(RUNNER));
    let sent = recorder.sent();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["bank-controller"], "the runner's own calls are not recorded");
    let sent = &sent["bank-controller"][0];
    assert_eq!((sent.service.as_str(), sent.target.as_str()), ("dynamodb", "DynamoDB_20120810.GetItem"));
    assert_eq!(STANDARD.decode(&sent.body).unwrap(), b"{}");
}
