//! The alarms that call people. Each description has the alarm's meaning, the remedy and a section of the runbook.

use deployment_file::{Alerts, Effective};

use super::alarm::{Alarm, Comparison, Dimension, Metric, MissingData, Periods, Topic, Watched, arn, description};
use crate::names::Names;

mod table;

/// Length of a period in seconds.
const PERIOD: u32 = 60;

/// The metric of an alarm.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A metric that the deployment itself emits: namespace and name.
    Own(&'static str, &'static str),
    /// A metric of a Lambda function: middle part of the function's name, and the metric's name.
    Function(&'static str, &'static str),
    /// The throttles of the function that serves a level.
    Service(Service),
    /// A metric of a queue: middle part of the queue's name, and the metric's name.
    Queue(&'static str, &'static str),
    /// A metric of the state machine: its name.
    Machine(&'static str),
    /// Throttled calls of `StartExecution`, over the whole account.
    ThrottledStarts,
}

/// The service of a level.
#[derive(Clone, Copy, Debug)]
enum Service {
    Full,
    Degraded,
    Maintenance,
}

/// The threshold of an alarm.
#[derive(Clone, Copy, Debug)]
enum Threshold {
    /// A constant.
    Fixed(u32),
    /// `alerts.oldest_alarm_seconds`.
    OldestAlarm,
    /// `alerts.stale_state_seconds`.
    StaleState,
    /// `alerts.hold_ends_minutes`.
    HoldEnds,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: &'static str,
    /// The section of the runbook.
    anchor: &'static str,
    source: Source,
    statistic: &'static str,
    /// M and N of "M out of N" minutes.
    periods: (u32, u32),
    comparison: Comparison,
    threshold: Threshold,
    missing_data: MissingData,
    says_ok: bool,
    advice: &'static str,
}

/// Returns the alarms that call people.
pub(super) fn alarms(deployment: &Effective, names: &Names) -> Vec<Alarm> {
    table::ROWS.iter().map(|row| alarm(row, deployment, names)).collect()
}

fn alarm(row: &Row, deployment: &Effective, names: &Names) -> Alarm {
    let (datapoints_to_alarm, evaluation_periods) = row.periods;
    let alerts = &deployment.file.alerts;
    Alarm {
        name: row.name.to_owned(),
        description: description(row.advice, &alerts.runbook_url, row.anchor),
        watched: Watched::Metric {
            metric: row.source.metric(deployment, names),
            statistic: row.statistic,
            period: PERIOD,
        },
        periods: Periods { datapoints_to_alarm, evaluation_periods },
        threshold: row.threshold.of(alerts),
        comparison: row.comparison,
        missing_data: row.missing_data,
        topic: Topic::Alerts,
        says_ok: row.says_ok,
    }
}

impl Threshold {
    const fn of(self, alerts: &Alerts) -> u32 {
        match self {
            Self::Fixed(number) => number,
            Self::OldestAlarm => alerts.oldest_alarm_seconds,
            Self::StaleState => alerts.stale_state_seconds,
            Self::HoldEnds => alerts.hold_ends_minutes,
        }
    }
}

impl Source {
    fn metric(self, deployment: &Effective, names: &Names) -> Metric {
        let (namespace, name, dimension) = match self {
            Self::Own(namespace, metric) => (namespace, metric, Dimension::new("Deployment", names.to_string())),
            Self::Function(function, metric) => {
                ("AWS/Lambda", metric, Dimension::new("FunctionName", names.resource(function)))
            }
            Self::Service(service) => {
                ("AWS/Lambda", "Throttles", Dimension::new("FunctionName", service.function(deployment, names)))
            }
            Self::Queue(queue, metric) => ("AWS/SQS", metric, Dimension::new("QueueName", names.resource(queue))),
            Self::Machine(metric) => {
                let machine = format!("stateMachine:{}", names.resource("level-transition"));
                ("AWS/States", metric, Dimension::new("StateMachineArn", arn("states", &machine)))
            }
            Self::ThrottledStarts => ("AWS/States", "ThrottledEvents", Dimension::new("APIName", "StartExecution")),
        };
        Metric { namespace, name, dimensions: vec![dimension] }
    }
}

impl Service {
    /// Returns the name of the function that serves the level: the user's function if one is set, else the sample.
    fn function(self, deployment: &Effective, names: &Names) -> String {
        let services = &deployment.file.services;
        let (own, sample) = match self {
            Self::Full => (&services.full, "full-service"),
            Self::Degraded => (&services.degraded, "degraded-service"),
            Self::Maintenance => (&services.maintenance, "maintenance-service"),
        };
        let own = own.as_ref().and_then(|arn| arn.split(':').nth(6));
        own.map_or_else(|| names.resource(sample), str::to_owned)
    }
}
