//! The task with doubles at its ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

use std::sync::Mutex;

use aws_edge::call_error::CallError;
use aws_edge::config::{Config, PolicyInUse};
use aws_edge::error_kind::ErrorKind;
use aws_edge::stores::evidence::{EvidenceReader, Gap, METRICS_REMEDY, MetricsError, SeriesId};
use aws_edge::stores::state::{CommandReader, LastKnownReader, StateReader, StoreError, Stored};
use aws_edge::task_error::TaskError;
use breaker::contract::{ErrorName, Evaluation, REPAIR};
use breaker::{
    Bucket, Cause, CommandRecord, CorruptState, Evidence, EvidenceQuery, Expected, InvalidAttribute, LastKnown, Level,
    NewerState, NoEffect, Outcome, Policy, PolicySettings, Preset, Probing, RefusedCommand, SystemState,
    TransitionRequest,
};
use evaluate_thresholds::EvaluateThresholds;
use jiff::Timestamp;
use serde_json::{Value, json};

struct States {
    stored: Result<Stored, StoreError>,
    command: Option<CommandRecord>,
    last_known: Option<LastKnown>,
}

impl StateReader for States {
    async fn read(&self) -> Result<Stored, StoreError> {
        self.stored.clone()
    }
}

impl CommandReader for States {
    async fn command(&self, execution_name: &str) -> Result<Option<CommandRecord>, StoreError> {
        Ok(self.command.clone().filter(|command| command.name == execution_name))
    }
}

impl LastKnownReader for States {
    async fn last_known(&self) -> Result<Option<LastKnown>, StoreError> {
        Ok(self.last_known)
    }
}

fn corrupt() -> Stored {
    Stored::Unreadable(CorruptState(InvalidAttribute::new("currentLevel", "is 4")))
}

struct Metrics {
    answer: Result<Vec<Bucket>, MetricsError>,
    probes: Vec<Bucket>,
    asked: Mutex<Vec<EvidenceQuery>>,
}

impl EvidenceReader for Metrics {
    async fn read(&self, query: &EvidenceQuery) -> Result<Evidence, MetricsError> {
        self.asked.lock().unwrap().push(query.clone());
        self.answer.clone().map(|buckets| Evidence::new(buckets).with_probes(self.probes.clone()))
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
    Ok(vec![Bucket { errors, ..Bucket::empty(start, 1) }])
}

fn task(
    stored: Result<Stored, StoreError>,
    answer: Result<Vec<Bucket>, MetricsError>,
) -> EvaluateThresholds<States, Metrics> {
    EvaluateThresholds {
        states: States { stored, command: None, last_known: None },
        evidence: Metrics { answer, probes: Vec::new(), asked: Mutex::default() },
        policy: policy().into(),
    }
}

fn stored(state: SystemState) -> Result<Stored, StoreError> {
    Ok(Stored::State(Box::new(state)))
}

fn input(request: &Value) -> Value {
    json!({ "request": request, "execution": { "arn": "arn:execution", "name": "one" } })
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
    assert_eq!((write.expected, write.state.version), (Expected::Version { version: 4, epoch: 2 }, 5));
    assert_eq!(write.state.execution, "arn:execution");
    assert_eq!(write.command, None);
    let record = write.transition.unwrap();
    assert_eq!((record.epoch, record.from, record.to), (3, Level::Full, Level::Degraded));
    assert_eq!(record.evidence.unwrap().errors, 5);
    assert_eq!(record.policy, Some(*policy().settings()));
}

#[tokio::test]
async fn a_first_start_records_level_1() {
    let evaluation =
        task(Ok(Stored::Nothing), failures(0)).handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
    assert_eq!(evaluation.outcome, Outcome::Record);
    assert_eq!(evaluation.write.unwrap().expected, Expected::FirstStart);
}

#[tokio::test]
async fn failures_before_the_first_evaluation_count() {
    let evaluation =
        task(Ok(Stored::Nothing), failures(5)).handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
    assert_eq!(evaluation.outcome, Outcome::Transition);
}

#[tokio::test]
async fn a_force_never_reads_metrics() {
    let task = task(stored(state()), Err(MetricsError::TimedOut));
    let request = json!({"trigger": "force", "targetLevel": 3, "reason": "drill", "requestedBy": "alice"});
    let evaluation = task.handle(input(&request), now()).await.unwrap();
    assert_eq!((evaluation.outcome, evaluation.to), (Outcome::Transition, Level::Maintenance));
    assert!(task.evidence.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn outcomes_of_a_probed_level_1_decide() {
    let from = "2026-09-10T14:05:00Z".parse().unwrap();
    let probing = Probing { from, percent: 5, percent_since: from, idle_since: None, refusing: None };
    let degraded = SystemState {
        current_level: Level::Degraded,
        probing: Some(probing),
        ..SystemState::initial(&policy(), "2026-09-10T14:04:00Z".parse().unwrap())
    };
    let degraded = SystemState { version: 4, epoch: 2, ..degraded };
    let probes = |successes, errors| {
        let start = "2026-09-10T14:05:30Z".parse().unwrap();
        vec![Bucket { successes, errors, ..Bucket::empty(start, 1) }]
    };
    for (successes, errors, to) in [(19, 1, Level::Full), (18, 2, Level::Degraded), (19, 0, Level::Degraded)] {
        let mut task = task(stored(degraded.clone()), failures(0));
        task.policy = Policy::from(Preset::Production).into();
        task.evidence.probes = probes(successes, errors);
        let evaluation = task.handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
        assert_eq!(evaluation.to, to, "{successes} of {}: {}", successes + errors, evaluation.reason);
        let asked = task.evidence.asked.lock().unwrap();
        assert_eq!((asked[0].level, asked[0].probed, asked[0].slow_calls), (Level::Degraded, Some(Level::Full), true));
    }
}

#[tokio::test]
async fn a_dry_run_says_so() {
    let request = json!({"trigger": "schedule", "dryRun": true});
    let evaluation = task(stored(state()), failures(5)).handle(input(&request), now()).await.unwrap();
    assert!(evaluation.dry_run);
}

#[tokio::test]
async fn metrics_that_cannot_be_read_are_no_evidence() {
    let throttled = MetricsError::Call(CallError::new(ErrorKind::Throttled, "rate exceeded"));
    let incomplete = MetricsError::Incomplete { id: SeriesId::Error, problem: Gap::Failed("InternalError".to_owned()) };
    for (metrics, kind) in [
        (throttled, ErrorKind::Throttled),
        (MetricsError::TimedOut, ErrorKind::TimedOut),
        (incomplete, ErrorKind::Invalid),
    ] {
        let error = refused(stored(state()), Err(metrics), json!({"trigger": "schedule"})).await;
        assert_eq!((error.name, error.kind), (ErrorName::MetricsUnavailable, Some(kind)));
        assert!(error.message.ends_with(METRICS_REMEDY), "{error}");
    }
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_read() {
    for request in [
        json!({"trigger": "force", "targetLevel": 1, "requestedBy": "alice"}),
        json!({"trigger": "schedule", "levle": 1}),
        json!({"trigger": "force", "targetLevel": "two", "reason": "x", "requestedBy": "y"}),
    ] {
        let refusal = TransitionRequest::parse(request.clone()).unwrap_err();
        let error = refused(Err(StoreError::Invalid("down".into())), failures(0), request).await;
        assert_eq!((error.name, error.message), (ErrorName::InvalidRequest, refusal.to_string()));
    }
}

#[tokio::test]
async fn a_missing_corrupt_or_newer_state_is_unavailable() {
    let newer = NewerState { schema_version: 2, current_level: Level::Full };
    for (state, kind) in [
        (Ok(Stored::Lost), ErrorKind::Invalid),
        (Ok(corrupt()), ErrorKind::Invalid),
        (Err(StoreError::TimedOut), ErrorKind::TimedOut),
        (Err(StoreError::Unreadable(CallError::new(ErrorKind::Denied, "no"))), ErrorKind::Denied),
        (Ok(Stored::Newer(newer)), ErrorKind::Invalid),
    ] {
        let error = refused(state, failures(5), json!({"trigger": "schedule"})).await;
        assert_eq!((error.name, error.kind), (ErrorName::StateUnavailable, Some(kind)));
    }
}

fn force(extra: &Value) -> Value {
    let mut request = json!({"trigger": "force", "targetLevel": 2, "reason": "drill", "requestedBy": "alice"});
    request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    request
}

/// Returns the result of a force if the newest record has epoch 7, version 40 and level 3.
async fn forced(stored: Result<Stored, StoreError>, extra: &Value) -> Result<Evaluation, TaskError> {
    let mut task = task(stored, failures(0));
    task.states.last_known = Some(LastKnown { version: 40, epoch: 7, level: Level::Maintenance });
    task.handle(input(&force(extra)), now()).await
}

fn configured<const N: usize>(settings: [(&str, &str); N]) -> PolicyInUse {
    PolicyInUse::new(&Ok(Config::from_iter(settings)))
}

#[tokio::test]
async fn only_commands_work_without_a_policy() {
    for settings in [[("policy.preset", "modern")], [("policy.mode", "watch")]] {
        let broken = || EvaluateThresholds { policy: configured(settings), ..task(stored(state()), failures(500)) };
        let forced = broken().handle(input(&force(&json!({"holdMinutes": 5}))), now()).await.unwrap();
        assert_eq!(forced.outcome, Outcome::Transition);
        // There is no hold to end, which is no failure.
        let release = json!({"trigger": "release", "reason": "x", "requestedBy": "y"});
        assert_eq!(broken().handle(input(&release), now()).await.unwrap().outcome, Outcome::None);
        let mut lost = EvaluateThresholds { policy: configured(settings), ..task(Ok(Stored::Lost), failures(0)) };
        lost.states.last_known = Some(LastKnown { version: 40, epoch: 7, level: Level::Maintenance });
        let repaired = lost.handle(input(&force(&json!({"repair": true}))), now()).await.unwrap();
        assert_eq!(repaired.write.unwrap().expected, Expected::Repair);
        for evaluation in [json!({"trigger": "schedule"}), json!({"trigger": "schedule", "dryRun": true})] {
            let error = broken().handle(input(&evaluation), now()).await.unwrap_err();
            assert_eq!(error.name, ErrorName::InvalidConfiguration, "{error}");
            assert!(error.message.contains(settings[0].0), "{error}");
        }
    }
}

#[tokio::test]
async fn a_preset_decides_in_place_of_an_invalid_policy() {
    let settings = [("policy.preset", "production"), ("policy.counts.level_1_failures", "many")];
    let task = EvaluateThresholds { policy: configured(settings), ..task(stored(state()), failures(500)) };
    let evaluation = task.handle(input(&json!({"trigger": "schedule"})), now()).await.unwrap();
    assert_eq!(evaluation.outcome, Outcome::Transition);
    assert_eq!(task.policy, Policy::from(Preset::Production).into());
}

#[tokio::test]
async fn a_command_asks_for_a_record_of_its_own() {
    let evaluation = forced(stored(state()), &json!({})).await.unwrap();
    let command = evaluation.write.unwrap().command.unwrap();
    assert_eq!((command.name.as_str(), command.version, command.epoch), ("one", 5, 3));
    assert_eq!((command.from, command.to, command.execution.as_str()), (Level::Full, Level::Degraded, "arn:execution"));
}

#[tokio::test]
async fn a_repair_continues_the_epochs() {
    for lost in [Stored::Lost, corrupt()] {
        let refused = forced(Ok(lost.clone()), &json!({})).await.unwrap_err();
        assert_eq!(refused.name, ErrorName::StateUnavailable);
        assert!(refused.message.ends_with(REPAIR), "{refused}");

        let evaluation = forced(Ok(lost), &json!({"repair": true, "holdMinutes": 5})).await.unwrap();
        let write = evaluation.write.unwrap();
        assert_eq!((write.expected, write.state.epoch, write.state.version), (Expected::Repair, 8, 41));
        assert_eq!((evaluation.from, evaluation.to), (Level::Maintenance, Level::Degraded));
        assert!(write.state.hold.is_some() && write.check().is_ok());
        assert_eq!(write.transition.unwrap().epoch, 8);
    }
}

#[tokio::test]
async fn a_state_older_than_its_history_is_repaired() {
    let evaluation = forced(stored(state()), &json!({"repair": true})).await.unwrap();
    assert_eq!(evaluation.write.unwrap().state.epoch, 8);
    // The old copy may have the present epoch, and lack a hold.
    let same_epoch = SystemState { epoch: 7, version: 39, ..state() };
    let write = forced(stored(same_epoch), &json!({"repair": true})).await.unwrap().write.unwrap();
    assert_eq!((write.expected, write.state.epoch, write.state.version), (Expected::Repair, 8, 41));
    let newest = SystemState { epoch: 7, version: 41, ..state() };
    let write = forced(stored(newest), &json!({"repair": true})).await.unwrap().write.unwrap();
    assert_eq!(write.expected, Expected::Version { version: 41, epoch: 7 }, "nothing to repair");
}

#[tokio::test]
async fn a_repair_without_any_record_or_at_another_epoch_is_refused() {
    let no_record = refused(Ok(corrupt()), failures(0), force(&json!({"repair": true}))).await;
    assert_eq!(no_record.name, ErrorName::StateUnavailable);
    let other = forced(Ok(Stored::Lost), &json!({"repair": true, "expectedEpoch": 6})).await.unwrap_err();
    let refusal = RefusedCommand::OtherEpoch { expected: 6, found: 7 };
    assert_eq!((other.name, other.message), (ErrorName::InvalidRequest, refusal.to_string()));
}

#[tokio::test]
async fn a_command_whose_execution_is_run_twice_is_carried_out_once() {
    let mut task = task(stored(state()), failures(0));
    let first = task.handle(input(&force(&json!({"holdMinutes": 5}))), now()).await.unwrap();
    task.states.command = first.write.unwrap().command;
    let second = task.handle(input(&force(&json!({"holdMinutes": 5}))), now()).await.unwrap();
    assert_eq!((second.outcome, second.write), (Outcome::None, None));
    assert!(matches!(second.cause, Cause::NoEffect(NoEffect::CarriedOut { .. })), "{}", second.reason);
    let dry_run = task.handle(input(&force(&json!({"holdMinutes": 5, "dryRun": true}))), now()).await.unwrap();
    assert_eq!(dry_run.outcome, Outcome::None);
    let request = TransitionRequest::parse(json!({"trigger": "schedule"})).unwrap();
    assert!(!request.is_command(), "evaluations may run twice");
}

/// Without the refusal, the second command would be reported as carried out, and would not be.
#[tokio::test]
async fn another_command_under_a_used_name_is_refused() {
    let mut task = task(stored(state()), failures(0));
    let first = task.handle(input(&force(&json!({"holdMinutes": 5}))), now()).await.unwrap();
    let record = first.write.unwrap().command.unwrap();
    let refusal = RefusedCommand::NameUsed { at: record.at, reason: record.reason.clone() };
    task.states.command = Some(record);
    let release = json!({"trigger": "release", "reason": "x", "requestedBy": "y"});
    for other in [force(&json!({})), force(&json!({"holdMinutes": 6})), force(&json!({"targetLevel": 3})), release] {
        let error = task.handle(input(&other), now()).await.unwrap_err();
        assert_eq!((error.name, error.message), (ErrorName::InvalidRequest, refusal.to_string()), "{other}");
    }
}
