//! Emits the metrics of an evaluation.

use aws_edge::metrics::{Metric, MetricSet, namespace};
use aws_edge::stores::metrics::MetricWriter;
use aws_edge::task_error::TaskError;
use aws_edge::task_input;
use breaker::Outcome;
use breaker::contract::{ErrorName, MetricsEmitted, MetricsInput};
use jiff::Timestamp;
use serde_json::Value;

/// The task `emit-metrics`, with its port.
#[derive(Clone, Debug)]
pub struct EmitMetrics<M> {
    /// The writer of the metrics.
    pub metrics: M,
    /// Name of the deployment, a dimension of the metrics.
    pub deployment: String,
}

impl<M: MetricWriter> EmitMetrics<M> {
    /// Emits `Evaluation` and `CurrentLevel` each time, `Transition` for a transition, `WouldTransition` if a hold or
    /// the mode `observe-only` prevented a move, `HoldMinutesLeft` during a hold, and `ProbesRefused` if the better
    /// level has refused most probes for too long. If the input reports a failed notification, emits only
    /// `NotificationMissing`, because another call emits the other metrics.
    ///
    /// # Errors
    /// `MetricsNotEmitted` if `CloudWatch` does not accept the metrics, `InvalidRequest` if the input is invalid.
    pub async fn handle(&self, input: Value, now: Timestamp) -> Result<MetricsEmitted, TaskError> {
        let input: MetricsInput = task_input::typed(input)?;
        if input.notification_missing {
            return self.put(vec![Metric::count("NotificationMissing", 1)], now).await;
        }
        if let Some(cause) = &input.cause {
            tracing::info!(evaluation.reason = %cause, "metrics of an evaluation");
        }
        let level = input.state.current_level;
        let mut values = vec![Metric::count("Evaluation", 1), Metric::level("CurrentLevel", level)];
        if input.outcome == Outcome::Transition {
            values.push(Metric::count("Transition", 1));
        }
        if input.prevented.is_some() {
            values.push(Metric::count("WouldTransition", 1));
        }
        if let Some(hold) = input.state.active_hold(now) {
            values.push(Metric::minutes("HoldMinutesLeft", hold.expires_at.duration_since(now)));
        }
        if input.state.refusals_alarm(now) {
            values.push(Metric::count("ProbesRefused", 1));
        }
        self.put(values, now).await
    }

    async fn put(&self, values: Vec<Metric>, now: Timestamp) -> Result<MetricsEmitted, TaskError> {
        let set = MetricSet::of_deployment(namespace::TRANSITIONS, &self.deployment, values);
        self.metrics
            .put(now, &set)
            .await
            .map_err(|error| TaskError::new(ErrorName::MetricsNotEmitted, error.to_string()).of_kind(error.0.kind()))?;
        Ok(MetricsEmitted { values: set.metrics.len() })
    }
}
