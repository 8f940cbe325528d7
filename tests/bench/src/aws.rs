//! Stubs of the AWS services that the Lambdas call. They speak TLS, answer at once, and count the calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use axum::{Router, serve};
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::events;
use crate::tls::TestAuthority;

/// The calls and handshakes of the Lambdas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// TLS handshakes.
    pub handshakes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    calls: Mutex<BTreeMap<String, u64>>,
    handshakes: AtomicU64,
    /// Time after which an invocation is answered, in milliseconds.
    service_milliseconds: AtomicU64,
}

/// The stub of all services. It ends when it is dropped.
#[derive(Debug)]
pub struct Aws {
    address: SocketAddr,
    counters: Arc<Counters>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Answers {
    counters: Arc<Counters>,
    item: Bytes,
    metric_data: Bytes,
}

impl Aws {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port is free, or the answers cannot be written.
    pub async fn start(authority: &TestAuthority) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the stubs of AWS")?;
        let address = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let state = serde_json::to_value(events::state()?)?;
        let answers = Answers {
            counters: Arc::clone(&counters),
            item: json!({ "Item": attribute(&state).get("M") }).to_string().into(),
            metric_data: metric_data().into(),
        };
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(answers);
        let acceptor = TlsAcceptor::from(Arc::clone(&authority.server));
        let tls = TlsListener::new(listener, address, acceptor, Arc::clone(&counters));
        let server = tokio::spawn(async move { drop(serve(tls, router).await) });
        Ok(Self { address, counters, server })
    }

    /// Returns the address for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Sets the time after which an invocation of a service is answered.
    pub fn answer_invocations_after(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.counters.service_milliseconds.store(milliseconds, Ordering::Relaxed);
    }

    /// Returns the counts since the last call, and begins new ones.
    #[must_use]
    pub fn take(&self) -> Counted {
        let calls = std::mem::take(&mut *self.counters.calls.lock().unwrap_or_else(PoisonError::into_inner));
        Counted { calls, handshakes: self.counters.handshakes.swap(0, Ordering::Relaxed) }
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A listener whose connections have finished their handshake.
struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    fn new(tcp: TcpListener, address: SocketAddr, acceptor: TlsAcceptor, counters: Arc<Counters>) -> Self {
        let (sender, ready) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((connection, address)) = tcp.accept().await {
                let (acceptor, counters, sender) = (acceptor.clone(), Arc::clone(&counters), sender.clone());
                // In a task for each, because a Lambda may open several connections at once.
                tokio::spawn(async move {
                    drop(connection.set_nodelay(true));
                    // An error is ignored: the client was ended during the handshake.
                    if let Ok(stream) = acceptor.accept(connection).await {
                        counters.handshakes.fetch_add(1, Ordering::Relaxed);
                        drop(sender.send((stream, address)).await);
                    }
                });
            }
        });
        Self { ready, address }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn answer(State(answers): State<Answers>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // A service answers only after the whole request has arrived.
    if axum::body::to_bytes(body, usize::MAX).await.is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let operation = operation(&parts.headers, &parts.uri);
    let service = answers.counters.service_milliseconds.load(Ordering::Relaxed);
    if operation == "Invoke" && service > 0 {
        tokio::time::sleep(Duration::from_millis(service)).await;
    }
    let response = answers.to(&operation);
    *answers.counters.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
    response
}

/// Returns the operation that a request names, in any of the three protocols of AWS.
fn operation(headers: &HeaderMap, uri: &Uri) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    match uri.path().rsplit_once('/') {
        Some((_, "invocations")) => "Invoke".to_owned(),
        Some((before, operation)) if before.ends_with("/operation") => operation.to_owned(),
        _ => uri.path().to_owned(),
    }
}

impl Answers {
    fn to(&self, operation: &str) -> Response {
        let json = |body: Bytes| ([("Content-Type", "application/x-amz-json-1.0")], body).into_response();
        let cbor = |body: Bytes| {
            ([("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body).into_response()
        };
        match operation {
            "GetItem" => json(self.item.clone()),
            "TransactWriteItems" => json(Bytes::from_static(b"{}")),
            "StartSyncExecution" => json(Bytes::from_static(
                br#"{"executionArn":"arn:aws:states:us-east-1:123456789012:express:level-transition:run:1","startDate":1789049172.0,"stopDate":1789049172.1,"status":"SUCCEEDED","output":"{}"}"#,
            )),
            "Invoke" => (
                [("Content-Type", "application/json"), ("X-Amz-Executed-Version", "$LATEST")],
                r#"{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{\"accountId\":\"12345\",\"balance\":\"1024.50\",\"currency\":\"EUR\"}","isBase64Encoded":false}"#,
            )
                .into_response(),
            "Query" => json(Bytes::from_static(br#"{"Items":[],"Count":0,"ScannedCount":0}"#)),
            "GetMetricData" => cbor(self.metric_data.clone()),
            // An empty map.
            "PutMetricData" | "DescribeAlarms" | "DescribeAlarmHistory" => cbor(Bytes::from_static(b"\xa0")),
            _ => (StatusCode::NOT_IMPLEMENTED, format!("the stub knows no {operation}")).into_response(),
        }
    }
}

/// Returns a value in `DynamoDB`'s JSON.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(value) => json!({ "N": value.to_string() }),
        Value::String(value) => json!({ "S": value }),
        Value::Array(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(members) => {
            let members: Map<_, _> = members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({ "M": members })
        }
    }
}

/// Returns one page of metric data: five minutes with a success in each second and no error.
fn metric_data() -> Vec<u8> {
    const SECONDS: u32 = 300;
    let end = jiff::Timestamp::now().as_second();
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(1).str("MetricDataResults").array(2);
    for (id, values) in [("success", SECONDS), ("error", 0)] {
        encoder.map(4).str("Id").str(id).str("StatusCode").str("Complete");
        encoder.str("Timestamps").array(values as usize);
        for second in 0..values {
            encoder.timestamp(&DateTime::from_secs(end - i64::from(second)));
        }
        encoder.str("Values").array(values as usize);
        for _ in 0..values {
            encoder.double(1.0);
        }
    }
    encoder.into_writer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_known_in_each_protocol() {
        let mut headers = HeaderMap::new();
        let invoke = Uri::from_static("/2015-03-31/functions/full-service/invocations");
        assert_eq!(operation(&headers, &invoke), "Invoke");
        let metrics = Uri::from_static("/service/GraniteServiceVersion20100801/operation/GetMetricData");
        assert_eq!(operation(&headers, &metrics), "GetMetricData");
        headers.insert("x-amz-target", "DynamoDB_20120810.GetItem".parse().unwrap());
        assert_eq!(operation(&headers, &Uri::from_static("/")), "GetItem");
    }

    #[test]
    fn a_state_is_written_as_an_item() {
        assert_eq!(
            attribute(&json!({ "currentLevel": 1, "execution": "a", "hold": null })),
            json!({ "M": { "currentLevel": { "N": "1" }, "execution": { "S": "a" }, "hold": { "NULL": true } } })
        );
    }
}
