//! The level alarms: an alarm for each hint.
//!
//! A level alarm is a hint to evaluate; each rule that is on has one. The evaluation reads the metrics themselves, and
//! the schedule covers changes that raise no alarm. An alarm sends a message only when it changes to ALARM, because a
//! change to OK starts no evaluation.

use breaker::{HINT_BREACHING_PERIODS, HINT_PERIODS, Hint, HintExpression, HintedRule, OutcomeMetric, hints};
use deployment_file::Effective;
use serde_json::{Value, json};

use super::alarm::{Alarm, Comparison, Dimension, Metric, MissingData, Periods, Topic, Watched, description};
use crate::names::Names;

/// Returns the level alarms of the policy.
pub(super) fn alarms(deployment: &Effective, names: &Names) -> Vec<Alarm> {
    let alerts = &deployment.file.alerts;
    hints(&deployment.policy)
        .iter()
        .map(|hint| Alarm {
            name: hint.to_string(),
            description: description(&advice(hint), &alerts.runbook_url, &anchor(hint)),
            watched: watched(hint, names, alerts.level_alarm_period_seconds),
            periods: Periods { datapoints_to_alarm: HINT_BREACHING_PERIODS, evaluation_periods: HINT_PERIODS },
            threshold: 1,
            comparison: Comparison::AtLeast,
            missing_data: MissingData::NotBreaching,
            topic: Topic::LevelAlarms,
            says_ok: false,
        })
        .collect()
}

fn advice(hint: &Hint) -> String {
    let level = hint.level;
    let seen = match hint.rule {
        HintedRule::FailureCount => "Errors",
        HintedRule::FailureRate => "Errors whose share of the calls may reach the limit",
        HintedRule::ConsecutiveFailures => "Errors that may be consecutive failures",
        HintedRule::SlowCalls => "Slow calls",
        HintedRule::Recovery => "Successes",
    };
    let (moves, next) = match hint.rule {
        HintedRule::Recovery => ("may recover", level.better()),
        _ => ("may fall", level.worse()),
    };
    let to = next.map_or_else(String::new, |next| format!(" to {next}"));
    format!(
        "{seen} at level {level}, a hint that the level {moves}{to}. The state machine evaluates it automatically; no \
         action is needed."
    )
}

/// Returns the section of the runbook. A rule that watches two levels has one section for both.
fn anchor(hint: &Hint) -> String {
    match hint.rule {
        HintedRule::FailureCount | HintedRule::Recovery => hint.to_string(),
        rule => rule.to_string(),
    }
}

fn watched(hint: &Hint, names: &Names, period: u32) -> Watched {
    match hint.expression {
        HintExpression::AtLeastOne(outcome) => {
            Watched::Metric { metric: metric(hint, names, outcome), statistic: "Sum", period }
        }
        HintExpression::Share { .. } => {
            let expression = json!({ "Id": "hint", "Expression": hint.expression.to_string(), "ReturnData": true });
            let operands = hint.expression.metrics().iter().map(|outcome| operand(hint, names, *outcome, period));
            Watched::Math { metrics: std::iter::once(expression).chain(operands).collect() }
        }
    }
}

fn operand(hint: &Hint, names: &Names, outcome: OutcomeMetric, period: u32) -> Value {
    let stat = json!({ "Metric": metric(hint, names, outcome), "Period": period, "Stat": "Sum" });
    json!({ "Id": outcome.id(), "MetricStat": stat, "ReturnData": false })
}

fn metric(hint: &Hint, names: &Names, outcome: OutcomeMetric) -> Metric {
    Metric {
        namespace: "CircuitBreaker/Service",
        name: outcome.name(),
        dimensions: vec![
            Dimension::new("Deployment", names.to_string()),
            Dimension::new("ServiceLevel", hint.level.to_string()),
            Dimension::new("ServiceType", hint.level.service_type()),
        ],
    }
}
