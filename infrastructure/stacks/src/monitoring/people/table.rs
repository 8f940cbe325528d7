//! The table of the alarms that call people.

use super::{Comparison, MissingData, Row, Service, Source, Threshold};

/// What most of the alarms have in common: one event in one minute is enough.
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

pub(super) const ROWS: [Row; 29] = [
    Row {
        name: "alarm-processor-errors",
        anchor: "alarm-processor-errors",
        source: Source::Own("CircuitBreaker/AlarmProcessor", "ProcessingErrors"),
        advice: "Alarm messages cannot be processed. They are tried five times, then kept in the dead-letter \
                 queue. Look into the log of the alarm processor.",
        ..EACH_MINUTE
    },
    Row {
        name: "dead-letter-queue",
        anchor: "dead-letter-queue",
        source: Source::Queue("circuit-breaker-alarms-dlq", "ApproximateNumberOfMessagesVisible"),
        statistic: "Maximum",
        advice: "Alarm messages ended in the dead-letter queue. The level is still evaluated each minute. Find \
                 out why they failed, fix it, then redrive or purge them.",
        ..EACH_MINUTE
    },
    Row {
        name: "oldest-alarm",
        anchor: "oldest-alarm",
        source: Source::Queue("circuit-breaker-alarms", "ApproximateAgeOfOldestMessage"),
        statistic: "Maximum",
        threshold: Threshold::OldestAlarm,
        advice: "Alarms wait in the queue and are not processed. Look whether the alarm processor runs, is \
                 throttled, or waits for the state machine.",
        ..EACH_MINUTE
    },
    // Two minutes of three: one refused command of an operator concerns that operator alone.
    Row {
        name: "state-machine-failures",
        anchor: "state-machine-failures",
        source: Source::Machine("ExecutionsFailed"),
        periods: (2, 3),
        advice: "Executions of the state machine fail, so the level may not move when it should. Their log names \
                 the error and its cause.",
        ..EACH_MINUTE
    },
    Row {
        name: "state-machine-timeouts",
        anchor: "state-machine-timeouts",
        source: Source::Machine("ExecutionsTimedOut"),
        advice: "Executions of the state machine take longer than 90 seconds. Look which task or service hangs in \
                 their log.",
        ..EACH_MINUTE
    },
    // Express executions are throttled when they are started, and never later: by the alarm processor, and by the
    // schedule and operators. The alarm processor counts its own, because it is not documented that `ThrottledEvents`
    // has data for `StartSyncExecution`.
    Row {
        name: "state-machine-throttles",
        anchor: "state-machine-throttles",
        source: Source::Own("CircuitBreaker/AlarmProcessor", "ExecutionsThrottled"),
        advice: "Step Functions refuses executions that the alarm processor starts, because of a quota. The \
                 alarms come again from the queue, and the level is evaluated each minute. Look for a flood of \
                 alarms, for others in the account that start machines, and for the account's quota of \
                 StartSyncExecution.",
        ..EACH_MINUTE
    },
    Row {
        name: "state-machine-start-throttles",
        anchor: "state-machine-throttles",
        source: Source::ThrottledStarts,
        advice: "Step Functions refuses executions that the schedule or an operator starts, in the whole account: \
                 the metric knows no state machine. Look for a flood of alarms, for others that start machines, \
                 and for the account's quota of StartExecution.",
        ..EACH_MINUTE
    },
    Row {
        name: "controller-errors",
        anchor: "controller-errors",
        source: Source::Function("circuit-breaker-controller", "Errors"),
        advice: "The controller itself fails. A failing service does not make it fail, so this is a defect or a \
                 wrong setting. Look into its log; roll back if a deployment preceded it.",
        ..EACH_MINUTE
    },
    Row {
        name: "connection-lost",
        anchor: "connection-lost",
        source: Source::Own("CircuitBreaker/Controller", "ConnectionLost"),
        periods: (2, 3),
        comparison: Comparison::Above,
        threshold: Threshold::Fixed(5),
        advice: "Connections from the controller to Lambda break. Reads are tried again; writes get 504, outcome \
                 unknown. The level does not move for it. Look at the network of the VPC and at AWS Health.",
        ..EACH_MINUTE
    },
    Row {
        name: "alarm-processor-function-errors",
        anchor: "function-errors",
        source: Source::Function("alarm-processor", "Errors"),
        advice: "The alarm processor itself fails. Alarms wait in the queue, and the level is still evaluated \
                 each minute. Look into its log.",
        ..EACH_MINUTE
    },
    // Refused input and a lost race are errors, too, and are answered: so two minutes of three.
    Row {
        name: "evaluate-thresholds-errors",
        anchor: "function-errors",
        source: Source::Function("evaluate-thresholds", "Errors"),
        periods: (2, 3),
        advice: "Evaluations fail, so the level does not move by itself. Look into the log for StateUnavailable \
                 or MetricsUnavailable. Operators can force a level all the same, unless the state is \
                 unavailable.",
        ..EACH_MINUTE
    },
    Row {
        name: "write-state-errors",
        anchor: "function-errors",
        source: Source::Function("write-state", "Errors"),
        periods: (2, 3),
        advice: "The state cannot be written, so the level does not move. Look into the log, and whether DynamoDB \
                 and the key answer.",
        ..EACH_MINUTE
    },
    Row {
        name: "emit-metrics-errors",
        anchor: "function-errors",
        source: Source::Function("emit-metrics", "Errors"),
        advice: "Metrics of transitions are not published. The level moves all the same. Look into the log.",
        ..EACH_MINUTE
    },
    Row {
        name: "controller-throttles",
        anchor: "function-throttles",
        source: Source::Function("circuit-breaker-controller", "Throttles"),
        advice: "Lambda throttles the controller. Raise its concurrency limit or the quota of the account, or \
                 find what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "full-service-throttles",
        anchor: "function-throttles",
        source: Source::Service(Service::Full),
        advice: "Lambda throttles the service of level 1. Raise its concurrency limit or the quota of the \
                 account, or find what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "degraded-service-throttles",
        anchor: "function-throttles",
        source: Source::Service(Service::Degraded),
        advice: "Lambda throttles the service of level 2. Raise its concurrency limit or the quota of the \
                 account, or find what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "maintenance-service-throttles",
        anchor: "function-throttles",
        source: Source::Service(Service::Maintenance),
        advice: "Lambda throttles the service of level 3. Raise its concurrency limit or the quota of the \
                 account, or find what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "alarm-processor-throttles",
        anchor: "function-throttles",
        source: Source::Function("alarm-processor", "Throttles"),
        advice: "Lambda throttles the alarm processor. Raise its concurrency limit or the quota of the account, \
                 or find what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "evaluate-thresholds-throttles",
        anchor: "function-throttles",
        source: Source::Function("evaluate-thresholds", "Throttles"),
        advice: "Lambda throttles evaluate-thresholds. Raise its concurrency limit or the quota of the account, \
                 or find what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "write-state-throttles",
        anchor: "function-throttles",
        source: Source::Function("write-state", "Throttles"),
        advice: "Lambda throttles write-state. Raise its concurrency limit or the quota of the account, or find \
                 what takes the concurrency.",
        ..EACH_MINUTE
    },
    Row {
        name: "emit-metrics-throttles",
        anchor: "function-throttles",
        source: Source::Function("emit-metrics", "Throttles"),
        advice: "Lambda throttles emit-metrics. Raise its concurrency limit or the quota of the account, or find \
                 what takes the concurrency.",
        ..EACH_MINUTE
    },
    // Of the state, not of the change: it calls again if a notification got lost, and says when it is over.
    Row {
        name: "degraded-level",
        anchor: "degraded-level",
        source: Source::Own("CircuitBreaker/Transitions", "CurrentLevel"),
        statistic: "Maximum",
        comparison: Comparison::Above,
        says_ok: true,
        advice: "The level is above 1, so callers do not get the full service. The status and the last record say \
                 why. Repair the service; the level comes back by itself, or force it.",
        ..EACH_MINUTE
    },
    // The one above is on already when the level falls from 2 to 3, and does not call again.
    Row {
        name: "maintenance-level",
        anchor: "maintenance-level",
        source: Source::Own("CircuitBreaker/Transitions", "CurrentLevel"),
        statistic: "Maximum",
        comparison: Comparison::Above,
        threshold: Threshold::Fixed(2),
        says_ok: true,
        advice: "The level is 3, so callers get minimal answers only. The status and the last record say why. \
                 Repair the services of levels 1 and 2; the level comes back by itself, or force it.",
        ..EACH_MINUTE
    },
    // The topic may be what is broken: then the dashboard shows this alarm, and the records tell of the transition.
    Row {
        name: "notification-missing",
        anchor: "notification-missing",
        source: Source::Own("CircuitBreaker/Transitions", "NotificationMissing"),
        advice: "The level moved, or would have but for a hold, and the message about it could not be published. \
                 Look at the newest records, and whether the alerts topic and its key are there and the state \
                 machine may use them.",
        ..EACH_MINUTE
    },
    Row {
        name: "stale-state",
        anchor: "stale-state",
        source: Source::Own("CircuitBreaker/Controller", "StateAgeSeconds"),
        statistic: "Maximum",
        periods: (2, 2),
        threshold: Threshold::StaleState,
        advice: "A controller cannot read the state and serves at the level that it read last. Look whether \
                 DynamoDB and the key answer. A forced level does not reach it until then.",
        ..EACH_MINUTE
    },
    Row {
        name: "state-unknown",
        anchor: "state-unknown",
        source: Source::Own("CircuitBreaker/Controller", "StateUnknown"),
        advice: "Callers got the fallback level, because a controller that started could not read the state. Look \
                 whether DynamoDB and the key answer. Environments that had read the state before serve on.",
        ..EACH_MINUTE
    },
    Row {
        name: "hold-ends",
        anchor: "hold-ends",
        source: Source::Own("CircuitBreaker/Transitions", "HoldMinutesLeft"),
        statistic: "Minimum",
        comparison: Comparison::AtMost,
        threshold: Threshold::HoldEnds,
        advice: "A hold is about to end, and automation then moves the level again. Force the level once more \
                 with a new hold if it must stay.",
        ..EACH_MINUTE
    },
    // The evaluation decides after how long; the state has the time, so no threshold is derived here.
    Row {
        name: "probes-refused",
        anchor: "probes-refused",
        source: Source::Own("CircuitBreaker/Transitions", "ProbesRefused"),
        statistic: "Maximum",
        periods: (1, 3),
        advice: "The level above the current one refuses most of its probes (4xx), for three times \
                 policy.probes.idle_seconds by now, so it does not recover by itself. Check its authorization and its \
                 routing. Force the level if it is right to refuse these requests.",
        ..EACH_MINUTE
    },
    // The one alarm that waits for silence. A first deployment raises it until the first evaluation.
    Row {
        name: "control-plane-silent",
        anchor: "control-plane-silent",
        source: Source::Own("CircuitBreaker/Transitions", "Evaluation"),
        periods: (5, 5),
        comparison: Comparison::Below,
        missing_data: MissingData::Breaching,
        advice: "No evaluation for five minutes, so the level cannot change. Look whether the schedule is enabled \
                 and executions start and succeed.",
        ..EACH_MINUTE
    },
];
