//! `evaluate-thresholds` with doubles at its ports.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_edge::stores::evidence::{EvidenceReader, MetricsError};
use aws_edge::stores::state::{CommandReader, LastKnownReader, StateReader, StoreError, Stored, stored_from_item};
use aws_edge::task_error::TaskError;
use aws_edge::task_input;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::contract::Evaluation;
use breaker::{CommandRecord, Evidence, EvidenceQuery, LastKnown, Level, Policy, PolicySettings, SystemState};
use evaluate_thresholds::EvaluateThresholds;
use jiff::Timestamp;
use serde_json::value::RawValue;

pub type Item = HashMap<String, AttributeValue>;

/// A table with one state item, which counts its reads.
pub struct Table {
    pub item: Item,
    pub reads: AtomicUsize,
}

impl StateReader for Table {
    async fn read(&self) -> Result<Stored, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(stored_from_item(self.item.clone()))
    }
}

impl CommandReader for Table {
    async fn command(&self, _: &str) -> Result<Option<CommandRecord>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }
}

impl LastKnownReader for Table {
    async fn last_known(&self) -> Result<Option<LastKnown>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(Some(LastKnown { version: 4, epoch: 2, level: Level::Degraded }))
    }
}

pub struct NoTraffic;

impl EvidenceReader for NoTraffic {
    async fn read(&self, _: &EvidenceQuery) -> Result<Evidence, MetricsError> {
        Ok(Evidence::default())
    }
}

pub fn now() -> Timestamp {
    "2026-09-10T14:06:12Z".parse().unwrap()
}

/// Returns a stored state, which has been at level 2 for an hour.
pub fn state() -> SystemState {
    let policy = Policy::new(PolicySettings::default()).unwrap();
    let since: Timestamp = "2026-09-10T13:06:12Z".parse().unwrap();
    SystemState {
        current_level: Level::Degraded,
        version: 4,
        epoch: 2,
        execution: "arn:execution:earlier".to_owned(),
        ..SystemState::initial(&policy, since)
    }
}

pub fn item() -> Item {
    let mut item: Item = serde_dynamo::to_item(state()).unwrap();
    item.insert("pk".to_owned(), AttributeValue::S("system-state".to_owned()));
    item
}

pub fn task(item: Item) -> EvaluateThresholds<Table, NoTraffic> {
    let policy = Policy::new(PolicySettings::default()).unwrap();
    EvaluateThresholds {
        states: Table { item, reads: AtomicUsize::new(0) },
        evidence: NoTraffic,
        policy: policy.into(),
    }
}

/// Returns the task's answer in an execution whose input is the JSON text `request`.
pub async fn evaluate(task: &EvaluateThresholds<Table, NoTraffic>, request: &str) -> Result<Evaluation, TaskError> {
    let event = format!("{{\"request\": {request}, \"execution\": {{\"arn\": \"arn:execution\", \"name\": \"one\"}}}}");
    let event = RawValue::from_string(event).unwrap();
    task.handle(task_input::read(&event)?, now()).await
}
