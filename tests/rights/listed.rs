//! Lists the calls of the functions. A test compares the recording of the chain with this list, so that the other tests
//! judge rights without a local AWS.

use std::collections::BTreeSet;
use std::fs;

use local::folders;
use serde_json::{Value, json};

use crate::calls::{of_function, of_machine};
use crate::deployed::Deployed;
use crate::policies::Call;
use crate::recording::{Read, Recorded};

/// Returns the calls of functions and state machine, each once.
pub fn calls(deployed: &Deployed) -> Vec<Call> {
    let mut calls: Vec<Call> = recorded(deployed).iter().flat_map(|one| of_function(one, deployed)).collect();
    calls.extend(of_machine(&definition(deployed), deployed));
    calls.sort();
    calls.dedup();
    calls
}

/// Returns the parts of the calls that do not differ from run to run: caller, action, resource, and the keys of items
/// or the namespace of metrics.
pub fn facts(calls: &[Call]) -> BTreeSet<(String, String, String, String)> {
    let keys = |call: &Call| {
        let found = ["dynamodb:LeadingKeys", "cloudwatch:namespace"].iter().find_map(|key| call.context.get(*key));
        found.cloned().unwrap_or_else(|| vec![String::new()])
    };
    let fact = |call: &Call, key| (call.caller.to_string(), call.action.clone(), call.resource.clone(), key);
    calls.iter().flat_map(|call| keys(call).into_iter().map(move |key| fact(call, key))).collect()
}

fn recorded(deployed: &Deployed) -> Vec<Recorded> {
    let table = deployed.property("StateTable", "TableName");
    let one = |role: &str, service: &str, operation: &str, params: Value| Recorded {
        role: role.to_owned(),
        service: service.to_owned(),
        read: Read { operation: operation.to_owned(), params, faults: Vec::new() },
    };
    let item = |key: &str| json!({"pk": {"S": key}});
    let get = |role: &str, key: &str| one(role, "dynamodb", "GetItem", json!({"TableName": table, "Key": item(key)}));
    let put = |key: &str| json!({"Put": {"TableName": table, "Item": item(key)}});
    let update = |key: &str| json!({"Update": {"TableName": table, "Key": item(key)}});
    let mut list = vec![
        // The status also shows records, metrics and alarms.
        one("StatusRole", "dynamodb", "Query", json!({"TableName": table, "IndexName": "by-time"})),
        one("StatusRole", "monitoring", "GetMetricData", json!({})),
        one("StatusRole", "monitoring", "DescribeAlarms", json!({})),
        one("StatusRole", "monitoring", "DescribeAlarmHistory", json!({})),
        one(
            "AlarmProcessorRole",
            "states",
            "StartSyncExecution",
            json!({"stateMachineArn": deployed.arn("LevelTransitionStateMachine")}),
        ),
        one("EvaluateThresholdsRole", "monitoring", "GetMetricData", json!({})),
        // An operator repairs a missing state.
        one("EvaluateThresholdsRole", "dynamodb", "Scan", json!({"TableName": table})),
        one(
            "WriteStateRole",
            "dynamodb",
            "TransactWriteItems",
            // A first start puts the state; every later write updates it.
            json!({"TransactItems": [
                put("system-state"), update("system-state"), put("transition#1"), put("command#1")
            ]}),
        ),
        one("EmitMetricsRole", "monitoring", "PutMetricData", json!({"Namespace": "CircuitBreaker/Transitions"})),
    ];
    for alias in
        ["FullServiceFunctionAliaslive", "DegradedServiceFunctionAliaslive", "MaintenanceServiceFunctionAliaslive"]
    {
        list.push(one("ControllerRole", "lambda", "Invoke", json!({"FunctionName": deployed.arn(alias)})));
    }
    for (role, keys) in [
        // The state, and record 0 if the state is missing.
        ("ControllerRole", &["system-state", "transition#0"][..]),
        ("StatusRole", &["system-state", "transition#0"]),
        // Also the record of a command that is repeated.
        ("EvaluateThresholdsRole", &["system-state", "transition#0", "command#1"]),
        // After a conflict: the record that shows which execution wrote, and the state.
        ("WriteStateRole", &["system-state", "transition#1", "command#1"]),
    ] {
        list.extend(keys.iter().map(|key| get(role, key)));
    }
    list
}

/// Returns the state machine's definition with the template's substitutions.
fn definition(deployed: &Deployed) -> Value {
    let path = folders::project().join("statemachines/level-transition.asl.json");
    let mut text = fs::read_to_string(path).unwrap();
    let substitutions = deployed.property("LevelTransitionStateMachine", "DefinitionSubstitutions");
    for (name, value) in substitutions.as_object().unwrap() {
        text = text.replace(&format!("${{{name}}}"), value.as_str().unwrap());
    }
    serde_json::from_str(&text).unwrap()
}
