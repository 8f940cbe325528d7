//! The dashboard: `infrastructure/dashboard.json` with the names of the deployment and the alarms that it has.

use deployment_file::Effective;
use serde_json::{Value, json};

use super::alarm::{Alarm, arn_text};
use crate::names::Names;

const SOURCE: &str = include_str!("../../../dashboard.json");

/// Returns the dashboard's `CloudFormation` resource.
pub(super) fn resource(deployment: &Effective, names: &Names, alarms: &[Alarm]) -> Value {
    let mut body: Value = serde_json::from_str(SOURCE).unwrap_or_default();
    let known = placeholders(deployment, names);
    fill(&mut body, &known);
    let arn = |alarm: &Alarm| arn_text("cloudwatch", &format!("alarm:{}", names.resource(&alarm.name)));
    let shown: Vec<Value> = alarms.iter().map(|alarm| arn(alarm).into()).collect();
    if let Some(list) = body.pointer_mut("/widgets/0/properties/alarms") {
        *list = shown.into();
    }
    let api = json!({ "Fn::ImportValue": format!("{names}-api-id") });
    json!({
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": names.resource("CircuitBreakerMonitoring"),
            "DashboardBody": { "Fn::Sub": [body.to_string(), { "Api": api }] },
        },
    })
}

/// Returns the placeholders that are filled in here, each with its value. `CloudFormation` fills in the others.
fn placeholders(deployment: &Effective, names: &Names) -> Vec<(&'static str, String)> {
    let machine = names.resource("level-transition");
    let resource = |name: &str| names.resource(name);
    vec![
        ("${ProjectName}-${Environment}", names.to_string()),
        // Escaped, so that CloudFormation substitutes nothing in the user's text.
        ("${RunbookUrl}", deployment.file.alerts.runbook_url.replace("${", "${!")),
        ("${AlarmQueue.QueueName}", resource("circuit-breaker-alarms")),
        ("${AlarmDeadLetterQueue.QueueName}", resource("circuit-breaker-alarms-dlq")),
        ("${ControllerFunction}", resource("circuit-breaker-controller")),
        ("${AlarmProcessorFunction}", resource("alarm-processor")),
        ("${EvaluateThresholdsFunction}", resource("evaluate-thresholds")),
        ("${WriteStateFunction}", resource("write-state")),
        ("${EmitMetricsFunction}", resource("emit-metrics")),
        ("${LevelTransitionStateMachine}", arn_text("states", &format!("stateMachine:{machine}"))),
    ]
}

/// Replaces the placeholders in all texts of a JSON value.
fn fill(value: &mut Value, known: &[(&'static str, String)]) {
    match value {
        Value::String(text) => {
            for (placeholder, meant) in known {
                if text.contains(placeholder) {
                    *text = text.replace(placeholder, meant);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, known)),
        Value::Object(members) => members.values_mut().for_each(|value| fill(value, known)),
        _ => {}
    }
}
