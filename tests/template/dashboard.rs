//! Tests the dashboard: every metric and alarm that it shows exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use local::folders;
use serde_json::{Value, json};

use crate::resolve::Resolved;
use crate::stacks::{ALL_RULES, monitoring};
use crate::{Template, list};

/// The task that emits the metrics of each of our namespaces, and their dimensions.
const OURS: [(&str, &str, &[&str]); 4] = [
    ("CircuitBreaker/Service", "controller", &["Deployment", "ServiceLevel", "ServiceType"]),
    ("CircuitBreaker/Controller", "controller", &["Deployment"]),
    ("CircuitBreaker/AlarmProcessor", "alarm-processor", &["Deployment"]),
    ("CircuitBreaker/Transitions", "emit-metrics", &["Deployment"]),
];

/// The metrics that AWS emits according to its documentation, and their dimensions.
const AMAZONS: [(&str, &[&str], &[&str]); 6] = [
    ("AWS/Lambda", &["Errors", "Throttles"], &["FunctionName"]),
    // For each version, while an alias sends requests to two.
    ("AWS/Lambda", &["Errors"], &["FunctionName", "Resource", "ExecutedVersion"]),
    ("AWS/SQS", &["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"], &["QueueName"]),
    (
        "AWS/States",
        &["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"],
        &["StateMachineArn"],
    ),
    // Counted by API action, not by machine. AWS does not document that StartSyncExecution has data.
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
    assert!(known, "{who}: no function emits {namespace} {metric} with {dimensions:?}");
}

/// The body of the dashboard for a file with this text, as CloudFormation gets it.
fn body(text: &str) -> (String, Value) {
    let template = monitoring(text);
    let parts = &template.resource("Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"];
    (parts[0].as_str().unwrap().to_owned(), parts[1].clone())
}

fn widgets_of(text: &str) -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&body(text).0).unwrap();
    dashboard["widgets"].as_array().unwrap().clone()
}

fn widgets() -> Vec<Value> {
    widgets_of("")
}

#[test]
fn the_dashboard_shows_only_metrics_that_the_system_emits() {
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

#[test]
fn the_dashboard_shows_the_state_of_every_alarm() {
    for text in ["", "policy.preset = \"production\"", ALL_RULES] {
        let template = monitoring(text);
        let deployed: BTreeSet<String> = template
            .of_type("AWS::CloudWatch::Alarm")
            .into_values()
            .map(|alarm| alarm["Properties"]["AlarmName"].as_str().unwrap().to_owned())
            .collect();
        let shown: BTreeSet<String> = widgets_of(text)
            .iter()
            .flat_map(|widget| list(&widget["properties"]["alarms"]))
            .map(|arn| arn.as_str().unwrap().split_once(":alarm:").unwrap().1.to_owned())
            .collect();
        assert_eq!(shown, deployed, "{text}");
    }
}

#[tokio::test]
async fn the_dashboard_refers_to_existing_resources_by_name() {
    let (text, imported) = body("");
    for reference in text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()) {
        assert!(reference.starts_with("AWS::") || imported.get(reference).is_some(), "{reference} is unknown");
    }
    assert_eq!(imported, json!({"Api": {"Fn::ImportValue": "bank-circuit-breaker-dev-api-id"}}));
    let main = Resolved::new(Template::plain().await, &[]);
    let named = [
        ("FunctionName", "AWS::Lambda::Function", "FunctionName"),
        ("QueueName", "AWS::SQS::Queue", "QueueName"),
        ("StateMachineArn", "AWS::StepFunctions::StateMachine", "StateMachineName"),
    ];
    for metric in widgets().iter().flat_map(|widget| list(&widget["properties"]["metrics"])) {
        let texts: Vec<&str> = list(metric).into_iter().filter_map(Value::as_str).collect();
        for pair in texts[2..].chunks(2) {
            if let Some((_, kind, property)) = named.iter().find(|(dimension, ..)| *dimension == pair[0]) {
                let name = pair[1].rsplit(':').next().unwrap();
                assert!(main.of_type(kind).iter().any(|one| one[*property] == name), "the main stack has no {name}");
            }
        }
    }
    let template = monitoring("");
    assert_eq!(
        template.resource("Dashboard")["Properties"]["DashboardName"],
        "bank-circuit-breaker-CircuitBreakerMonitoring-dev"
    );
}

#[test]
fn a_runbooks_address_is_taken_literally() {
    let (text, _) = body("alerts.runbook_url = \"https://bank.example/${Secret}\\\"\"");
    assert!(text.contains("https://bank.example/${!Secret}\\\""), "{text}");
    assert!(serde_json::from_str::<Value>(&text).is_ok());
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
