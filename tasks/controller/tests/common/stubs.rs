//! Endpoints on the loopback interface that answer as `DynamoDB` and Lambda do, with and without faults, and count
//! their requests. Each runs on a thread of its own, so that dropping it closes all of its connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_edge::clients::{ROUTING_TIMEOUTS, dynamodb_for_routing, lambda_without_retries, sdk_config};
use aws_edge::settings::Environment;
use aws_edge::stores::state::StateTable;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::post;
use axum::serve::ListenerExt;
use breaker::{Level, PerLevel, RequestRules};
use controller::{Controller, LambdaServices, ProbeLimit, StateCache, StoredLevel};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use super::{Recorded, TTL, five_seconds, policy, stored};

/// A server on loopback.
pub struct Stub {
    pub address: String,
    pub connections: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Stub {
    /// Serves `router`.
    pub fn serve(router: Router) -> Self {
        Self::start(|listener| async move { axum::serve(listener, router).await.unwrap() })
    }

    /// Accepts connections and never answers.
    pub fn mute() -> Self {
        Self::start(|mut listener| async move {
            let mut open = Vec::new();
            loop {
                open.push(axum::serve::Listener::accept(&mut listener).await);
            }
        })
    }

    /// Reads a request and closes the connection.
    pub fn hangs_up() -> Self {
        Self::start(|mut listener| async move {
            loop {
                let (mut stream, _) = axum::serve::Listener::accept(&mut listener).await;
                // It only matters that the request was sent, not how long it is.
                let _ = stream.read(&mut [0; 1_024]).await;
            }
        })
    }

    fn start<F: Future<Output = ()> + Send + 'static>(serve: impl FnOnce(Counted) -> F + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        runtime.spawn(async move {
            let count: Box<dyn FnMut(&mut tokio::net::TcpStream) + Send> = Box::new(move |stream| {
                stream.set_nodelay(true).unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
            });
            serve(TcpListener::from_std(listener).unwrap().tap_io(count)).await;
        });
        Self { address, connections, runtime: Some(runtime) }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

type Counted = axum::serve::TapIo<TcpListener, Box<dyn FnMut(&mut tokio::net::TcpStream) + Send>>;

impl Drop for Stub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An address that refuses connections for as long as this lives: bound, but without a listener.
pub struct Refusing {
    pub address: String,
    _socket: TcpSocket,
}

impl Refusing {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { address: socket.local_addr().unwrap().to_string(), _socket: socket }
    }
}

/// How an endpoint answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this answer, at once.
    Now(u16, Vec<(&'static str, &'static str)>, Vec<u8>),
    /// With no answer.
    Never,
    /// With this answer, after this time.
    After(Duration, u16, Vec<u8>),
}

impl Reply {
    pub fn json(status: u16, json: &Value) -> Self {
        Self::Now(status, vec![], json.to_string().into_bytes())
    }

    async fn give(self) -> Response<Body> {
        let (status, headers, body) = match self {
            Self::Now(status, headers, body) => (status, headers, body),
            Self::Never => std::future::pending().await,
            Self::After(delay, status, body) => {
                tokio::time::sleep(delay).await;
                (status, vec![], body)
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    }
}

/// Returns the answer of `DynamoDB` to a `GetItem` for the state at `level`.
pub fn item(level: u8) -> Reply {
    let StoredLevel::Known(_, Some(state)) = stored(level) else { panic!("no state") };
    let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&*state).unwrap();
    Reply::json(200, &json!({ "Item": attributes(item) }))
}

pub fn attributes(item: HashMap<String, AttributeValue>) -> Value {
    let wire = |value| match value {
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::M(members) => json!({ "M": attributes(members) }),
        other => panic!("{other:?}"),
    };
    item.into_iter().map(|(name, value)| (name, wire(value))).collect::<serde_json::Map<_, _>>().into()
}

/// An error of `DynamoDB`.
pub fn dynamodb_error(status: u16, name: &str) -> Reply {
    let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
    Reply::json(status, &json!({ "__type": name, "message": "no" }))
}

/// A `DynamoDB` whose answer to every read can be changed.
pub struct DynamoDb {
    pub stub: Stub,
    shared: Arc<DynamoDbState>,
}

struct DynamoDbState {
    reply: Mutex<Reply>,
    reads: AtomicUsize,
}

impl DynamoDb {
    pub fn start(reply: Reply) -> Self {
        let shared = Arc::new(DynamoDbState { reply: Mutex::new(reply), reads: AtomicUsize::new(0) });
        let answer = async |State(shared): State<Arc<DynamoDbState>>| {
            shared.reads.fetch_add(1, Ordering::SeqCst);
            let reply = shared.reply.lock().unwrap().clone();
            reply.give().await
        };
        let router = Router::new().fallback(post(answer)).with_state(Arc::clone(&shared));
        Self { stub: Stub::serve(router), shared }
    }

    pub fn answers(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    pub fn reads(&self) -> usize {
        self.shared.reads.load(Ordering::SeqCst)
    }
}

/// A Lambda whose functions give set answers. It keeps the requests of each function.
pub struct Lambda {
    pub stub: Stub,
    shared: Arc<LambdaState>,
}

/// A function's name and what it was sent.
type Invocation = (String, Vec<u8>);

struct LambdaState {
    replies: Mutex<[Reply; 3]>,
    /// Absent if the test sends too many requests to keep them.
    sent: Mutex<Option<Vec<Invocation>>>,
}

/// The answer of a service without faults.
pub fn well() -> Reply {
    Reply::json(200, &json!({ "statusCode": 200, "headers": { "Content-Type": "text/plain" }, "body": "hello" }))
}

impl Lambda {
    /// Sets the answers of the functions, by level.
    pub fn start(replies: [Reply; 3]) -> Self {
        let shared = Arc::new(LambdaState { replies: Mutex::new(replies), sent: Mutex::new(Some(Vec::new())) });
        let invoke =
            async |State(shared): State<Arc<LambdaState>>, Path(function): Path<String>, body: axum::body::Bytes| {
                let level = Level::ALL.iter().position(|level| level.service() == function).unwrap();
                if let Some(sent) = shared.sent.lock().unwrap().as_mut() {
                    sent.push((function, body.to_vec()));
                }
                let reply = shared.replies.lock().unwrap()[level].clone();
                reply.give().await
            };
        let router = Router::new()
            .route("/2015-03-31/functions/{function}/invocations", post(invoke))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        Self { stub: Stub::serve(router), shared }
    }

    /// Sets the answer of the function of `level`.
    pub fn answers(&self, level: Level, reply: Reply) {
        self.shared.replies.lock().unwrap()[usize::from(level.number()) - 1] = reply;
    }

    /// Stops keeping requests, so that the stub does not grow.
    pub fn forget_what_was_sent(&self) {
        *self.shared.sent.lock().unwrap() = None;
    }

    pub fn sent(&self) -> Vec<Invocation> {
        self.shared.sent.lock().unwrap().clone().unwrap()
    }

    /// The functions that were invoked, in order.
    pub fn invoked(&self) -> Vec<String> {
        self.sent().into_iter().map(|(function, _)| function).collect()
    }
}

/// The configuration of a client of the endpoint at `url`, as the controller's `main` has it.
pub fn config(url: &str) -> SdkConfig {
    let environment: Environment = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", url),
    ]
    .into_iter()
    .collect();
    sdk_config(&environment, ROUTING_TIMEOUTS).unwrap()
}

/// The state table behind the endpoint at `url`, as the controller's `main` has it.
pub fn state_table(url: &str) -> StateTable {
    StateTable::new(dynamodb_for_routing(&config(url)), "state".to_owned()).eventually_consistent()
}

pub type RealController = Controller<StateTable, LambdaServices, Recorded>;

/// Returns the controller with the clients that its `main` makes, for these endpoints.
pub fn real_controller(dynamodb_url: &str, lambda_url: &str) -> RealController {
    let functions = PerLevel {
        full: "full-service".to_owned(),
        degraded: "degraded-service".to_owned(),
        maintenance: "maintenance-service".to_owned(),
    };
    let table = state_table(dynamodb_url);
    Controller {
        states: StateCache::new(table, TTL, Level::Maintenance),
        services: LambdaServices { client: lambda_without_retries(&config(lambda_url)), functions },
        rules: RequestRules::new(&policy(), five_seconds()),
        probe_limit: ProbeLimit::new(policy().probe_limit_per_second()),
        metrics: Recorded::default(),
        deployment: "bank-test".to_owned(),
        policy: policy(),
    }
}
