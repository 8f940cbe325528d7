//! Tests the alarms: each can go off, says what to do, and notifies people or the state machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use local::folders;
use serde_json::{Value, json};

use crate::dashboard::assert_emitted;
use crate::hints::alarm_topic;
use crate::resolve::Resolved;
use crate::stacks::{ALL_RULES, monitoring};
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

/// The topic that people subscribe to.
fn alert_topic() -> Value {
    let topic = "bank-circuit-breaker-circuit-breaker-alerts-dev";
    json!({"Fn::Sub": format!("arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{topic}")})
}

/// The properties of all alarms of a deployment by logical name: those of the monitoring stack with every rule on, and
/// the brakes of the main stack with their references resolved.
async fn alarms() -> BTreeMap<String, Value> {
    let template = monitoring(ALL_RULES);
    let of_monitoring = template.of_type("AWS::CloudWatch::Alarm").into_iter();
    let of_monitoring = of_monitoring.map(|(name, alarm)| (name.to_owned(), alarm["Properties"].clone()));
    let gradual = Template::with(&["GradualDeployment=true"]).await;
    let main = Resolved::new(&gradual, &[("GradualDeployment", "true")]);
    let brakes = gradual.of_type("AWS::CloudWatch::Alarm").into_keys().map(str::to_owned);
    let brakes: Vec<_> = brakes.zip(main.of_type("AWS::CloudWatch::Alarm")).collect();
    assert!(brakes.iter().all(|(name, _)| is_brake(name)), "only brakes are in the main stack");
    of_monitoring.chain(brakes).collect()
}

/// The headings of the runbook as the anchors that links use.
fn runbook_anchors() -> BTreeSet<String> {
    let text = fs::read_to_string(folders::project().join("infrastructure/docs/runbook.md")).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("## ")).map(|heading| heading.trim().to_owned()).collect()
}

#[tokio::test]
async fn every_alarm_names_a_section_of_the_runbook() {
    let anchors = runbook_anchors();
    let mut linked = BTreeSet::new();
    for (name, alarm) in alarms().await {
        let description = alarm["AlarmDescription"].as_str().unwrap();
        assert!(description.len() <= 800, "{name}: CloudWatch takes 1,024 characters, the runbook's address included");
        let (advice, anchor) = description
            .split_once(" Runbook: infrastructure/docs/runbook.md#")
            .unwrap_or_else(|| panic!("{name}: {description}"));
        assert!(advice.matches(". ").count() >= 1, "{name} does not say what to do: {advice}");
        assert!(anchors.contains(anchor), "{name}: the runbook has no section {anchor}");
        linked.insert(anchor.to_owned());
    }
    assert_eq!(linked, anchors, "sections that no alarm names");
}

#[tokio::test]
async fn only_level_alarms_go_to_the_state_machine() {
    let alarms = alarms().await;
    assert!(HINTS.iter().all(|hint| alarms.contains_key(*hint)));
    for (name, alarm) in alarms {
        let topic = match name.as_str() {
            hint if HINTS.contains(&hint) => alarm_topic(),
            brake if is_brake(brake) => json!({"Ref": "AlertTopic"}),
            _ => alert_topic(),
        };
        assert_eq!(alarm["AlarmActions"], json!([topic]), "{name}");
    }
}

#[tokio::test]
async fn silence_is_alarming_to_the_dead_mans_alarm_alone() {
    for (name, alarm) in alarms().await {
        let expected = if name == "ControlPlaneSilentAlarm" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], expected, "{name}");
    }
}

#[tokio::test]
async fn every_alarm_watches_metrics_that_the_system_emits() {
    for (name, properties) in &alarms().await {
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
    let alarms = alarms().await;
    let watches = |namespace: &str, metric: &str, dimension: &Value| {
        alarms.values().any(|alarm| {
            alarm["Namespace"] == namespace
                && alarm["MetricName"] == metric
                && list(&alarm["Dimensions"]).iter().any(|known| &known["Value"] == dimension)
        })
    };
    let deployment = json!("bank-circuit-breaker-dev");
    let machine = json!({"Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:bank-circuit-breaker-level-transition-dev"});
    let queue = |name: &str| json!(format!("bank-circuit-breaker-circuit-breaker-{name}-dev"));
    for (namespace, metric, dimension) in [
        ("CircuitBreaker/AlarmProcessor", "ProcessingErrors", &deployment),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &queue("alarms-dlq")),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", &queue("alarms")),
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
        ("CircuitBreaker/Controller", "StateUnknown", &deployment),
        ("CircuitBreaker/Controller", "ConnectionLost", &deployment),
    ] {
        assert!(watches(namespace, metric, dimension), "nothing watches {namespace} {metric}");
    }
    let main = Resolved::new(Template::plain().await, &[]);
    for function in main.of_type("AWS::Lambda::Function") {
        let name = &function["FunctionName"];
        assert!(watches("AWS/Lambda", "Throttles", name), "{name}: throttles");
        // A service's errors are what the level alarms are about.
        let is_service = name.as_str().unwrap().contains("-service-");
        assert!(is_service || watches("AWS/Lambda", "Errors", name), "{name}: errors");
    }
}

#[test]
fn throttles_are_those_of_the_function_that_serves_the_level() {
    let own = "services.degraded = \"arn:aws:lambda:eu-central-1:111122223333:function:my-accounts:live\"";
    let template = monitoring(own);
    let watched = |name: &str| {
        let alarm = &template.resource(name)["Properties"];
        assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&json!("AWS/Lambda"), &json!("Throttles")));
        alarm["Dimensions"].clone()
    };
    let of = |function: &str| json!([{"Name": "FunctionName", "Value": function}]);
    assert_eq!(watched("DegradedServiceThrottlesAlarm"), of("my-accounts"));
    assert_eq!(watched("FullServiceThrottlesAlarm"), of("bank-circuit-breaker-full-service-dev"));
}

#[test]
fn thresholds_that_people_tune_are_those_of_the_file() {
    let text = "[alerts]\noldest_alarm_seconds = 91\nstale_state_seconds = 92\nhold_ends_minutes = 93\n";
    let template = monitoring(text);
    for (name, threshold) in [("OldestAlarmAlarm", 91), ("StaleStateAlarm", 92), ("HoldEndsAlarm", 93)] {
        assert_eq!(template.resource(name)["Properties"]["Threshold"], threshold, "{name}");
    }
}

/// The monitoring stack knows the main stack by names, so that each name must be one of the main stack's.
#[tokio::test]
async fn alarms_name_what_the_main_stack_has() {
    let template = Template::plain().await;
    let main = Resolved::new(template, &[]);
    let named = |kind: &str, property: &str| -> Vec<String> {
        main.of_type(kind).iter().map(|resource| resource[property].as_str().unwrap().to_owned()).collect()
    };
    let known = [
        named("AWS::Lambda::Function", "FunctionName"),
        named("AWS::SQS::Queue", "QueueName"),
        named("AWS::StepFunctions::StateMachine", "StateMachineName"),
        named("AWS::SNS::Topic", "TopicName"),
    ]
    .concat();
    let is_known = |text: &str| known.iter().any(|name| text.rsplit(':').next() == Some(name));
    let mut looked_at = 0;
    for (name, alarm) in monitoring(ALL_RULES).of_type("AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        let dimensions = list(&alarm["Dimensions"]).into_iter();
        let named = dimensions
            .filter(|one| ["FunctionName", "QueueName", "StateMachineArn"].iter().any(|kind| one["Name"] == *kind));
        let values = named.map(|one| &one["Value"]).chain(list(&alarm["AlarmActions"]));
        for value in values {
            let text = value.as_str().or_else(|| value["Fn::Sub"].as_str()).unwrap();
            assert!(is_known(text), "{name}: the main stack has no {text}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[tokio::test]
async fn each_fall_raises_an_alarm_that_was_not_on_before() {
    let alarms = alarms().await;
    let mut thresholds: Vec<_> = alarms
        .values()
        .filter(|alarm| alarm["Namespace"] == "CircuitBreaker/Transitions" && alarm["MetricName"] == "CurrentLevel")
        .map(|alarm| {
            assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
            assert_eq!(alarm["OKActions"], json!([alert_topic()]), "it says when it is over");
            alarm["Threshold"].as_i64().unwrap()
        })
        .collect();
    thresholds.sort_unstable();
    assert_eq!(thresholds, [1, 2], "one alarm for the fall to level 2, one for the fall to level 3");
}
