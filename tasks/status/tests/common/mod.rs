//! A bank whose sources give the answers that a test sets.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unnecessary_wraps, reason = "what a record holds")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

pub mod scenes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_edge::stores::state::{StateReader, StoreError};
use breaker::{
    ForceRequest, Hold, Level, Policy, PolicySettings, Preset, Probing, Ramp, Refusing, Stored, SystemState,
    TransitionRecord, TransitionRequest,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use status::{
    Alarm, AlarmChange, AlarmReader, Place, RecordReader, Records, Sample, Series, SourceError, StatusFunction,
    Traffic, TrafficReader,
};

/// The time of every answer: 2026-09-10T02:02:30Z.
pub const NOW: Timestamp = Timestamp::constant(1_789_005_750, 0);

/// Number of reads of each source, by its name.
pub type Reads = Arc<Mutex<BTreeMap<&'static str, usize>>>;

/// Returns the time `second` seconds after one hour before [`NOW`].
pub fn at(second: u64) -> Timestamp {
    NOW - SignedDuration::from_secs(3_600) + SignedDuration::from_secs(second.try_into().unwrap())
}

pub fn policy() -> Policy {
    Policy::from(Preset::Classic)
}

/// A state that moved to `level` twenty minutes ago.
pub fn state(level: Level) -> SystemState {
    SystemState {
        current_level: level,
        failure_count: 4,
        success_count: 2,
        last_transition: at(2_400),
        last_updated: NOW,
        transition_reason: "10 failures at level 1 within 300 s (threshold 5)".to_owned(),
        version: 9,
        epoch: 3,
        evidence_since: at(2_400),
        ..SystemState::initial(&policy(), at(0))
    }
}

pub fn hold(level: Level) -> Hold {
    Hold {
        level,
        reason: "release tonight".to_owned(),
        requested_by: "alice".to_owned(),
        expires_at: NOW + SignedDuration::from_mins(30),
        execution: None,
    }
}

pub fn probing(idle_since: Option<Timestamp>, refused_since: Option<Timestamp>) -> SystemState {
    let refusing = refused_since.map(|since| Refusing { since, alarm_from: since + SignedDuration::from_mins(15) });
    let probing = Probing { from: at(2_500), percent: 7, percent_since: at(2_500), idle_since, refusing };
    SystemState { probing: Some(probing), ..state(Level::Degraded) }
}

pub fn ramping() -> SystemState {
    let ramp = Ramp { from: NOW, until: NOW + SignedDuration::from_mins(5), first_percent: 50 };
    SystemState { ramp: Some(ramp), ..state(Level::Full) }
}

pub fn forced(epoch: u64, reason: &str, who: &str) -> TransitionRecord {
    let request = TransitionRequest::Force(ForceRequest {
        target_level: Level::Degraded,
        reason: reason.to_owned(),
        requested_by: who.to_owned(),
        hold_minutes: None,
        expected_epoch: None,
        expected_hold: None,
        repair: false,
        dry_run: false,
    });
    TransitionRecord {
        epoch,
        version: epoch,
        from: Level::Full,
        to: Level::Degraded,
        reason: format!("forced from level 1 to level 2 by {who}: {reason}"),
        request: Some(request),
        ..TransitionRecord::first_start(at(600 * epoch), "arn:execution")
    }
}

/// What the sources answer.
#[derive(Clone)]
pub struct Bank {
    pub stored: Result<Stored, StoreError>,
    pub samples: Vec<Sample>,
    pub metrics_fail: bool,
    pub alarms: Vec<Alarm>,
    pub alarms_fail: bool,
    pub changes: Vec<AlarmChange>,
    pub changes_fail: bool,
    pub records: Option<Records>,
    pub policy: Policy,
    pub place: Place,
    pub reads: Reads,
}

impl Bank {
    pub fn at_level(level: Level) -> Self {
        Self::with(state(level))
    }

    pub fn with(state: SystemState) -> Self {
        Self {
            stored: Ok(Stored::State(Box::new(state))),
            samples: vec![Sample { series: Series::Evaluations, start: at(3_570), value: 1.0 }],
            metrics_fail: false,
            alarms: Vec::new(),
            alarms_fail: false,
            changes: Vec::new(),
            changes_fail: false,
            records: Some(Records::default()),
            policy: policy(),
            place: Place {
                project: "bank".to_owned(),
                environment: "test".to_owned(),
                region: "eu-central-1".to_owned(),
                state_machine_arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-test"
                    .to_owned(),
                runbook: "https://example.com/runbook".to_owned(),
                endpoint_url: None,
            },
            reads: Reads::default(),
        }
    }

    /// Adds calls of a level in the newest whole minute.
    pub fn failing(mut self, level: Level, failed: u32, succeeded: u32) -> Self {
        let start = at(3_510);
        for (series, value) in [
            (Series::Failures(level), f64::from(failed)),
            (Series::Successes(level), f64::from(succeeded)),
            (Series::HighestLevel, f64::from(level.number())),
            (Series::LowestLevel, f64::from(level.number())),
        ] {
            self.samples.push(Sample { series, start, value });
        }
        self
    }

    pub fn function(&self) -> StatusFunction<Self, Self, Self> {
        StatusFunction::new(self.clone(), self.clone(), self.clone(), self.policy, self.place.clone())
    }

    pub async fn ask_of(
        &self,
        function: &StatusFunction<Self, Self, Self>,
        route: &str,
        query: &str,
        accept: &str,
    ) -> Value {
        let event = json!({ "routeKey": route, "rawQueryString": query, "headers": { "Accept": accept } });
        json!(function.handle(event, NOW).await.unwrap())
    }

    pub async fn ask(&self, route: &str, query: &str, accept: &str) -> Value {
        self.ask_of(&self.function(), route, query, accept).await
    }

    pub async fn json(&self, query: &str) -> Value {
        let answer = self.ask("GET /circuit-breaker", query, "application/json").await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }

    pub async fn page(&self, query: &str) -> String {
        let answer = self.ask("GET /circuit-breaker", query, "text/html").await;
        assert_eq!(answer["headers"]["Content-Type"], "text/html; charset=utf-8");
        answer["body"].as_str().unwrap().to_owned()
    }

    /// How often each source was read.
    pub fn reads(&self) -> [(&'static str, usize); 5] {
        let reads = self.reads.lock().unwrap();
        ["state", "metrics", "alarms", "changes", "records"].map(|name| (name, reads.get(name).copied().unwrap_or(0)))
    }

    fn read(&self, source: &'static str) {
        *self.reads.lock().unwrap().entry(source).or_default() += 1;
    }

    fn unless<T>(fails: bool, answer: T) -> Result<T, SourceError> {
        if fails { Err(SourceError::Incomplete("a test".to_owned())) } else { Ok(answer) }
    }
}

impl StateReader for Bank {
    async fn read(&self) -> Result<Stored, StoreError> {
        self.read("state");
        self.stored.clone()
    }
}

impl RecordReader for Bank {
    async fn records(&self) -> Result<Records, SourceError> {
        self.read("records");
        Self::unless(self.records.is_none(), self.records.clone().unwrap_or_default())
    }
}

impl TrafficReader for Bank {
    async fn traffic(&self, from: Timestamp, until: Timestamp) -> Result<Traffic, SourceError> {
        self.read("metrics");
        Self::unless(self.metrics_fail, Traffic::new(from, until, self.samples.clone()))
    }
}

impl AlarmReader for Bank {
    async fn alarms(&self) -> Result<Vec<Alarm>, SourceError> {
        self.read("alarms");
        Self::unless(self.alarms_fail, self.alarms.clone())
    }

    async fn changes(&self, _: Timestamp) -> Result<Vec<AlarmChange>, SourceError> {
        self.read("changes");
        Self::unless(self.changes_fail, self.changes.clone())
    }
}

/// The preset `production`.
pub fn production() -> Policy {
    Policy::new(PolicySettings::production()).unwrap()
}
