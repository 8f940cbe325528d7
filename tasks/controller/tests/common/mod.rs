//! Helpers of the controller's tests: doubles at its ports, and requests.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

pub mod environment;
pub mod stubs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_edge::metrics::{MetricLog, MetricSet};
use aws_edge::stores::state::StoreError;
use breaker::{Level, PerLevel, Policy, PolicySettings, RequestRules, SystemState};
use controller::{Controller, InvokeError, LevelReader, ProbeLimit, ServiceInvoker, StateCache, StoredLevel};
use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The default of `request_path.state_cache_milliseconds`.
pub const TTL: Duration = Duration::from_secs(1);

/// The answer of a service.
pub type Answer = Result<Vec<u8>, InvokeError>;

/// A state table that gives a set answer after a delay, and counts its reads.
pub struct Table {
    answer: Mutex<Result<StoredLevel, StoreError>>,
    delay: Mutex<Duration>,
    reads: AtomicUsize,
}

impl Table {
    pub fn new(answer: Result<StoredLevel, StoreError>) -> Self {
        Self { answer: Mutex::new(answer), delay: Mutex::default(), reads: AtomicUsize::new(0) }
    }

    pub fn at_level(level: u8) -> Self {
        Self::new(Ok(stored(level)))
    }

    pub fn answers(&self, answer: Result<StoredLevel, StoreError>) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn fails(&self) {
        self.answers(Err(StoreError::Invalid("no answer".to_owned())));
    }

    pub fn takes(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl LevelReader for &Table {
    async fn read(&self) -> Result<StoredLevel, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let (answer, delay) = (self.answer.lock().unwrap().clone(), *self.delay.lock().unwrap());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        answer
    }
}

/// One invocation of a service.
#[derive(Clone, Debug)]
pub struct Sent {
    pub level: u8,
    pub payload: Vec<u8>,
    pub time: Duration,
}

impl Sent {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

/// Services that keep their requests and give the set answer of their level after a set time.
pub struct Services {
    pub answers: PerLevel<Answer>,
    pub delays: PerLevel<Duration>,
    pub sent: Mutex<Vec<Sent>>,
}

impl Services {
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// Returns the levels that were invoked, in order.
    pub fn asked(&self) -> Vec<u8> {
        self.sent().iter().map(|sent| sent.level).collect()
    }
}

impl ServiceInvoker for Services {
    async fn invoke(&self, level: Level, payload: Vec<u8>, time: Duration) -> Answer {
        self.sent.lock().unwrap().push(Sent { level: level.number(), payload, time });
        let delay = *self.delays.of(level);
        if !delay.is_zero() {
            tokio::time::sleep(delay.min(time)).await;
        }
        if delay > time { Err(InvokeError::TimedOut) } else { self.answers.of(level).clone() }
    }
}

/// A metric log that keeps the metrics.
#[derive(Clone, Debug, Default)]
pub struct Recorded(pub Arc<Mutex<Vec<MetricSet>>>);

impl MetricLog for Recorded {
    fn record(&self, _: Timestamp, metrics: &MetricSet) {
        self.0.lock().unwrap().push(metrics.clone());
    }
}

impl Recorded {
    /// The level and the outcome of each invocation: `Success`, `Error`, `ProbeRefused` or nothing.
    pub fn outcomes(&self) -> Vec<(String, Option<&'static str>)> {
        self.sets("CircuitBreaker/Service")
            .iter()
            .map(|set| {
                let level = set.dimensions.iter().find(|(name, _)| *name == "ServiceLevel").unwrap().1.clone();
                let mut names = set.metrics.iter().map(|metric| metric.name);
                (level, names.rfind(|name| ["Success", "Error", "ProbeRefused"].contains(name)))
            })
            .collect()
    }

    /// The levels of the calls that were slow, in order.
    pub fn slow_calls(&self) -> Vec<String> {
        let slow = |set: &MetricSet| set.metrics.iter().any(|metric| metric.name == "SlowCall");
        let sets = self.sets("CircuitBreaker/Service").into_iter().filter(slow);
        sets.map(|set| set.dimensions.into_iter().find(|(name, _)| *name == "ServiceLevel").unwrap().1).collect()
    }

    pub fn sets(&self, namespace: &str) -> Vec<MetricSet> {
        self.0.lock().unwrap().iter().filter(|set| set.namespace == namespace).cloned().collect()
    }

    /// The values of one of the controller's metrics, in order.
    pub fn values(&self, name: &str) -> Vec<f64> {
        let sets = self.sets("CircuitBreaker/Controller");
        sets.iter()
            .flat_map(|set| &set.metrics)
            .filter(|metric| metric.name == name)
            .map(|metric| metric.value)
            .collect()
    }
}

pub type TestController = Controller<&'static Table, Services, Recorded>;

pub fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

pub fn stored(level: u8) -> StoredLevel {
    stored_version(level, 3)
}

pub fn stored_version(level: u8, version: u64) -> StoredLevel {
    let level = Level::try_from(level).unwrap();
    let initial = SystemState::initial(&policy(), Timestamp::UNIX_EPOCH);
    StoredLevel::Known(level, Some(Arc::new(SystemState { current_level: level, version, ..initial })))
}

/// A table that lives as long as the test does.
pub fn table(answer: Result<StoredLevel, StoreError>) -> &'static Table {
    Box::leak(Box::new(Table::new(answer)))
}

/// Returns a controller that reads the table for each request, and whose services all give the same answer.
pub fn controller(stored: Result<StoredLevel, StoreError>, answer: Answer) -> TestController {
    with_answers(stored, [answer.clone(), answer.clone(), answer])
}

/// Returns a test controller with an answer for each level.
pub fn with_answers(stored: Result<StoredLevel, StoreError>, answers: [Answer; 3]) -> TestController {
    let [full, degraded, maintenance] = answers;
    Controller {
        states: StateCache::new(table(stored), Duration::ZERO, Level::Maintenance),
        services: Services {
            answers: PerLevel { full, degraded, maintenance },
            delays: at_once(),
            sent: Mutex::default(),
        },
        rules: RequestRules::new(&policy(), five_seconds()),
        probe_limit: ProbeLimit::new(policy().probe_limit_per_second()),
        metrics: Recorded::default(),
        deployment: "bank-test".to_owned(),
        policy: policy(),
    }
}

/// The controller under another policy.
pub fn under(policy: Policy, controller: TestController) -> TestController {
    TestController { rules: RequestRules::new(&policy, five_seconds()), policy, ..controller }
}

/// Whether `Retry-After` is that of level 1: 5 to 10 s.
pub fn waits(answer: &Value) -> bool {
    let seconds = answer["headers"]["Retry-After"].as_str().and_then(|text| text.parse::<u32>().ok());
    seconds.is_some_and(|seconds| (5..=10).contains(&seconds))
}

/// Delays of services that answer at once.
pub fn at_once() -> PerLevel<Duration> {
    PerLevel { full: Duration::ZERO, degraded: Duration::ZERO, maintenance: Duration::ZERO }
}

/// The default of `request_path.service_timeout_milliseconds`.
pub fn five_seconds() -> PerLevel<Duration> {
    let five = Duration::from_secs(5);
    PerLevel { full: five, degraded: five, maintenance: five }
}

pub fn answer(status: u16) -> Answer {
    Ok(json!({ "statusCode": status, "headers": { "Content-Type": "text/plain" }, "body": "hello" })
        .to_string()
        .into_bytes())
}

/// A request as API Gateway sends it.
pub fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "a=1&a=2", "cookies": ["c=1"],
        "headers": { "x-custom": "kept" }, "body": "AAEC", "isBase64Encoded": true,
        "requestContext": { "http": { "method": method, "path": path }, "requestId": "r" }
    })
}

/// A deadline later than the end of any test.
pub fn no_hurry() -> Instant {
    Instant::now() + Duration::from_secs(28)
}

pub async fn ask<R: LevelReader, I: ServiceInvoker>(controller: &Controller<R, I, Recorded>, event: &Value) -> Value {
    ask_raw(controller, &event.to_string()).await
}

pub async fn ask_raw<R: LevelReader, I: ServiceInvoker>(controller: &Controller<R, I, Recorded>, event: &str) -> Value {
    let event = RawValue::from_string(event.to_owned()).unwrap();
    serde_json::from_str(controller.handle(&event, no_hurry()).await.get()).unwrap()
}
