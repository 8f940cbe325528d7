//! The task with a double at its port.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;

use breaker::contract::ErrorName;
use emit_metrics::EmitMetrics;
use jiff::Timestamp;
use platform::metric_writer::{MetricWriter, NotStored};
use platform::metrics::MetricSet;
use serde_json::json;

#[derive(Default)]
struct Written {
    sets: Mutex<Vec<MetricSet>>,
    refuses: bool,
}

impl MetricWriter for Written {
    async fn put(&self, _: Timestamp, metrics: &MetricSet) -> Result<(), NotStored> {
        self.sets.lock().unwrap().push(metrics.clone());
        if self.refuses { Err(NotStored("throttled".into())) } else { Ok(()) }
    }
}

fn task(refuses: bool) -> EmitMetrics<Written> {
    EmitMetrics { metrics: Written { refuses, ..Written::default() }, deployment: "bank-test".to_owned() }
}

fn values(task: &EmitMetrics<Written>) -> Vec<(&'static str, f64)> {
    let sets = task.metrics.sets.lock().unwrap();
    sets.iter().flat_map(|set| set.metrics.iter().map(|metric| (metric.name, metric.value))).collect()
}

#[tokio::test]
async fn every_evaluation_announces_the_level() {
    let task = task(false);
    task.handle(json!({"outcome": "none", "level": 2}), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 2.0)]);
    assert_eq!(task.metrics.sets.lock().unwrap()[0].dimensions, [("Deployment", "bank-test".to_owned())]);
}

#[tokio::test]
async fn a_transition_is_counted() {
    let task = task(false);
    task.handle(json!({"outcome": "transition", "level": 3}), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(values(&task), [("Evaluation", 1.0), ("CurrentLevel", 3.0), ("Transition", 1.0)]);
}

#[tokio::test]
async fn metrics_that_are_not_stored_and_bad_input_fail_under_their_names() {
    let error = task(true).handle(json!({"outcome": "none", "level": 1}), Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(error.name, ErrorName::MetricsNotEmitted);
    let error = task(false).handle(json!({"outcome": "none", "level": 4}), Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
}
