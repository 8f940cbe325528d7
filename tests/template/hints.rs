//! The level alarms: exactly those of the table of hints, whatever the policy.

use std::collections::BTreeMap;

use breaker::{HINT_BREACHING_PERIODS, HINT_PERIODS, Hint, HintExpression, NUMBERS, OutcomeMetric, Policy, hints};
use platform::settings::Environment;
use serde_json::{Map, Value, json};

use crate::Template;
use crate::policy::{WORDS, parameter_of};
use crate::resolve::Resolved;

/// Parameters beside their defaults.
const VARIANTS: [&[(&str, &str)]; 9] = [
    &[],
    &[("PolicyPreset", "production")],
    &[("PolicyPreset", "production"), ("LevelAlarmPeriodSeconds", "60"), ("Mode", "observe-only")],
    &[("PolicyPreset", "production"), ("FailureRatePercent", "3"), ("SlowCallRatePercent", "80")],
    &[("PolicyPreset", "production"), ("SlowCallMilliseconds", "0")],
    &[("PolicyPreset", "production"), ("SlowCallRatePercent", "0"), ("ConsecutiveFailures", "0")],
    &[("PolicyPreset", "production"), ("Level1FailureThreshold", "7"), ("Level2FailureThreshold", "9")],
    &[("FailureRatePercent", "20"), ("SlowCallRatePercent", "30"), ("Level2FailureThreshold", "11")],
    &[
        ("Level1FailureThreshold", "0"),
        ("ConsecutiveFailures", "4"),
        ("SlowCallMilliseconds", "900"),
        ("SlowCallRatePercent", "30"),
        ("Level3SuccessThreshold", "8"),
    ],
];

/// The policy that the functions have with these parameters.
fn policy(resolved: &Resolved) -> Policy {
    let names = WORDS.into_iter().chain(NUMBERS.iter().map(|number| number.name));
    let set = names.map(|name| (name.to_owned(), resolved.parameter(&parameter_of(name)).to_owned()));
    let environment: Environment = set.filter(|(_, value)| !value.is_empty()).collect();
    platform::policy::from_environment(&environment).unwrap()
}

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
fn alarm(hint: &Hint, period: &str) -> Map<String, Value> {
    let mut properties = json!({
        "AlarmName": format!("bank-circuit-breaker-{hint}-dev"),
        "EvaluationPeriods": HINT_PERIODS,
        "DatapointsToAlarm": HINT_BREACHING_PERIODS,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "AlarmTopic"}],
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

#[tokio::test]
async fn the_level_alarms_are_those_of_the_table() {
    let template = Template::plain().await;
    for variant in VARIANTS {
        let resolved = Resolved::new(template, variant);
        let period = resolved.parameter("LevelAlarmPeriodSeconds");
        let name = |alarm: &Map<String, Value>| alarm["AlarmName"].as_str().unwrap().to_owned();
        let expected: BTreeMap<_, _> = hints(&policy(&resolved))
            .iter()
            .map(|hint| alarm(hint, period))
            .map(|alarm| (name(&alarm), alarm))
            .collect();
        let deployed: BTreeMap<_, _> = resolved
            .of_type("AWS::CloudWatch::Alarm")
            .into_iter()
            .filter(|alarm| alarm["AlarmActions"] == json!([{"Ref": "AlarmTopic"}]))
            .map(|alarm| {
                let mut alarm = alarm.as_object().unwrap().clone();
                alarm.remove("AlarmDescription");
                (name(&alarm), alarm)
            })
            .collect();
        assert_eq!(deployed.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{variant:?}");
        for (name, expected) in expected {
            assert_eq!(deployed[&name], expected, "{name} with {variant:?}");
        }
    }
}
