//! Creates replies of tasks from the Rust types of their contract.

use breaker::contract::{ErrorName, Evaluation, Execution, MetricsEmitted, StateWritten};
use breaker::{
    Bucket, Evidence, Expected, Hold, Level, Policy, PolicySettings, StateWrite, SystemState, TransitionRequest, decide,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// Errors of Lambda and of Step Functions after which each task is retried.
pub const RETRIED: [&str; 8] = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.Timeout",
];
/// The cause of a failed call.
pub const WORDS: &str = "the words of the error";

pub fn now() -> Timestamp {
    "2026-09-10T14:06:12Z".parse().unwrap()
}

pub fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

pub fn schedule() -> Value {
    json!({"trigger": "schedule"})
}

pub fn alarm() -> Value {
    json!({"trigger": "alarm", "alarm": {"name": "level-1-error-rate"}})
}

pub fn force(level: u8) -> Value {
    json!({"trigger": "force", "targetLevel": level, "reason": "a drill", "requestedBy": "an operator"})
}

/// Returns a state at level 1 that was written before.
pub fn state() -> SystemState {
    let begun = now() - SignedDuration::from_hours(1);
    SystemState { version: 7, epoch: 2, execution: "arn:before".to_owned(), ..SystemState::initial(&policy(), begun) }
}

/// Returns the state of [`state`] with a hold.
pub fn held() -> SystemState {
    let hold = Hold {
        level: Level::Full,
        reason: "a drill".to_owned(),
        requested_by: "an operator".to_owned(),
        expires_at: now() + SignedDuration::from_mins(10),
        execution: Some("arn:of-the-hold".to_owned()),
    };
    SystemState { hold: Some(hold), ..state() }
}

/// Returns evidence of this many recent failures.
pub fn failures(errors: u64) -> Evidence {
    let start = now() - SignedDuration::from_secs(20);
    Evidence::new(vec![Bucket { errors, ..Bucket::empty(start, 1) }])
}

/// Returns the answer of `evaluate-thresholds` for `state`.
pub fn evaluation(state: &SystemState, request: &Value, evidence: &Evidence) -> Evaluation {
    let request = TransitionRequest::parse(request.clone()).unwrap();
    let decision = decide(state, &policy(), &request, evidence, now()).unwrap();
    let expected = match state.version {
        0 => Expected::FirstStart,
        version => Expected::Version { version, epoch: state.epoch },
    };
    let execution = Execution { arn: "arn:execution".to_owned(), name: "an-execution".to_owned() };
    Evaluation::of(decision, state.clone(), expected, &policy(), &request, &execution, now())
}

/// Returns an evaluation that changes nothing.
pub fn nothing() -> Evaluation {
    let seen = evaluation(&state(), &schedule(), &failures(1)).new_state;
    evaluation(&seen, &schedule(), &failures(1))
}

/// Returns an evaluation that moves the level from 1 to 2 and asks for no further evaluation.
pub fn transition() -> Evaluation {
    evaluation(&state(), &schedule(), &failures(5))
}

/// Returns an alarm's evaluation that moves the level from 1 to 2 and asks for further evaluations.
pub fn watched_transition() -> Evaluation {
    evaluation(&state(), &alarm(), &failures(5))
}

/// Returns an alarm's evaluation that changes nothing and finds a rule half fulfilled.
pub fn half_fulfilled() -> Evaluation {
    let seen = evaluation(&state(), &alarm(), &failures(3)).new_state;
    evaluation(&seen, &alarm(), &failures(3))
}

/// Returns an evaluation that writes counts and moves nothing.
pub fn record() -> Evaluation {
    evaluation(&state(), &schedule(), &failures(1))
}

/// Returns an evaluation that ends a hold and moves nothing.
pub fn hold_ended() -> Evaluation {
    evaluation(&held(), &release(), &Evidence::default())
}

/// Returns an operator's command that ends a hold.
pub fn release() -> Value {
    json!({"trigger": "release", "reason": "the drill is over", "requestedBy": "another operator"})
}

/// Returns an evaluation whose fall a hold prevents.
pub fn prevented() -> Evaluation {
    evaluation(&held(), &schedule(), &failures(5))
}

pub fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// Returns a function's answer in the format of the Lambda integration.
pub fn lambda(payload: &impl Serialize) -> Value {
    let metadata = json!({"HttpStatusCode": 200, "HttpHeaders": {"X-Amz-Executed-Version": ["7"]}});
    json!({"Return": {"ExecutedVersion": "7", "Payload": payload, "SdkHttpMetadata": metadata, "StatusCode": 200}})
}

/// Returns the answer of `write-state`.
pub fn written(evaluation: &Evaluation) -> Value {
    let StateWrite { state, .. } = evaluation.write.clone().unwrap();
    lambda(&StateWritten { state })
}

/// Returns the answer of `emit-metrics`.
pub fn emitted() -> Value {
    lambda(&MetricsEmitted { values: 3 })
}

/// Returns the answer of SNS.
pub fn published() -> Value {
    json!({"Return": {"MessageId": "a-message"}})
}

/// Returns a function's own error in the format of the Lambda integration.
pub fn fails(name: ErrorName) -> Value {
    let cause = json!({"errorType": name.as_str(), "errorMessage": WORDS}).to_string();
    json!({"Throw": {"Error": name.as_str(), "Cause": cause}})
}

/// Returns any other error.
pub fn breaks(error: &str) -> Value {
    json!({"Throw": {"Error": error, "Cause": WORDS}})
}

/// Returns the output of an execution with this evaluation.
pub fn done(evaluation: &Value) -> Value {
    let always = ["outcome", "dryRun", "from", "to", "reason", "cause", "evidence", "policy", "oldState", "newState"];
    let member = |name| (name, evaluation.get(name).cloned().unwrap_or_else(|| json!({})));
    let sometimes = ["prevented", "endedHold", "recoveryAllowedAt"];
    let present = sometimes.into_iter().filter_map(|name| Some((name, evaluation.get(name)?.clone())));
    always.map(member).into_iter().chain(present).map(|(name, value)| (name.to_owned(), value)).collect()
}
