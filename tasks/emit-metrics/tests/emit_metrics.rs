//! Tests the task with a test double for its port.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;

use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_edge::metrics::MetricSet;
use aws_edge::stores::metrics::{MetricWriter, NotStored};
use breaker::contract::ErrorName;
use breaker::{Hold, Level, Policy, PolicySettings, Probing, Refusing, SystemState};
use emit_metrics::EmitMetrics;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

#[derive(Default)]
struct Written {
    sets: Mutex<Vec<MetricSet>>,
    refuses: bool,
}

impl MetricWriter for Written {
    async fn put(&self, _: Timestamp, metrics: &MetricSet) -> Result<(), NotStored> {
        self.sets.lock().unwrap().push(metrics.clone());
        if self.refuses { Err(NotStored(CallError::new(ErrorKind::Throttled, "rate exceeded"))) } else { Ok(()) }
    }
}

fn task(refuses: bool) -> EmitMetrics<Written> {
    EmitMetrics { metrics: Written { refuses, ..Written::default() }, deployment: "bank-test".to_owned() }
}

fn values(task: &EmitMetrics<Written>) -> Vec<(&'static str, f64)> {
    let sets = task.metrics.sets.lock().unwrap();
    sets.iter().flat_map(|set| set.metrics.iter().map(|metric| (metric.name, metric.value))).collect()
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn state(level: u8) -> SystemState {
    let policy = Policy::new(PolicySettings::default()).unwrap();
    SystemState { current_level: Level::try_from(level).unwrap(), ..SystemState::initial(&policy, NOW) }
}

fn input(outcome: &str, level: u8) -> Value {
    json!({"outcome": outcome, "state": state(level)})
}

#[tokio::test]
async fn every_evaluation_announces_the_level() {
    let task = task(false);
    task.handle(input("none", 2), NOW).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 2.0)]);
    assert_eq!(task.metrics.sets.lock().unwrap()[0].dimensions, [("Deployment", "bank-test".to_owned())]);
}

#[tokio::test]
async fn a_transition_is_counted() {
    let task = task(false);
    task.handle(input("transition", 3), NOW).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 3.0), ("Transition", 1.0)]);
}

#[tokio::test]
async fn a_hold_emits_its_rest_and_the_prevented_move() {
    let task = task(false);
    let expires_at = NOW + SignedDuration::from_mins(5);
    let hold =
        Hold { level: Level::Full, reason: "drill".into(), requested_by: "alice".into(), expires_at, execution: None };
    let input = json!({"outcome": "none", "state": SystemState { hold: Some(hold), ..state(1) }, "prevented": 2});
    task.handle(input.clone(), NOW + SignedDuration::from_secs(30)).await.unwrap();
    let told = [("Evaluation", 1.0), ("CurrentLevel", 1.0), ("WouldTransition", 1.0), ("HoldMinutesLeft", 4.5)];
    assert_eq!(values(&task), told);
    task.metrics.sets.lock().unwrap().clear();
    task.handle(input, expires_at).await.unwrap();
    assert!(!values(&task).iter().any(|(name, _)| *name == "HoldMinutesLeft"), "an expired hold has no metric");
}

#[tokio::test]
async fn refused_probes_are_emitted_from_the_alarms_time_on() {
    let alarm_from = NOW + SignedDuration::from_mins(15);
    let refusing = Some(Refusing { since: NOW, alarm_from });
    let probing = Some(Probing { from: NOW, percent: 5, percent_since: NOW, idle_since: None, refusing });
    let refused = SystemState { probing, ..state(2) };
    let told = async |state: SystemState, now| {
        let task = task(false);
        task.handle(json!({"outcome": "none", "state": state}), now).await.unwrap();
        values(&task).contains(&("ProbesRefused", 1.0))
    };
    assert!(!told(refused.clone(), alarm_from - SignedDuration::from_secs(1)).await);
    assert!(told(refused.clone(), alarm_from).await);
    assert!(!told(state(2), alarm_from).await, "nothing is refused");
    let expires_at = alarm_from + SignedDuration::from_mins(5);
    let hold = Hold {
        level: Level::Degraded,
        reason: "drill".into(),
        requested_by: "alice".into(),
        expires_at,
        execution: None,
    };
    assert!(!told(SystemState { hold: Some(hold), ..refused }, alarm_from).await, "nothing probes in a hold");
}

#[tokio::test]
async fn an_unannounced_transition_emits_one_metric_only() {
    let task = task(false);
    let mut input = input("transition", 3);
    input["notificationMissing"] = json!(true);
    task.handle(input, NOW).await.unwrap();
    assert_eq!(values(&task), [("NotificationMissing", 1.0)]);
}

#[tokio::test]
async fn in_observe_only_each_evaluation_reports_its_move() {
    let task = task(false);
    let observing = SystemState { prevented: Some(Level::Degraded), ..state(1) };
    task.handle(json!({"outcome": "record", "state": observing, "prevented": 2}), NOW).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 1.0), ("WouldTransition", 1.0)]);
    task.metrics.sets.lock().unwrap().clear();
    task.handle(input("none", 1), NOW).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 1.0)], "it would stay");
}

/// The state machine may be of a newer release than this task.
#[tokio::test]
async fn unknown_members_of_a_newer_release_are_ignored() {
    let task = task(false);
    let mut input = input("transition", 2);
    input["cause"] = json!({"kind": "sequentialTest", "errors": 7});
    input["newer"] = json!(1);
    task.handle(input, NOW).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 2.0), ("Transition", 1.0)]);
}

#[tokio::test]
async fn unstored_metrics_and_bad_input_fail_under_their_names() {
    let refused = task(true).handle(input("none", 1), NOW).await.unwrap_err();
    assert_eq!((refused.name, refused.kind), (ErrorName::MetricsNotEmitted, Some(ErrorKind::Throttled)));
    for bad in [json!({"outcome": "none"}), json!({"outcome": "maybe", "state": state(1)}), json!(null)] {
        assert_eq!(task(false).handle(bad, NOW).await.unwrap_err().name, ErrorName::InvalidRequest);
    }
}
