//! Tests that the level alarms are exactly those of the table of hints, for any policy.

use std::collections::{BTreeMap, BTreeSet};

use breaker::{HINT_BREACHING_PERIODS, HINT_PERIODS, Hint, HintExpression, OutcomeMetric, hints};
use serde_json::{Map, Value, json};

use crate::stacks::{ALL_RULES, effective, monitoring};

/// The topic whose messages start the state machine.
pub fn alarm_topic() -> Value {
    let topic = "bank-circuit-breaker-circuit-breaker-alarms-dev";
    json!({"Fn::Sub": format!("arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{topic}")})
}

/// The level alarms that a file with this text has, without their descriptions, by name.
fn level_alarms(text: &str) -> BTreeMap<String, Map<String, Value>> {
    let template = monitoring(text);
    let alarms = template.of_type("AWS::CloudWatch::Alarm").into_values().map(|alarm| &alarm["Properties"]);
    alarms
        .filter(|alarm| alarm["AlarmActions"] == json!([alarm_topic()]))
        .map(|alarm| {
            let mut alarm = alarm.as_object().unwrap().clone();
            alarm.remove("AlarmDescription");
            (alarm["AlarmName"].as_str().unwrap().to_owned(), alarm)
        })
        .collect()
}

/// Files of deployments: each rule on and off, and other numbers.
const VARIANTS: [&str; 9] = [
    "",
    "policy.preset = \"production\"",
    "policy = { preset = \"production\", mode = \"observe-only\" }\nalerts.level_alarm_period_seconds = 60",
    "policy = { preset = \"production\", rates.failure_percent = 3, slow_calls.percent = 80 }",
    "policy = { preset = \"production\", slow_calls.milliseconds = 0 }",
    "policy = { preset = \"production\", slow_calls.percent = 0, counts.consecutive_failures = 0 }",
    "policy = { preset = \"production\", counts.level_1_failures = 7, counts.level_2_failures = 9 }",
    "policy = { rates.failure_percent = 20, slow_calls.percent = 30, counts.level_2_failures = 11 }",
    "policy = { counts = { level_1_failures = 0, consecutive_failures = 4 }, slow_calls = { milliseconds = 900, percent = 30 }, recovery.level_3_successes = 8 }",
];

fn metric(hint: &Hint, metric: OutcomeMetric) -> Value {
    let dimension = |name: &str, value: &str| json!({"Name": name, "Value": value});
    json!({
        "Namespace": "CircuitBreaker/Service",
        "MetricName": metric.name(),
        "Dimensions": [
            dimension("Deployment", "bank-circuit-breaker-dev"),
            dimension("ServiceLevel", &hint.level.to_string()),
            dimension("ServiceType", hint.level.service_type()),
        ],
    })
}

/// The properties of a hint's alarm, its description aside.
fn alarm(hint: &Hint, period: u32) -> Map<String, Value> {
    let mut properties = json!({
        "AlarmName": format!("bank-circuit-breaker-{hint}-dev"),
        "EvaluationPeriods": HINT_PERIODS,
        "DatapointsToAlarm": HINT_BREACHING_PERIODS,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [alarm_topic()],
    });
    let watched = match hint.expression {
        HintExpression::AtLeastOne(one) => {
            let mut watched = metric(hint, one);
            watched["Statistic"] = "Sum".into();
            watched["Period"] = period.into();
            watched
        }
        HintExpression::Share { .. } => {
            let operand = |one: &OutcomeMetric| {
                let stat = json!({"Metric": metric(hint, *one), "Period": period, "Stat": "Sum"});
                json!({"Id": one.id(), "ReturnData": false, "MetricStat": stat})
            };
            let expression = json!({"Id": "hint", "ReturnData": true, "Expression": hint.expression.to_string()});
            let operands = hint.expression.metrics().iter().map(operand);
            json!({"Metrics": std::iter::once(expression).chain(operands).collect::<Vec<_>>()})
        }
    };
    let properties = properties.as_object_mut().unwrap();
    properties.extend(watched.as_object().unwrap().clone());
    properties.clone()
}

#[test]
fn the_level_alarms_are_those_of_the_table() {
    for variant in VARIANTS {
        let deployment = effective(variant);
        let period = deployment.file.alerts.level_alarm_period_seconds;
        let name = |alarm: &Map<String, Value>| alarm["AlarmName"].as_str().unwrap().to_owned();
        let expected: BTreeMap<_, _> = hints(&deployment.policy)
            .iter()
            .map(|hint| alarm(hint, period))
            .map(|alarm| (name(&alarm), alarm))
            .collect();
        assert_eq!(level_alarms(variant), expected, "{variant}");
    }
}

#[test]
fn a_rule_that_is_off_has_no_alarm() {
    let names = |text: &str| {
        let alarms = level_alarms(text).into_keys();
        let short = |name: &str| name.replace("bank-circuit-breaker-", "").replace("-dev", "");
        alarms.map(|name| short(&name)).collect::<Vec<_>>()
    };
    let recoveries = ["level-2-recovery", "level-3-recovery"];
    let counts = ["level-1-error-rate", "level-2-error-rate"];
    let rates = ["consecutive-failures", "failure-rate", "slow-calls"]
        .map(|rule| [1, 2].map(|level| format!("level-{level}-{rule}")))
        .concat();
    let rates: Vec<_> = rates.iter().map(String::as_str).collect();
    let sorted = |parts: &[&[&str]]| {
        let all: BTreeSet<_> = parts.concat().into_iter().map(str::to_owned).collect();
        all.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(names(""), sorted(&[&recoveries, &counts]));
    assert_eq!(names("policy.preset = \"production\""), sorted(&[&recoveries, &rates]));
    assert_eq!(names(ALL_RULES), sorted(&[&recoveries, &counts, &rates]));
}
