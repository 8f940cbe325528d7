//! A stub of Lambda's runtime API for one environment, which records the times of its calls.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Time until the deadline that the runtime gets for an invocation.
const DEADLINE: Duration = Duration::from_mins(1);

/// A call of the environment.
#[derive(Debug)]
pub enum Call {
    /// The environment asks for an event.
    Next {
        /// Time at which the call arrived.
        at: Instant,
        /// The sender of the event.
        reply: oneshot::Sender<String>,
    },
    /// The environment answers.
    Answer {
        /// Time at which the whole answer had arrived.
        at: Instant,
        /// The answer.
        body: Bytes,
    },
    /// The environment reports a failure, of its start or of an event.
    Failure {
        /// The report.
        body: Bytes,
    },
}

/// A running stub. It ends when it is dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    /// The stub's address.
    pub address: SocketAddr,
    /// The calls of the environment, in their order.
    pub calls: mpsc::Receiver<Call>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the runtime API")?;
        let address = listener.local_addr()?;
        let (sender, calls) = mpsc::channel(4);
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(std::future::pending::<StatusCode>))
            .layer(DefaultBodyLimit::disable())
            .with_state(sender);
        // Without this, Nagle's algorithm holds answers back for milliseconds.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let server = tokio::spawn(async move { drop(serve(listener, router).await) });
        Ok(Self { address, calls, server })
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(calls): State<mpsc::Sender<Call>>) -> Response {
    let (reply, event) = oneshot::channel();
    let told = calls.send(Call::Next { at: Instant::now(), reply }).await;
    match (told, event.await) {
        (Ok(()), Ok(event)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let headers = [
                ("Content-Type", "application/json".to_owned()),
                ("Lambda-Runtime-Aws-Request-Id", format!("00000000-0000-4000-8000-{:012x}", now.as_micros())),
                ("Lambda-Runtime-Deadline-Ms", (now + DEADLINE).as_millis().to_string()),
                (
                    "Lambda-Runtime-Invoked-Function-Arn",
                    "arn:aws:lambda:us-east-1:123456789012:function:bench".to_owned(),
                ),
                ("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0".to_owned()),
            ];
            (headers, event).into_response()
        }
        // The measurement is over.
        _ => StatusCode::GONE.into_response(),
    }
}

async fn register() -> Response {
    [("Lambda-Extension-Identifier", "00000000-0000-4000-8000-000000000000")].into_response()
}

async fn response(State(calls): State<mpsc::Sender<Call>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    tell(&calls, Call::Answer { at: Instant::now(), body }).await
}

async fn error(State(calls): State<mpsc::Sender<Call>>, body: Bytes) -> StatusCode {
    tell(&calls, Call::Failure { body }).await
}

async fn tell(calls: &mpsc::Sender<Call>, call: Call) -> StatusCode {
    if calls.send(call).await.is_ok() { StatusCode::ACCEPTED } else { StatusCode::GONE }
}
