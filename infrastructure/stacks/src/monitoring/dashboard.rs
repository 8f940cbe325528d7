//! The dashboard: `infrastructure/dashboard.json` with the names of the deployment and the alarms that it has.

use deployment_file::Effective;
use serde_json::{Value, json};

use super::alarm::Alarm;
use crate::names::Names;

const SOURCE: &str = include_str!("../../../dashboard.json");

/// Returns the dashboard's `CloudFormation` resource.
pub(super) fn resource(deployment: &Effective, names: &Names, alarms: &[Alarm]) -> Value {
    let mut body: Value = serde_json::from_str(SOURCE).unwrap_or_default();
    let known = placeholders(deployment, names);
    fill(&mut body, &known);
    let shown: Vec<Value> = alarms.iter().map(|alarm| alarm_arn(&names.resource(&alarm.name)).into()).collect();
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

fn alarm_arn(name: &str) -> String {
    format!("arn:${{AWS::Partition}}:cloudwatch:${{AWS::Region}}:${{AWS::AccountId}}:alarm:{name}")
}

/// Returns the placeholders that are filled in here, each with its value. `CloudFormation` fills in the others.
fn placeholders(deployment: &Effective, names: &Names) -> Vec<(&'static str, String)> {
    let machine = names.resource("level-transition");
    let function = |name: &str| names.resource(name);
    vec![
        ("${ProjectName}-${Environment}", names.to_string()),
        // Escaped, so that CloudFormation substitutes nothing in the user's text.
        ("${RunbookUrl}", deployment.file.alerts.runbook_url.replace("${", "${!")),
        ("${AlarmQueue.QueueName}", function("circuit-breaker-alarms")),
        ("${AlarmDeadLetterQueue.QueueName}", function("circuit-breaker-alarms-dlq")),
        ("${ControllerFunction}", function("circuit-breaker-controller")),
        ("${AlarmProcessorFunction}", function("alarm-processor")),
        ("${EvaluateThresholdsFunction}", function("evaluate-thresholds")),
        ("${WriteStateFunction}", function("write-state")),
        ("${EmitMetricsFunction}", function("emit-metrics")),
        (
            "${LevelTransitionStateMachine}",
            format!("arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:stateMachine:{machine}"),
        ),
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
