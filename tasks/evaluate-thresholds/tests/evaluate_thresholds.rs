//! The task with doubles at its ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

use std::sync::Mutex;

use breaker::contract::ErrorName;
use breaker::{Bucket, Evidence, EvidenceQuery, Level, Outcome, Policy, PolicySettings, SystemState};
use evaluate_thresholds::EvaluateThresholds;
use jiff::Timestamp;
use platform::metric_reader::{EvidenceReader, MetricsError};
use platform::state_store::{StateReader, StoreError, Stored};
use platform::task_error::TaskError;
use serde_json::{Value, json};

struct States(Result<Stored, StoreError>);

impl StateReader for States {
    async fn read(&self) -> Result<Stored, StoreError> {
        self.0.clone()
    }
}

struct Metrics {
    answer: Result<Vec<Bucket>, MetricsError>,
    asked: Mutex<Vec<EvidenceQuery>>,
}

impl EvidenceReader for Metrics {
    async fn read(&self, query: &EvidenceQuery) -> Result<Evidence, MetricsError> {
        self.asked.lock().unwrap().push(query.clone());
        self.answer.clone().map(Evidence::new)
    }
}

fn now() -> Timestamp {
    "2026-09-10T14:06:12Z".parse().unwrap()
}

fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

fn state() -> SystemState {
    SystemState { version: 4, epoch: 2, ..SystemState::initial(&policy(), now()) }
}

fn failures(errors: u64) -> Result<Vec<Bucket>, MetricsError> {
    let start = "2026-09-10T14:06:10Z".parse().unwrap();
    Ok(vec![Bucket { start, period_seconds: 1, successes: 0, errors }])
}

fn task(
    stored: Result<Stored, StoreError>,
    answer: Result<Vec<Bucket>, MetricsError>,
) -> EvaluateThresholds<States, Metrics> {
    EvaluateThresholds {
        states: States(stored),
        evidence: Metrics { answer, asked: Mutex::default() },
        policy: policy(),
    }
}

fn stored(state: SystemState) -> Result<Stored, StoreError> {
    Ok(Stored::State(Box::new(state)))
}

fn input(request: &Value) -> Value {
    json!({ "request": request, "execution": "arn:execution" })
}

async fn refused(
    stored: Result<Stored, StoreError>,
    metrics: Result<Vec<Bucket>, MetricsError>,
    request: Value,
) -> TaskError {
    task(stored, metrics).handle(input(&request), now()).await.unwrap_err()
}

#[tokio::test]
async fn five_failures_ask_for_a_transition_with_its_record() {
    let evaluation =
        task(stored(state()), failures(5)).handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
    assert_eq!(
        (evaluation.outcome, evaluation.from, evaluation.to),
        (Outcome::Transition, Level::Full, Level::Degraded)
    );
    let write = evaluation.write.unwrap();
    assert_eq!((write.expected_version, write.state.version), (4, 5));
    assert_eq!(write.state.execution, "arn:execution");
    let record = write.record.unwrap();
    assert_eq!((record.epoch, record.from, record.to), (3, Level::Full, Level::Degraded));
    assert_eq!(record.evidence.unwrap().errors, 5);
    assert_eq!(record.policy, Some(policy()));
}

#[tokio::test]
async fn a_first_start_records_level_1() {
    let evaluation =
        task(Ok(Stored::Nothing), failures(0)).handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
    assert_eq!(evaluation.outcome, Outcome::Record);
    assert_eq!(evaluation.write.unwrap().expected_version, 0);
}

#[tokio::test]
async fn failures_before_the_first_evaluation_count() {
    let evaluation =
        task(Ok(Stored::Nothing), failures(5)).handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
    assert_eq!(evaluation.outcome, Outcome::Transition);
}

#[tokio::test]
async fn a_force_never_reads_metrics() {
    let task = task(stored(state()), Err(MetricsError("down".into())));
    let request = json!({"trigger": "force", "targetLevel": 3, "reason": "drill", "requestedBy": "alice"});
    let evaluation = task.handle(input(&request), now()).await.unwrap();
    assert_eq!((evaluation.outcome, evaluation.to), (Outcome::Transition, Level::Maintenance));
    assert!(task.evidence.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rehearsal_says_so() {
    let request = json!({"trigger": "schedule", "dryRun": true});
    let evaluation = task(stored(state()), failures(5)).handle(input(&request), now()).await.unwrap();
    assert!(evaluation.dry_run);
}

#[tokio::test]
async fn metrics_that_cannot_be_read_are_no_evidence() {
    let error =
        refused(stored(state()), Err(MetricsError("status InternalError".into())), json!({"trigger": "schedule"}))
            .await;
    assert_eq!(error.name, ErrorName::MetricsUnavailable);
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_read() {
    for (request, field) in [
        (json!({"trigger": "force", "targetLevel": 1, "requestedBy": "alice"}), "reason"),
        (json!({"trigger": "schedule", "levle": 1}), "levle"),
        (json!({"trigger": "force", "targetLevel": "two", "reason": "x", "requestedBy": "y"}), "targetLevel"),
    ] {
        let error = refused(Err(StoreError("down".into())), failures(0), request).await;
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains(field), "{}", error.message);
    }
}

#[tokio::test]
async fn a_state_that_is_lost_unreadable_or_newer_is_unavailable() {
    let newer = SystemState { schema_version: 2, ..state() };
    for state in [Ok(Stored::Lost), Err(StoreError("timeout".into())), stored(newer)] {
        let error = refused(state, failures(5), json!({"trigger": "schedule"})).await;
        assert_eq!(error.name, ErrorName::StateUnavailable);
    }
}
