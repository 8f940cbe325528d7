//! The task with a double at its port.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;

use breaker::contract::{ErrorName, StateWrite};
use breaker::{Policy, PolicySettings, SystemState};
use jiff::Timestamp;
use platform::state_store::{StateReader, StateWriter, StoreError, Stored, WriteError};
use serde_json::{Value, json, to_value};
use write_state::WriteState;

/// Holds one state and writes it conditionally; can lose the reply to a write that happened.
#[derive(Default)]
struct Table {
    state: Mutex<Option<SystemState>>,
    refuses: bool,
}

impl StateReader for Table {
    async fn read(&self) -> Result<Stored, StoreError> {
        let state = self.state.lock().unwrap().clone();
        Ok(state.map_or(Stored::Nothing, |state| Stored::State(Box::new(state))))
    }
}

impl StateWriter for Table {
    async fn write(&self, write: &StateWrite) -> Result<(), WriteError> {
        if self.refuses {
            return Err(StoreError("no answer".into()).into());
        }
        let mut state = self.state.lock().unwrap();
        if state.as_ref().map_or(0, |state| state.version) != write.expected_version {
            return Err(WriteError::Conflict { expected: write.expected_version });
        }
        *state = Some(write.state.clone());
        Ok(())
    }
}

fn write(expected: u64, execution: &str) -> Value {
    let policy = Policy::new(PolicySettings::default()).unwrap();
    let now: Timestamp = "2026-09-10T14:06:12Z".parse().unwrap();
    let state =
        SystemState { version: expected + 1, execution: execution.to_owned(), ..SystemState::initial(&policy, now) };
    to_value(StateWrite { expected_version: expected, state, record: None }).unwrap()
}

#[tokio::test]
async fn the_expected_version_is_written() {
    let task = WriteState { states: Table::default() };
    assert_eq!(task.handle(write(0, "a")).await.unwrap().state.version, 1);
    assert_eq!(task.handle(write(1, "b")).await.unwrap().state.version, 2);
}

#[tokio::test]
async fn a_lost_race_is_a_conflict_and_leaves_the_state_alone() {
    let task = WriteState { states: Table::default() };
    task.handle(write(0, "a")).await.unwrap();
    let error = task.handle(write(0, "b")).await.unwrap_err();
    assert_eq!(error.name, ErrorName::StateConflict);
    assert_eq!(task.states.state.lock().unwrap().as_ref().unwrap().execution, "a");
}

#[tokio::test]
async fn the_second_try_of_a_write_whose_reply_was_lost_is_a_success() {
    let task = WriteState { states: Table::default() };
    task.handle(write(0, "a")).await.unwrap();
    assert_eq!(task.handle(write(0, "a")).await.unwrap().state.version, 1);
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_said_so() {
    let task = WriteState { states: Table { refuses: true, ..Table::default() } };
    assert_eq!(task.handle(write(0, "a")).await.unwrap_err().name, ErrorName::StateUnavailable);
}

#[tokio::test]
async fn input_that_no_evaluation_writes_is_refused() {
    let task = WriteState { states: Table::default() };
    assert_eq!(task.handle(json!({"state": 1})).await.unwrap_err().name, ErrorName::InvalidRequest);
}
