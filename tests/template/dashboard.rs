//! The dashboard: it shows what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use local::folders;
use serde_json::Value;

use crate::alarms::is_brake;
use crate::{Template, list};

/// Where the metrics of each namespace of ours are emitted, and with which dimensions.
const OURS: [(&str, &str, &[&str]); 4] = [
    ("CircuitBreaker/Service", "controller", &["Deployment", "ServiceLevel", "ServiceType"]),
    ("CircuitBreaker/Controller", "controller", &["Deployment"]),
    ("CircuitBreaker/AlarmProcessor", "alarm-processor", &["Deployment"]),
    ("CircuitBreaker/Transitions", "emit-metrics", &["Deployment"]),
];

/// What AWS emits by itself, after its documentation, and with which dimensions.
const AMAZONS: [(&str, &[&str], &[&str]); 6] = [
    ("AWS/Lambda", &["Errors", "Throttles"], &["FunctionName"]),
    // Of each of two versions, while an alias leads to both.
    ("AWS/Lambda", &["Errors"], &["FunctionName", "Resource", "ExecutedVersion"]),
    ("AWS/SQS", &["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"], &["QueueName"]),
    (
        "AWS/States",
        &["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"],
        &["StateMachineArn"],
    ),
    // Counted by call, not by machine. For StartSyncExecution it is not documented that there is any data.
    ("AWS/States", &["ThrottledEvents"], &["APIName"]),
    ("AWS/ApiGateway", &["Count", "4xx", "5xx", "Latency"], &["ApiId"]),
];

fn sources(folder: &Path) -> String {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() })
        .collect()
}

/// Fails unless the system, or AWS for it, emits this metric with these dimensions.
pub fn assert_emitted(who: &str, namespace: &str, metric: &str, dimensions: &[String]) {
    if let Some((_, task, known)) = OURS.iter().find(|(name, ..)| *name == namespace) {
        assert_eq!(dimensions, *known, "{who}: a dimension more or less is another metric");
        let code = sources(&folders::project().join("tasks").join(task).join("src"));
        assert!(code.contains(&format!("\"{metric}\"")), "{who}: {task} emits no {metric}");
        return;
    }
    let known = AMAZONS
        .iter()
        .any(|(space, metrics, known)| *space == namespace && metrics.contains(&metric) && dimensions == *known);
    assert!(known, "{who}: nobody emits {namespace} {metric} with {dimensions:?}");
}

fn widgets() -> Vec<Value> {
    let text = fs::read_to_string(folders::project().join("infrastructure/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    dashboard["widgets"].as_array().unwrap().clone()
}

#[test]
fn every_metric_that_the_dashboard_shows_is_one_that_the_system_emits() {
    let mut shown = BTreeSet::new();
    for widget in widgets().iter().filter(|widget| widget["type"] == "metric") {
        let title = widget["properties"]["title"].as_str().unwrap();
        for metric in list(&widget["properties"]["metrics"]) {
            let parts: Vec<&str> = list(metric).into_iter().filter_map(Value::as_str).collect();
            let (namespace, name) = (parts[0], parts[1]);
            let dimensions: Vec<String> = parts[2..].chunks(2).map(|pair| pair[0].to_owned()).collect();
            assert_emitted(title, namespace, name, &dimensions);
            shown.insert((namespace.to_owned(), name.to_owned()));
        }
    }
    for (namespace, name) in [
        ("CircuitBreaker/Transitions", "CurrentLevel"),
        ("CircuitBreaker/Transitions", "Transition"),
        ("CircuitBreaker/Transitions", "HoldMinutesLeft"),
        ("CircuitBreaker/Service", "Success"),
        ("CircuitBreaker/Service", "Error"),
        ("CircuitBreaker/Service", "ResponseTime"),
        ("CircuitBreaker/Service", "ProbeRefused"),
        ("CircuitBreaker/AlarmProcessor", "RecordsProcessed"),
        ("CircuitBreaker/Controller", "StateAgeSeconds"),
        ("AWS/States", "ExecutionsFailed"),
    ] {
        assert!(shown.contains(&(namespace.to_owned(), name.to_owned())), "{namespace} {name} is not shown");
    }
}

/// The conditions of alarms that are there only where their rule is on.
const RULES: [&str; 5] = [
    "CountsFailuresAtLevel1",
    "CountsFailuresAtLevel2",
    "CountsFailuresInARow",
    "MeasuresFailureRate",
    "MeasuresSlowCalls",
];

#[tokio::test]
async fn the_dashboard_shows_the_state_of_every_alarm() {
    let template = Template::plain().await;
    let deployed: BTreeSet<&str> = template
        .of_type("AWS::CloudWatch::Alarm")
        .into_iter()
        // The brakes are there only where a deployment is gradual, and looked at only while it goes on.
        .filter(|(name, _)| !is_brake(name))
        .map(|(name, alarm)| {
            // Where a rule is off there is no alarm for it, and the widget has one line less.
            let of_a_rule = alarm["Condition"].as_str().is_some_and(|on| RULES.contains(&on));
            assert!(
                of_a_rule || alarm.get("Condition").is_none(),
                "{name} may be missing, and the dashboard shows it all the same"
            );
            alarm["Properties"]["AlarmName"]["Fn::Sub"].as_str().unwrap()
        })
        .collect();
    let widgets = widgets();
    let shown: BTreeSet<&str> = widgets
        .iter()
        .flat_map(|widget| list(&widget["properties"]["alarms"]))
        .map(|arn| arn.as_str().unwrap().split_once(":alarm:").unwrap().1)
        .collect();
    assert_eq!(shown, deployed);
}

#[tokio::test]
async fn the_dashboard_refers_to_resources_that_exist_and_has_the_seeds_name() {
    let template = Template::plain().await;
    let text = fs::read_to_string(folders::project().join("infrastructure/dashboard.json")).unwrap();
    for reference in text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()) {
        let name = reference.split('.').next().unwrap();
        let known = reference.starts_with("AWS::")
            || template.section("Parameters").contains_key(name)
            || template.section("Resources").contains_key(name);
        assert!(known, "{reference} is neither a parameter nor a resource");
    }
    let name = &template.resource("Dashboard")["Properties"]["DashboardName"]["Fn::Sub"];
    assert_eq!(name, "${ProjectName}-CircuitBreakerMonitoring-${Environment}");
}

#[test]
fn the_widgets_lie_side_by_side() {
    let mut taken = BTreeSet::new();
    for widget in widgets() {
        let number = |field: &str| widget[field].as_u64().unwrap();
        assert!(number("x") + number("width") <= 24, "{widget}");
        for x in number("x")..number("x") + number("width") {
            for y in number("y")..number("y") + number("height") {
                assert!(taken.insert((x, y)), "two widgets at {x}, {y}");
            }
        }
    }
}
