//! The table of the alarms that call people.

use super::{Comparison, MissingData, Row, Service, Source, Threshold};

/// Values that most of the alarms share: one event in one minute raises the alarm.
const EACH_MINUTE: Row = Row {
    name: "",
    anchor: "",
    source: Source::ThrottledStarts,
    statistic: "Sum",
    periods: (1, 1),
    comparison: Comparison::AtLeast,
    threshold: Threshold::Fixed(1),
    missing_data: MissingData::NotBreaching,
    says_ok: false,
    advice: "",
};

/// Makes the row of a function that Lambda may throttle.
macro_rules! throttles {
    ($name:literal, $function:literal, $source:expr) => {
        Row {
            name: $name,
            anchor: "function-throttles",
            source: $source,
            advice: concat!(
                "Lambda throttles ",
                $function,
                ". Raise its concurrency limit or the quota of the account, or find which functions use the concurrency."
            ),
            ..EACH_MINUTE
        }
    };
}

pub(super) const ROWS: [Row; 31] = [
    Row {
        name: "alarm-processor-errors",
        anchor: "alarm-processor-errors",
        source: Source::Own("CircuitBreaker/AlarmProcessor", "ProcessingErrors"),
        advice: "Alarm messages cannot be processed. Each is tried five times and then moved to the dead-letter \
                 queue. Read the log of the alarm processor.",
        ..EACH_MINUTE
    },
    Row {
        name: "dead-letter-queue",
        anchor: "dead-letter-queue",
        source: Source::Queue("circuit-breaker-alarms-dlq", "ApproximateNumberOfMessagesVisible"),
        statistic: "Maximum",
        advice: "Alarm messages are in the dead-letter queue. The level is still evaluated each minute. Find and fix \
                 the cause of the failures, then redrive or purge the messages.",
        ..EACH_MINUTE
    },
    Row {
        name: "oldest-alarm",
        anchor: "oldest-alarm",
        source: Source::Queue("circuit-breaker-alarms", "ApproximateAgeOfOldestMessage"),
        statistic: "Maximum",
        threshold: Threshold::OldestAlarm,
        advice: "Alarm messages wait in the queue and are not processed. Check whether the alarm processor runs, is \
                 throttled, or waits for the state machine.",
        ..EACH_MINUTE
    },
    // Two minutes of three, because a single refused command of an operator must not call people.
    Row {
        name: "state-machine-failures",
        anchor: "state-machine-failures",
        source: Source::Machine("ExecutionsFailed"),
        periods: (2, 3),
        advice: "Executions of the state machine fail, so the level may not move when it should. The log of the \
                 executions has the error and its cause.",
        ..EACH_MINUTE
    },
    Row {
        name: "state-machine-timeouts",
        anchor: "state-machine-timeouts",
        source: Source::Machine("ExecutionsTimedOut"),
        advice: "Executions of the state machine take longer than 90 seconds. The log of the executions shows which \
                 task or AWS service does not answer.",
        ..EACH_MINUTE
    },
    // Express executions are throttled only when they are started. The alarm processor counts its own throttled starts,
    // because AWS does not document that `ThrottledEvents` has data for `StartSyncExecution`. The next alarm covers the
    // starts by the schedule and by operators.
    Row {
        name: "state-machine-throttles",
        anchor: "state-machine-throttles",
        source: Source::Own("CircuitBreaker/AlarmProcessor", "ExecutionsThrottled"),
        advice: "Step Functions refuses executions that the alarm processor starts, because of a quota. The alarm \
                 messages are delivered again, and the level is still evaluated each minute. Check for a flood of \
                 alarms, for other users of Step Functions in the account, and the account's quota of \
                 StartSyncExecution.",
        ..EACH_MINUTE
    },
    Row {
        name: "state-machine-start-throttles",
        anchor: "state-machine-throttles",
        source: Source::ThrottledStarts,
        advice: "Step Functions refuses executions that the schedule or an operator starts, because of a quota. The \
                 metric covers the whole account, because it has no dimension for the state machine. Check for a \
                 flood of alarms, for other users of Step Functions in the account, and the account's quota of \
                 StartExecution.",
        ..EACH_MINUTE
    },
    Row {
        name: "controller-errors",
        anchor: "controller-errors",
        source: Source::Function("circuit-breaker-controller", "Errors"),
        advice: "The controller itself fails. A failing service does not make it fail, so the cause is a defect or \
                 a missing variable. Read its log. If it began after a deployment, roll back.",
        ..EACH_MINUTE
    },
    Row {
        name: "connection-lost",
        anchor: "connection-lost",
        source: Source::Own("CircuitBreaker/Controller", "ConnectionLost"),
        periods: (2, 3),
        comparison: Comparison::Above,
        threshold: Threshold::Fixed(5),
        advice: "Connections from the controller to Lambda break. The controller retries reads; writes are answered \
                 504 with an unknown outcome. These failures do not move the level. Check the network of the VPC and \
                 AWS Health.",
        ..EACH_MINUTE
    },
    Row {
        name: "alarm-processor-function-errors",
        anchor: "function-errors",
        source: Source::Function("alarm-processor", "Errors"),
        advice: "The alarm processor itself fails. Alarms wait in the queue, and the level is still evaluated each \
                 minute. Read its log.",
        ..EACH_MINUTE
    },
    // Two minutes of three, because refused input and a lost race count as errors, too, and need no operator.
    Row {
        name: "evaluate-thresholds-errors",
        anchor: "function-errors",
        source: Source::Function("evaluate-thresholds", "Errors"),
        periods: (2, 3),
        advice: "Evaluations fail, so the level does not move by itself. Search the log of evaluate-thresholds for \
                 StateUnavailable, MetricsUnavailable and InvalidConfiguration. Operators can still force a level, \
                 unless the state is unavailable.",
        ..EACH_MINUTE
    },
    Row {
        name: "write-state-errors",
        anchor: "function-errors",
        source: Source::Function("write-state", "Errors"),
        periods: (2, 3),
        advice: "The state cannot be written, so the level does not move. Read the log of write-state, and check \
                 whether DynamoDB and the KMS key are available.",
        ..EACH_MINUTE
    },
    Row {
        name: "emit-metrics-errors",
        anchor: "function-errors",
        source: Source::Function("emit-metrics", "Errors"),
        advice: "Metrics of transitions are not published. The level still moves. Read the log of emit-metrics.",
        ..EACH_MINUTE
    },
    Row {
        name: "status-errors",
        anchor: "function-errors",
        source: Source::Function("status", "Errors"),
        advice: "The status page and its JSON fail. Requests are still served, and the level still moves. Read the \
                 log of the status function. `breaker status` shows the level meanwhile.",
        ..EACH_MINUTE
    },
    throttles!("controller-throttles", "the controller", Source::Function("circuit-breaker-controller", "Throttles")),
    throttles!("full-service-throttles", "the service of level 1", Source::Service(Service::Full)),
    throttles!("degraded-service-throttles", "the service of level 2", Source::Service(Service::Degraded)),
    throttles!("maintenance-service-throttles", "the service of level 3", Source::Service(Service::Maintenance)),
    throttles!("alarm-processor-throttles", "the alarm processor", Source::Function("alarm-processor", "Throttles")),
    throttles!(
        "evaluate-thresholds-throttles",
        "evaluate-thresholds",
        Source::Function("evaluate-thresholds", "Throttles")
    ),
    throttles!("write-state-throttles", "write-state", Source::Function("write-state", "Throttles")),
    throttles!("emit-metrics-throttles", "emit-metrics", Source::Function("emit-metrics", "Throttles")),
    Row {
        name: "status-throttles",
        anchor: "function-throttles",
        source: Source::Function("status", "Throttles"),
        advice: "Lambda throttles the status function. Raise the quota of the account, or find which functions \
                 use the concurrency. `breaker status` shows the level meanwhile.",
        ..EACH_MINUTE
    },
    // Watches the state, not the change: it calls people even if the message about the change was lost, and sends a
    // message when it returns to OK.
    Row {
        name: "degraded-level",
        anchor: "degraded-level",
        source: Source::Own("CircuitBreaker/Transitions", "CurrentLevel"),
        statistic: "Maximum",
        comparison: Comparison::Above,
        says_ok: true,
        advice: "The level is above 1, so callers do not get the full service. The status and the newest record have \
                 the reason. Repair the service; the level then recovers automatically. Or force it.",
        ..EACH_MINUTE
    },
    // Needed because `degraded-level` is already on when the level falls from 2 to 3, and does not call again.
    Row {
        name: "maintenance-level",
        anchor: "maintenance-level",
        source: Source::Own("CircuitBreaker/Transitions", "CurrentLevel"),
        statistic: "Maximum",
        comparison: Comparison::Above,
        threshold: Threshold::Fixed(2),
        says_ok: true,
        advice: "The level is 3, so callers get minimal answers only. The status and the newest record have the \
                 reason. Repair the services of levels 1 and 2; the level then recovers automatically. Or force it.",
        ..EACH_MINUTE
    },
    // If the topic itself is broken, only the dashboard shows this alarm, and only the records show the transition.
    Row {
        name: "notification-missing",
        anchor: "notification-missing",
        source: Source::Own("CircuitBreaker/Transitions", "NotificationMissing"),
        advice: "The level moved, or a hold or the mode observe-only prevented the move, and the message about it \
                 could not be published. Read the newest records. Check that the alerts topic and its key exist and \
                 that the state machine may use them.",
        ..EACH_MINUTE
    },
    Row {
        name: "stale-state",
        anchor: "stale-state",
        source: Source::Own("CircuitBreaker/Controller", "StateAgeSeconds"),
        statistic: "Maximum",
        periods: (2, 2),
        threshold: Threshold::StaleState,
        advice: "A controller cannot read the state and serves at the level that it read last. Check whether \
                 DynamoDB and the KMS key are available. A forced level has no effect on this controller until it \
                 can read the state again.",
        ..EACH_MINUTE
    },
    Row {
        name: "state-unknown",
        anchor: "state-unknown",
        source: Source::Own("CircuitBreaker/Controller", "StateUnknown"),
        advice: "Callers got the fallback level, because a controller that started could not read the state. Check \
                 whether DynamoDB and the KMS key are available. Environments that read the state before still use it.",
        ..EACH_MINUTE
    },
    Row {
        name: "hold-ends",
        anchor: "hold-ends",
        source: Source::Own("CircuitBreaker/Transitions", "HoldMinutesLeft"),
        statistic: "Minimum",
        comparison: Comparison::AtMost,
        threshold: Threshold::HoldEnds,
        advice: "A hold ends soon, and automation then moves the level again. If the level must stay, force it once \
                 more with a new hold.",
        ..EACH_MINUTE
    },
    // The evaluation emits the metric only once people must know, so the threshold is one event.
    Row {
        name: "probes-refused",
        anchor: "probes-refused",
        source: Source::Own("CircuitBreaker/Transitions", "ProbesRefused"),
        statistic: "Maximum",
        periods: (1, 3),
        advice: "The next better level has refused most of its probes (4xx) for three times \
                 policy.probes.idle_seconds, so the level does not recover automatically. Check the authorization \
                 and the routing of that level's service. If it is right to refuse these requests, force the level.",
        ..EACH_MINUTE
    },
    // The only alarm on missing data. After a first deployment it is on until the first evaluation.
    Row {
        name: "control-plane-silent",
        anchor: "control-plane-silent",
        source: Source::Own("CircuitBreaker/Transitions", "Evaluation"),
        periods: (5, 5),
        comparison: Comparison::Below,
        missing_data: MissingData::Breaching,
        advice: "There was no evaluation for five minutes, so the level cannot change. Check that the schedule is \
                 enabled and that executions start and succeed.",
        ..EACH_MINUTE
    },
];
