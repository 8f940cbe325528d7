//! A proxy between the Lambdas and the local AWS, which injects faults of networks, services and machines into chosen
//! calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use local::lambdas::Lambdas;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Maximum size of a body in bytes, larger than any that the tests send.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The runner's own access key; the Lambdas have others.
const RUNNER: &str = "test";

/// The calls that a fault applies to.
#[derive(Clone, Debug)]
pub struct Calls {
    pub service: &'static str,
    /// The operation; empty means every operation.
    pub operation: &'static str,
    /// A text that the call's body must contain.
    pub saying: String,
    /// Whether the fault applies to the runner's calls, such as those of the `CloudWatch` stand-in, instead of the
    /// Lambdas'.
    pub of_runner: bool,
}

impl Calls {
    pub fn to(service: &'static str, operation: &'static str) -> Self {
        Self { service, operation, saying: String::new(), of_runner: false }
    }

    pub fn saying(self, text: &str) -> Self {
        Self { saying: text.to_owned(), ..self }
    }

    pub fn of_runner(self) -> Self {
        Self { of_runner: true, ..self }
    }
}

/// A fault of a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The call is refused, as by a service that is down.
    Refuse,
    /// The connection breaks before the service gets the call.
    Break,
    /// The service carries out the call, and the answer is lost.
    LoseAnswer,
    /// The calling function is killed before the service gets the call.
    KillBefore(String),
    /// The calling function is killed after the service has carried out the call.
    KillAfter(String),
    /// The call waits until the fault ends.
    Hold,
}

struct Rule {
    calls: Calls,
    fault: Fault,
    left: AtomicU64,
    /// Number of calls that the fault was applied to.
    hits: watch::Sender<u64>,
    /// Whether calls that wait may go on.
    open: watch::Sender<bool>,
}

#[derive(Default)]
struct Shared {
    upstream: OnceLock<(String, Lambdas)>,
    client: OnceLock<reqwest::Client>,
    rules: Mutex<Vec<Arc<Rule>>>,
    injected: AtomicU64,
}

/// A running proxy.
pub struct Proxy {
    pub address: String,
    shared: Arc<Shared>,
}

/// An injected fault, which ends when this is dropped.
pub struct Injection {
    rule: Arc<Rule>,
    shared: Arc<Shared>,
}

impl Proxy {
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
    pub fn stand_before(&self, endpoint: &str, lambdas: Lambdas) {
        self.shared.upstream.set((endpoint.to_owned(), lambdas)).ok().unwrap();
    }

    /// Injects `fault` into the next `times` such calls, or into all of them.
    pub fn inject(&self, calls: Calls, fault: Fault, times: Option<u64>) -> Injection {
        let left = AtomicU64::new(times.unwrap_or(u64::MAX));
        let rule = Arc::new(Rule { calls, fault, left, hits: watch::Sender::new(0), open: watch::Sender::new(false) });
        self.shared.rules.lock().unwrap().push(Arc::clone(&rule));
        Injection { rule, shared: Arc::clone(&self.shared) }
    }

    /// Returns the number of faults injected so far.
    pub fn injected(&self) -> u64 {
        self.shared.injected.load(Ordering::Relaxed)
    }
}

impl Injection {
    /// Waits until the fault was applied to `times` calls.
    pub async fn hit(&self, times: u64) {
        let mut hits = self.rule.hits.subscribe();
        let hit = hits.wait_for(|hits| *hits >= times);
        tokio::time::timeout(super::common::DEADLINE, hit).await.expect("no call met the fault").unwrap();
    }
}

impl Drop for Injection {
    /// Ends the fault, and lets waiting calls go on.
    fn drop(&mut self) {
        self.shared.rules.lock().unwrap().retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        self.rule.open.send_replace(true);
    }
}

/// The access key, service and operation of a call.
struct Call {
    access_key: String,
    service: String,
    operation: String,
}

impl Call {
    fn of(parts: &Parts, body: &[u8]) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request, ...
        let scope = header(AUTHORIZATION.as_str()).split("Credential=").nth(1).unwrap_or_default();
        let mut scope = scope.split('/');
        let access_key = scope.next().unwrap_or_default().to_owned();
        let service = scope.nth(2).unwrap_or_default().to_owned();
        let path = parts.uri.path();
        // JSON protocols name the operation in a header, CBOR in the path, the query protocol in the body.
        let named = header("x-amz-target").rsplit('.').next().filter(|name| !name.is_empty());
        let text = String::from_utf8_lossy(body);
        let operation = named
            .or_else(|| path.split("/operation/").nth(1))
            .or_else(|| text.split('&').find_map(|pair| pair.strip_prefix("Action=")))
            .unwrap_or_default()
            .to_owned();
        Self { access_key, service, operation }
    }
}

impl Rule {
    fn is_for(&self, call: &Call, body: &[u8]) -> bool {
        let Calls { service, operation, saying, of_runner } = &self.calls;
        call.service == *service
            && (operation.is_empty() || call.operation == *operation)
            && (call.access_key == RUNNER) == *of_runner
            && (saying.is_empty() || String::from_utf8_lossy(body).contains(saying.as_str()))
    }

    fn take(&self) -> bool {
        let one_less = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else { return refused() };
    let Some((endpoint, lambdas)) = shared.upstream.get() else { return refused() };
    let call = Call::of(&parts, &body);
    let rules = shared.rules.lock().unwrap().clone();
    let Some(rule) = rules.into_iter().find(|rule| rule.is_for(&call, &body) && rule.take()) else {
        return shared.forward(endpoint, parts, body).await;
    };
    shared.injected.fetch_add(1, Ordering::Relaxed);
    if let Fault::LoseAnswer | Fault::KillAfter(_) = rule.fault {
        drop(shared.forward(endpoint, parts.clone(), body.clone()).await);
    }
    if let Fault::KillBefore(function) | Fault::KillAfter(function) = &rule.fault {
        assert_ne!(lambdas.kill(function), 0, "{function} makes calls and has no process");
    }
    rule.hits.send_modify(|hits| *hits += 1);
    match rule.fault {
        Fault::Refuse => refused(),
        Fault::Hold => {
            let _ = rule.open.subscribe().wait_for(|open| *open).await;
            shared.forward(endpoint, parts, body).await
        }
        Fault::Break | Fault::LoseAnswer | Fault::KillBefore(_) | Fault::KillAfter(_) => broken(),
    }
}

impl Shared {
    async fn forward(&self, endpoint: &str, parts: Parts, body: Bytes) -> Response {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let client = self.client.get().unwrap();
        let call = client.request(parts.method, format!("{endpoint}{path}")).headers(end_to_end(parts.headers));
        let Ok(answer) = call.body(body).send().await else { return broken() };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let Ok(body) = answer.bytes().await else { return broken() };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = end_to_end(headers);
        response
    }
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

fn refused() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "{\"__type\":\"ServiceUnavailable\",\"message\":\"down for a test\"}")
        .into_response()
}

/// Returns an answer whose connection breaks before its body.
fn broken() -> Response {
    let nothing = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken for a test")) });
    Response::new(Body::from_stream(nothing))
}
