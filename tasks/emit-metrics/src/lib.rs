//! Emits the metrics of an evaluation.

use breaker::Outcome;
use breaker::contract::{ErrorName, MetricsEmitted, MetricsInput};
use jiff::Timestamp;
use platform::metric_writer::MetricWriter;
use platform::metrics::{Metric, MetricSet, namespace};
use platform::task_error::TaskError;
use serde_json::Value;

/// The task, with its port.
#[derive(Clone, Debug)]
pub struct EmitMetrics<M> {
    /// Where the metrics go.
    pub metrics: M,
    /// The deployment whose metrics they are.
    pub deployment: String,
}

impl<M: MetricWriter> EmitMetrics<M> {
    /// Emits `Evaluation` and `CurrentLevel`, so that the state itself is announced every time, and
    /// `Transition` where the level moved.
    ///
    /// # Errors
    /// `MetricsNotEmitted`; `InvalidRequest` for input that no evaluation writes.
    pub async fn handle(&self, input: Value, now: Timestamp) -> Result<MetricsEmitted, TaskError> {
        let input: MetricsInput = serde_json::from_value(input)
            .map_err(|error| TaskError::new(ErrorName::InvalidRequest, format!("input of the task: {error}")))?;
        let mut values = vec![Metric::count("Evaluation", 1), Metric::level("CurrentLevel", input.level)];
        if input.outcome == Outcome::Transition {
            values.push(Metric::count("Transition", 1));
        }
        let set = MetricSet::of_deployment(namespace::TRANSITIONS, &self.deployment, values);
        self.metrics
            .put(now, &set)
            .await
            .map_err(|error| TaskError::new(ErrorName::MetricsNotEmitted, error.to_string()))?;
        Ok(MetricsEmitted { values: set.metrics.len() })
    }
}
