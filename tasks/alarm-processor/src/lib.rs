//! Turns alarm notifications from the queue into executions of the state machine.
//!
//! An alarm is a hint to evaluate, never a count, so this Lambda keeps no state. A record that fails returns to the
//! queue, and a record that is delivered twice is evaluated twice.

mod alarm_message;
mod executions;

use aws_edge::error_kind::ErrorKind;
use aws_edge::metrics::{Metric, MetricLog, MetricSet, namespace};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use breaker::{AlarmRequest, TransitionRequest};
use futures::future::join_all;
use jiff::Timestamp;

pub use alarm_message::{AlarmKind, AlarmNotification, NotAnAlarm, Part, Problem, parse};
pub use executions::{EXECUTION_TIMEOUTS, ExecutionFailed, Executions, StateMachine};

/// The Lambda, with its ports.
#[derive(Clone, Debug)]
pub struct AlarmProcessor<E, M> {
    /// Runs the state machine.
    pub executions: E,
    /// The metric log.
    pub metrics: M,
    /// Name of the deployment, a dimension of the metrics.
    pub deployment: String,
}

/// The result of a record.
enum Processed {
    /// An execution evaluated the alarm and succeeded.
    Evaluated(AlarmKind),
    /// The alarm did not go off, so there is no reason to evaluate.
    Acknowledged,
    /// The record with this id returns to the queue.
    Failed(String),
    /// The record with this id returns to the queue, because the start of its execution was throttled.
    Throttled(String),
}

impl Processed {
    fn goes_back(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Throttled(_))
    }
}

impl<E: Executions, M: MetricLog> AlarmProcessor<E, M> {
    /// Processes the records of a batch concurrently. Returns the ids of the records that failed.
    pub async fn handle(&self, batch: SqsEvent, now: Timestamp) -> SqsBatchResponse {
        let processed = join_all(batch.records.iter().map(|record| self.process(record))).await;
        self.record_metrics(&processed, now);
        let failed = batch.records.into_iter().zip(processed).filter_map(|(record, processed)| match processed {
            Processed::Failed(id) | Processed::Throttled(id) => Some(record.message_id.unwrap_or(id)),
            Processed::Evaluated(_) | Processed::Acknowledged => None,
        });
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed
            .map(|id| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failure
            })
            .collect();
        response
    }

    async fn process(&self, record: &SqsMessage) -> Processed {
        let id = record.message_id.clone().unwrap_or_default();
        let notification = match parse(record.body.as_deref().unwrap_or_default()) {
            Ok(notification) => notification,
            Err(error) => {
                tracing::error!(message.id = id, error.message = %error, "a record cannot be read");
                return Processed::Failed(id);
            }
        };
        let alarm = notification.hint.name().to_owned();
        if !notification.went_off {
            tracing::info!(message.id = id, alarm.name = alarm, "an alarm that did not go off is acknowledged");
            return Processed::Acknowledged;
        }
        let request = TransitionRequest::Alarm(AlarmRequest { alarm: notification.hint, dry_run: false });
        match self.executions.run(&request).await {
            Ok(()) => {
                tracing::info!(message.id = id, alarm.name = alarm, "an alarm was evaluated");
                Processed::Evaluated(notification.kind)
            }
            Err(error) => {
                tracing::error!(
                    message.id = id, alarm.name = alarm, error.kind = error.kind().as_str(),
                    error.message = %error, "an alarm was not evaluated"
                );
                match error.kind() {
                    ErrorKind::Throttled => Processed::Throttled(id),
                    _ => Processed::Failed(id),
                }
            }
        }
    }

    fn record_metrics(&self, processed: &[Processed], now: Timestamp) {
        let count = |wanted: fn(&Processed) -> bool| {
            u32::try_from(processed.iter().filter(|one| wanted(one)).count()).unwrap_or(u32::MAX)
        };
        let mut metrics = vec![
            Metric::count("RecordsProcessed", count(|one| !one.goes_back())),
            Metric::count("ProcessingErrors", count(Processed::goes_back)),
            Metric::count(
                "FailureAlarmProcessed",
                count(|one| matches!(one, Processed::Evaluated(AlarmKind::Failure))),
            ),
            Metric::count(
                "RecoveryAlarmProcessed",
                count(|one| matches!(one, Processed::Evaluated(AlarmKind::Recovery))),
            ),
        ];
        // CloudWatch's own metric of throttled starts has no dimension for the state machine, and AWS does not document
        // that it counts synchronous starts.
        let throttled = count(|one| matches!(one, Processed::Throttled(_)));
        if throttled > 0 {
            metrics.push(Metric::count("ExecutionsThrottled", throttled));
        }
        self.metrics.record(now, &MetricSet::of_deployment(namespace::ALARM_PROCESSOR, &self.deployment, metrics));
    }
}
