//! The task with a double at its port.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_edge::error_kind::ErrorKind;
use aws_edge::settings::Environment;
use aws_edge::stores::state::{StateReader, StateWriter, StoreError, Stored, WriteError};
use breaker::contract::{ErrorName, Evaluation, Execution, REPAIR};
use breaker::{
    Condition, Content, Evidence, Expected, Level, Outcome, Policy, PolicySettings, Refusal, STATE_KEY, Stamp,
    SystemState, TransitionRequest, command_key, decide, transition_key,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json, to_value};
use write_state::{LOOK, WriteState, record_retention};

/// A table that checks the conditions of a write. It can fail to answer, before or after it has written.
#[derive(Default)]
struct Table {
    items: Mutex<HashMap<String, Value>>,
    refuses: bool,
    loses_next_reply: AtomicBool,
    /// Reports only the record's condition if several conditions failed.
    tells_half: bool,
    unreadable: AtomicBool,
    unprovable: AtomicBool,
}

impl Table {
    fn number(&self, key: &str, attribute: &str) -> Option<u64> {
        self.items.lock().unwrap().get(key)?[attribute].as_u64()
    }

    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.items.lock().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }
}

impl StateReader for Table {
    async fn read(&self) -> Result<Stored, StoreError> {
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(StoreError::TimedOut);
        }
        let item = self.items.lock().unwrap().get(STATE_KEY).cloned();
        Ok(item.map_or(Stored::Nothing, |item| Stored::State(serde_json::from_value(item).unwrap())))
    }
}

impl StateWriter for Table {
    async fn write(&self, write: &breaker::StateWrite) -> Result<(), WriteError> {
        let no_answer = || Err(StoreError::TimedOut.into());
        if self.refuses {
            return no_answer();
        }
        let failed: Vec<_> = write
            .items()
            .iter()
            .map(|item| match item.condition {
                Condition::Absent => self.items.lock().unwrap().contains_key(&item.key),
                Condition::StateAt { version, epoch } => {
                    (self.number(STATE_KEY, "version"), self.number(STATE_KEY, "epoch")) != (Some(version), Some(epoch))
                }
                Condition::Anything => false,
            })
            .collect();
        if failed.contains(&true) {
            let failed = if self.tells_half { vec![false, true] } else { failed };
            return Err(match write.refusal(&failed) {
                Refusal::Conflict => WriteError::Conflict,
                Refusal::Behind => WriteError::Behind { epoch: write.state.epoch },
            });
        }
        for item in write.items() {
            let content = match item.content {
                Content::State(state) => to_value(state),
                Content::FirstStart(record) => to_value(record),
                Content::Transition(record) => to_value(record),
                Content::Command(record) => to_value(record),
            };
            self.items.lock().unwrap().insert(item.key, content.unwrap());
        }
        if self.loses_next_reply.swap(false, Ordering::Relaxed) { no_answer() } else { Ok(()) }
    }

    async fn stamp_of(&self, key: &str) -> Result<Option<Stamp>, StoreError> {
        if self.unprovable.load(Ordering::Relaxed) {
            return Err(StoreError::TimedOut);
        }
        let stamp = |item: &Value| Stamp {
            execution: item["execution"].as_str().unwrap().to_owned(),
            version: item["version"].as_u64().unwrap(),
        };
        Ok(self.items.lock().unwrap().get(key).map(stamp))
    }
}

fn now() -> Timestamp {
    "2026-09-10T14:06:12Z".parse().unwrap()
}

fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

/// Returns the write that an evaluation of `request` by `execution` asks for in the stored state.
async fn asked(task: &WriteState<Table>, request: Value, execution: &str) -> Value {
    let (state, expected) = match task.states.read().await.unwrap() {
        Stored::State(state) => {
            let expected = Expected::Version { version: state.version, epoch: state.epoch };
            (*state, expected)
        }
        _ => (SystemState::initial(&policy(), now()), Expected::FirstStart),
    };
    let request = TransitionRequest::parse(request).unwrap();
    let decision = decide(&state, &policy(), &request, &Evidence::default(), now()).unwrap();
    let execution = Execution { arn: format!("arn:{execution}"), name: execution.to_owned() };
    let evaluation = Evaluation::of(decision, state, expected, &policy(), &request, &execution, now());
    to_value(evaluation.write.unwrap()).unwrap()
}

fn schedule() -> Value {
    json!({"trigger": "schedule"})
}

fn force(level: u8) -> Value {
    json!({"trigger": "force", "targetLevel": level, "reason": "drill", "requestedBy": "alice"})
}

fn task() -> WriteState<Table> {
    WriteState { states: Table::default() }
}

#[tokio::test]
async fn the_first_write_leaves_a_state_and_record_0() {
    let task = task();
    let write = asked(&task, schedule(), "a").await;
    assert_eq!(task.handle(write).await.unwrap().state.version, 1);
    assert_eq!(task.states.keys(), [STATE_KEY.to_owned(), transition_key(0)]);
}

#[tokio::test]
async fn a_command_that_moves_the_level_leaves_both_records() {
    let task = task();
    task.handle(asked(&task, schedule(), "a").await).await.unwrap();
    let state = task.handle(asked(&task, force(3), "b").await).await.unwrap().state;
    assert_eq!((state.version, state.epoch, state.current_level), (2, 1, Level::Maintenance));
    let expected = [command_key("b"), STATE_KEY.to_owned(), transition_key(0), transition_key(1)];
    assert_eq!(task.states.keys(), expected);
    let command = task.states.items.lock().unwrap()[&command_key("b")].clone();
    assert_eq!((&command["version"], &command["request"]["requestedBy"]), (&json!(2), &json!("alice")));
    assert_eq!(command["outcome"], to_value(Outcome::Transition).unwrap());
}

#[tokio::test]
async fn a_lost_race_is_a_conflict_and_leaves_everything_alone() {
    let task = task();
    task.handle(asked(&task, schedule(), "a").await).await.unwrap();
    let (one, other) = (asked(&task, force(2), "b").await, asked(&task, force(3), "c").await);
    task.handle(one).await.unwrap();
    let error = task.handle(other).await.unwrap_err();
    assert_eq!(error.name, ErrorName::StateConflict);
    assert_eq!(task.states.number(STATE_KEY, "currentLevel"), Some(2));
    assert!(!task.states.keys().contains(&command_key("c")));
}

#[tokio::test]
async fn a_write_with_a_lost_reply_is_a_success() {
    for request in [schedule(), force(2)] {
        let task = task();
        let write = asked(&task, request, "a").await;
        task.states.loses_next_reply.store(true, Ordering::Relaxed);
        assert_eq!(task.handle(write.clone()).await.unwrap().state.version, 1);
        assert_eq!(task.handle(write).await.unwrap().state.version, 1);
    }
}

/// Another execution has written since, so the state no longer names this one; the record does.
#[tokio::test]
async fn a_lost_reply_is_recognised_after_a_later_write() {
    let task = task();
    let write = asked(&task, force(2), "a").await;
    task.handle(write.clone()).await.unwrap();
    task.handle(asked(&task, force(3), "b").await).await.unwrap();
    let state = task.handle(write).await.unwrap().state;
    assert_eq!((state.version, state.current_level), (2, Level::Maintenance), "what is stored now");
}

#[tokio::test]
async fn another_run_of_one_execution_is_distinguished() {
    let task = task();
    task.handle(asked(&task, schedule(), "a").await).await.unwrap();
    let first_run = asked(&task, force(2), "b").await;
    task.handle(asked(&task, force(3), "c").await).await.unwrap();
    task.handle(asked(&task, force(2), "b").await).await.unwrap();
    assert_eq!(task.handle(first_run).await.unwrap_err().name, ErrorName::StateConflict);
}

#[tokio::test]
async fn a_state_behind_its_history_is_reported_with_the_fix() {
    let task = task();
    task.handle(asked(&task, schedule(), "a").await).await.unwrap();
    let old = task.states.items.lock().unwrap()[STATE_KEY].clone();
    task.handle(asked(&task, force(2), "b").await).await.unwrap();
    task.states.items.lock().unwrap().insert(STATE_KEY.to_owned(), old);
    let error = task.handle(asked(&task, force(3), "c").await).await.unwrap_err();
    assert_eq!((error.name, error.kind), (ErrorName::StateUnavailable, Some(ErrorKind::Invalid)));
    assert!(error.message.ends_with(REPAIR), "{error}");
}

/// DynamoDB may report only the record's condition of a lost race, which looks like a state that is older than its
/// history.
#[tokio::test]
async fn a_half_reported_race_is_a_conflict() {
    let task = WriteState { states: Table { tells_half: true, ..Table::default() } };
    task.handle(asked(&task, schedule(), "a").await).await.unwrap();
    let mut late = asked(&task, force(3), "b").await;
    late.as_object_mut().unwrap().remove("command");
    task.handle(asked(&task, force(2), "c").await).await.unwrap();
    let error = task.handle(late).await.unwrap_err();
    assert_eq!(error.name, ErrorName::StateConflict, "{error}");
    assert!(error.message.ends_with(LOOK), "{error}");
}

#[tokio::test]
async fn a_write_succeeds_though_nothing_can_be_read_after_it() {
    let task = task();
    let write = asked(&task, force(3), "a").await;
    task.states.loses_next_reply.store(true, Ordering::Relaxed);
    task.states.unreadable.store(true, Ordering::Relaxed);
    let state = task.handle(write).await.unwrap().state;
    assert_eq!((state.version, state.current_level), (1, Level::Maintenance));
}

/// The reply is lost and the proof cannot be read, so it is unknown whether the write happened.
#[tokio::test]
async fn an_unproven_write_is_neither_success_nor_conflict() {
    let task = task();
    let write = asked(&task, force(3), "a").await;
    task.states.loses_next_reply.store(true, Ordering::Relaxed);
    task.states.unprovable.store(true, Ordering::Relaxed);
    let error = task.handle(write).await.unwrap_err();
    assert_eq!((error.name, error.kind), (ErrorName::StateUnavailable, Some(ErrorKind::TimedOut)));
    assert!(error.message.ends_with(LOOK), "{error}");
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_reported() {
    let task = WriteState { states: Table { refuses: true, ..Table::default() } };
    let write = asked(&task, schedule(), "a").await;
    let error = task.handle(write).await.unwrap_err();
    assert_eq!((error.name, error.kind), (ErrorName::StateUnavailable, Some(ErrorKind::TimedOut)));
}

#[tokio::test]
async fn input_that_no_evaluation_writes_is_refused_naming_the_field() {
    let task = task();
    task.handle(asked(&task, schedule(), "a").await).await.unwrap();
    let good = asked(&task, force(3), "b").await;
    for (pointer, value) in [
        ("/state/version", json!(7)),
        ("/state/epoch", json!(7)),
        ("/state/schemaVersion", json!(2)),
        ("/transition/epoch", json!(7)),
        ("/transition/to", json!(2)),
        ("/command/version", json!(7)),
        ("/state/currentLevel", json!(4)),
    ] {
        let mut write = good.clone();
        *write.pointer_mut(pointer).unwrap() = value;
        let error = task.handle(write).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest, "{pointer}");
    }
    assert_eq!(task.states.number(STATE_KEY, "version"), Some(1));
}

#[test]
fn an_invalid_retention_keeps_the_default() {
    let days = |config: &str| record_retention(&Environment::from_iter([("BREAKER_CONFIG", config)]));
    let default = SignedDuration::from_hours(24 * 400);
    assert_eq!(days(""), default);
    assert_eq!(days(r#"{"limits.record_retention_days":30}"#), SignedDuration::from_hours(24 * 30));
    for invalid in ["{", "[]", r#"{"limits.record_retention_days":0}"#, r#"{"limits.record_retention_days":"long"}"#] {
        assert_eq!(days(invalid), default, "{invalid}");
    }
}
