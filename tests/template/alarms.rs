//! The alarms: each can fire, says what to do, and reaches somebody.

use std::collections::BTreeSet;
use std::fs;

use local::folders;
use serde_json::{Value, json};

use crate::dashboard::assert_emitted;
use crate::{Template, list};

/// The level alarms are hints to the state machine; all others call people.
const HINTS: [&str; 10] = [
    "Level1ErrorRateAlarm",
    "Level2ErrorRateAlarm",
    "Level1FailureRateAlarm",
    "Level2FailureRateAlarm",
    "Level1ConsecutiveFailuresAlarm",
    "Level2ConsecutiveFailuresAlarm",
    "Level1SlowCallsAlarm",
    "Level2SlowCallsAlarm",
    "Level3RecoveryAlarm",
    "Level2RecoveryAlarm",
];

/// Whether an alarm is there to stop a gradual deployment.
pub fn is_brake(name: &str) -> bool {
    name.ends_with("NewVersionAlarm") || name.ends_with("BrakeAlarm")
}

/// The headings of the runbook as the anchors that links use.
fn runbook_anchors() -> BTreeSet<String> {
    let text = fs::read_to_string(folders::project().join("infrastructure/docs/runbook.md")).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("## ")).map(|heading| heading.trim().to_owned()).collect()
}

#[tokio::test]
async fn every_alarm_says_what_to_do_and_names_a_section_of_the_runbook() {
    let anchors = runbook_anchors();
    let mut linked = BTreeSet::new();
    for (name, alarm) in Template::plain().await.of_type("AWS::CloudWatch::Alarm") {
        let description = alarm["Properties"]["AlarmDescription"]["Fn::Sub"].as_str().unwrap();
        assert!(description.len() <= 800, "{name}: CloudWatch takes 1,024 characters, the runbook's address included");
        let (advice, anchor) =
            description.split_once(" Runbook: ${RunbookUrl}#").unwrap_or_else(|| panic!("{name}: {description}"));
        assert!(advice.matches(". ").count() >= 1, "{name} does not say what to do: {advice}");
        assert!(anchors.contains(anchor), "{name}: the runbook has no section {anchor}");
        linked.insert(anchor.to_owned());
    }
    assert_eq!(linked, anchors, "sections that no alarm names");
}

#[tokio::test]
async fn level_alarms_go_to_the_state_machine_and_all_others_to_people() {
    for (name, alarm) in Template::plain().await.of_type("AWS::CloudWatch::Alarm") {
        let topic = if HINTS.contains(&name) { "AlarmTopic" } else { "AlertTopic" };
        assert_eq!(alarm["Properties"]["AlarmActions"], json!([{"Ref": topic}]), "{name}");
    }
}

#[tokio::test]
async fn silence_is_alarming_to_the_dead_mans_alarm_alone() {
    for (name, alarm) in Template::plain().await.of_type("AWS::CloudWatch::Alarm") {
        let expected = if name == "ControlPlaneSilentAlarm" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["Properties"]["TreatMissingData"], expected, "{name}");
    }
}

#[tokio::test]
async fn every_alarm_watches_metrics_that_the_system_emits() {
    let template = Template::plain().await;
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let metrics = match properties.get("Metrics") {
            Some(queries) => {
                list(queries).into_iter().filter_map(|query| query.pointer("/MetricStat/Metric")).collect()
            }
            None => vec![properties],
        };
        assert!(!metrics.is_empty(), "{name} watches nothing");
        for metric in metrics {
            let dimensions: Vec<String> = list(&metric["Dimensions"])
                .into_iter()
                .map(|dimension| dimension["Name"].as_str().unwrap().to_owned())
                .collect();
            let text = |field: &str| metric[field].as_str().unwrap();
            assert_emitted(name, text("Namespace"), text("MetricName"), &dimensions);
        }
    }
}

#[tokio::test]
async fn the_alarms_of_the_specification_are_there() {
    let template = Template::plain().await;
    let watches = |namespace: &str, metric: &str, dimension: &Value| {
        template.of_type("AWS::CloudWatch::Alarm").values().any(|alarm| {
            let alarm = &alarm["Properties"];
            alarm["Namespace"] == namespace
                && alarm["MetricName"] == metric
                && list(&alarm["Dimensions"]).iter().any(|known| &known["Value"] == dimension)
        })
    };
    let deployment = json!({"Fn::Sub": "${ProjectName}-${Environment}"});
    let machine = json!({"Ref": "LevelTransitionStateMachine"});
    let queue = |name: &str| json!({"Fn::GetAtt": [name, "QueueName"]});
    for (namespace, metric, dimension) in [
        ("CircuitBreaker/AlarmProcessor", "ProcessingErrors", &deployment),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &queue("AlarmDeadLetterQueue")),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", &queue("AlarmQueue")),
        ("AWS/States", "ExecutionsFailed", &machine),
        ("AWS/States", "ExecutionsTimedOut", &machine),
        ("CircuitBreaker/AlarmProcessor", "ExecutionsThrottled", &deployment),
        ("AWS/States", "ThrottledEvents", &json!("StartExecution")),
        ("CircuitBreaker/Transitions", "CurrentLevel", &deployment),
        ("CircuitBreaker/Transitions", "HoldMinutesLeft", &deployment),
        ("CircuitBreaker/Transitions", "NotificationMissing", &deployment),
        ("CircuitBreaker/Transitions", "ProbesRefused", &deployment),
        ("CircuitBreaker/Transitions", "Evaluation", &deployment),
        ("CircuitBreaker/Controller", "StateAgeSeconds", &deployment),
        ("CircuitBreaker/Controller", "ConnectionLost", &deployment),
    ] {
        assert!(watches(namespace, metric, dimension), "nothing watches {namespace} {metric}");
    }
    for name in template.of_type("AWS::Lambda::Function").keys() {
        let own = format!("{name}Arn");
        let function = if template.section("Parameters").contains_key(own.as_str()) {
            // Of whichever function serves the level: the sample, or one's own by the name in its ARN.
            let condition = format!("HasSample{}", name.strip_suffix("Function").unwrap());
            let of_its_own = json!({"Fn::Select": [6, {"Fn::Split": [":", {"Ref": own}]}]});
            json!({"Fn::If": [condition, {"Ref": name}, of_its_own]})
        } else {
            json!({"Ref": name})
        };
        assert!(watches("AWS/Lambda", "Throttles", &function), "{name}: throttles");
        // A service's errors are what the level alarms are about.
        assert!(name.contains("Service") || watches("AWS/Lambda", "Errors", &function), "{name}: errors");
    }
}

#[tokio::test]
async fn each_fall_raises_an_alarm_that_was_not_on_before() {
    let template = Template::plain().await;
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    let levels = alarms.values().map(|alarm| &alarm["Properties"]);
    let mut thresholds: Vec<_> = levels
        .filter(|alarm| alarm["Namespace"] == "CircuitBreaker/Transitions" && alarm["MetricName"] == "CurrentLevel")
        .map(|alarm| {
            assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
            assert_eq!(alarm["OKActions"], json!([{"Ref": "AlertTopic"}]), "it says when it is over");
            alarm["Threshold"].as_i64().unwrap()
        })
        .collect();
    thresholds.sort_unstable();
    assert_eq!(thresholds, [1, 2], "one for the fall to level 2, one for that to level 3");
}
