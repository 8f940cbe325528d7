//! The controller's binary in an environment as Lambda gives it: a stub of the runtime API hands it one event
//! at a time and takes its answers.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::stubs::Stub;

type Answered = Result<Value, String>;

struct Waiting {
    id: usize,
    event: String,
    deadline: SystemTime,
}

struct RuntimeApi {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Waiting>>,
    answers: Mutex<HashMap<usize, oneshot::Sender<Answered>>>,
}

/// A running controller.
pub struct Environment {
    process: Child,
    api: Arc<RuntimeApi>,
    events: mpsc::UnboundedSender<Waiting>,
    next_id: AtomicUsize,
    recorded: Arc<Mutex<BTreeMap<String, u64>>>,
    reader: JoinHandle<()>,
    log: Arc<Mutex<Vec<String>>>,
    _stub: Stub,
}

impl Environment {
    /// Starts the controller with clients of these endpoints, and with these variables.
    pub fn start(dynamodb: &str, lambda: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_where(true, dynamodb, lambda, variables)
    }

    /// Starts the controller with a runtime API that takes extensions, or that refuses them.
    pub fn start_where(takes_extensions: bool, dynamodb: &str, lambda: &str, variables: &[(&str, &str)]) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let api = Arc::new(RuntimeApi { events: tokio::sync::Mutex::new(receiver), answers: Mutex::default() });
        let stub = Stub::serve(runtime_api(Arc::clone(&api)).merge(extensions(takes_extensions)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_controller"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        let mut process = command
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", stub.address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "controller"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
                ("NO_PROXY", "127.0.0.1"),
                ("no_proxy", "127.0.0.1"),
                ("DEPLOYMENT", "bank-test"),
            ])
            .env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{dynamodb}"))
            .env("AWS_ENDPOINT_URL_LAMBDA", format!("http://{lambda}"))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let recorded = Arc::new(Mutex::new(BTreeMap::new()));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (mut lines, sums, problems) =
            (BufReader::new(process.stdout.take().unwrap()).lines(), Arc::clone(&recorded), Arc::clone(&log));
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with("{\"_aws\"") {
                    let line: serde_json::Map<String, Value> = serde_json::from_str(&line).unwrap();
                    let counts = line.into_iter().filter_map(|(name, value)| Some((name, value.as_u64()?)));
                    let mut sums = sums.lock().unwrap();
                    counts.for_each(|(name, count)| *sums.entry(name).or_default() += count);
                } else if line.contains("\"WARN\"") || line.contains("\"ERROR\"") {
                    problems.lock().unwrap().push(line);
                }
            }
        });
        Self { process, api, events, next_id: AtomicUsize::new(0), recorded, reader, log, _stub: stub }
    }

    /// Sends an event that the function must have answered within `time`, and gives its answer.
    pub async fn invoke(&self, event: &Value, time: Duration) -> Answered {
        let id = self.next_id.fetch_add(1, Ordering::SeqCst);
        let (sender, answer) = oneshot::channel();
        self.api.answers.lock().unwrap().insert(id, sender);
        let deadline = SystemTime::now() + time;
        self.events.send(Waiting { id, event: event.to_string(), deadline }).unwrap();
        match tokio::time::timeout(time, answer).await {
            Ok(Ok(answer)) => answer,
            _ => Err("no answer in time".to_owned()),
        }
    }

    /// Returns the sum of a count in the metrics that the controller wrote.
    pub fn recorded(&self, name: &str) -> u64 {
        self.recorded.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// Ends the controller as Lambda does, and reads all of its output.
    pub async fn end(&mut self) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        self.process.wait().await.unwrap();
        (&mut self.reader).await.unwrap();
    }

    /// Kills the controller with a signal that it cannot catch, and reads all of its output.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
        (&mut self.reader).await.unwrap();
    }

    /// Returns the warnings and errors in the log so far.
    pub fn problems(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Resident memory, in kibibytes.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Number of open files, sockets and pipes.
    pub fn open_handles(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id().unwrap())).unwrap().count()
    }
}

fn runtime_api(api: Arc<RuntimeApi>) -> Router {
    let next = async |State(api): State<Arc<RuntimeApi>>| {
        let Some(Waiting { id, event, deadline }) = api.events.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        Response::builder()
            .header("lambda-runtime-aws-request-id", id.to_string())
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:controller")
            .body(Body::from(event))
            .unwrap()
    };
    let response = async |State(api): State<Arc<RuntimeApi>>, Path(id): Path<usize>, body: Bytes| {
        finish(&api, id, serde_json::from_slice(&body).map_err(|error| error.to_string()))
    };
    let error = async |State(api): State<Arc<RuntimeApi>>, Path(id): Path<usize>, body: Bytes| {
        finish(&api, id, Err(String::from_utf8_lossy(&body).into_owned()))
    };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

fn extensions(are_taken: bool) -> Router {
    let register = async move || {
        if !are_taken {
            return Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(Body::empty()).unwrap();
        }
        let identifier = ("Lambda-Extension-Identifier", "00000000-0000-4000-8000-000000000000");
        Response::builder().header(identifier.0, identifier.1).body(Body::from("{}")).unwrap()
    };
    Router::new()
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(std::future::pending::<StatusCode>))
}

fn finish(api: &RuntimeApi, id: usize, answer: Answered) -> StatusCode {
    if let Some(waiting) = api.answers.lock().unwrap().remove(&id) {
        let _ = waiting.send(answer);
    }
    StatusCode::ACCEPTED
}
