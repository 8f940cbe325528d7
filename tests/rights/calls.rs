//! Converts recorded calls to the calls that IAM judges: actions, resources, condition keys, and calls to KMS on behalf
//! of the caller.

use local::server::REGION;
use serde_json::Value;

use crate::deployed::{ACCOUNT, Deployed};
use crate::policies::{Call, Caller};
use crate::recording::{Recorded, Recording};

/// Returns the calls of a recording, each once.
pub fn of(recording: &Recording, deployed: &Deployed) -> Vec<Call> {
    let mut calls: Vec<Call> = recording.calls.iter().flat_map(|recorded| of_function(recorded, deployed)).collect();
    calls.extend(of_machine(&recording.definition, deployed));
    calls.sort();
    calls.dedup();
    calls
}

/// Returns the calls that a recorded call is for IAM.
pub fn of_function(recorded: &Recorded, deployed: &Deployed) -> Vec<Call> {
    let Recorded { role, service, read } = recorded;
    let caller = || Caller::Role(role.clone());
    let why = format!("{service} {} of the chain", read.operation);
    let params = &read.params;
    let text = |name: &str| params[name].as_str().unwrap_or_default();
    let call = |action: &str, resource: &str| Call::new(caller(), action, resource, &why);
    match (service.as_str(), read.operation.as_str()) {
        ("dynamodb", operation) => of_table(caller(), operation, params, &why, deployed),
        ("lambda", "Invoke") => {
            let function = text("FunctionName");
            let function = if function.starts_with("arn:") {
                function.to_owned()
            } else {
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")
            };
            let qualifier = params["Qualifier"].as_str().map_or_else(String::new, |qualifier| format!(":{qualifier}"));
            vec![call("lambda:InvokeFunction", &(function + &qualifier))]
        }
        ("states", "StartSyncExecution") => {
            let machine = text("stateMachineArn");
            // The caller of an encrypted machine decrypts its answer.
            let key = call("kms:Decrypt", &deployed.arn("EncryptionKey"))
                .with("kms:ViaService", &[&format!("states.{REGION}.amazonaws.com")])
                .with("kms:EncryptionContext:aws:states:stateMachineArn", &[machine]);
            vec![call("states:StartSyncExecution", machine), key]
        }
        ("monitoring", "GetMetricData" | "DescribeAlarms" | "DescribeAlarmHistory") => {
            vec![call(&format!("cloudwatch:{}", read.operation), &anything("cloudwatch"))]
        }
        ("monitoring", "PutMetricData") => {
            vec![
                call("cloudwatch:PutMetricData", &anything("cloudwatch"))
                    .with("cloudwatch:namespace", &[text("Namespace")]),
            ]
        }
        (service, operation) => panic!("{role}: the rights that {service} {operation} needs are not known here"),
    }
}

/// Returns a resource for an action without resource-level permissions: only a statement for `*` matches it.
pub fn anything(service: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:anything")
}

/// Returns the calls of a `DynamoDB` operation, and those for the table's key.
fn of_table(caller: Caller, operation: &str, params: &Value, why: &str, deployed: &Deployed) -> Vec<Call> {
    let key = |item: &Value| general(item["pk"]["S"].as_str().unwrap());
    let (action, table, keys): (&str, String, Option<Vec<String>>) = match operation {
        "GetItem" => ("GetItem", named(&params["TableName"]), Some(vec![key(&params["Key"])])),
        "Scan" => ("Scan", named(&params["TableName"]), None),
        "Query" => {
            let index = params["IndexName"].as_str().unwrap();
            let indexed = format!("{}/index/{index}", named(&params["TableName"]));
            ("Query", indexed, None)
        }
        "TransactWriteItems" => {
            let items = params["TransactItems"].as_array().unwrap();
            return items.iter().flat_map(|item| of_part(&caller, item, why, deployed)).collect();
        }
        other => panic!("{caller}: the rights that dynamodb {other} needs are not known here"),
    };
    on_items(caller, action, &table, keys, why, deployed)
}

/// Returns the calls of one item of a transaction, because a transaction needs the rights of its parts.
fn of_part(caller: &Caller, item: &Value, why: &str, deployed: &Deployed) -> Vec<Call> {
    let key = |item: &Value| general(item["pk"]["S"].as_str().unwrap());
    let (action, part, key) = match (&item["Put"], &item["Update"]) {
        (put, _) if put.is_object() => ("PutItem", put, key(&put["Item"])),
        (_, update) if update.is_object() => ("UpdateItem", update, key(&update["Key"])),
        _ => panic!("a transaction has an item that is neither a put nor an update: {item}"),
    };
    on_items(caller.clone(), action, &named(&part["TableName"]), Some(vec![key]), why, deployed)
}

fn on_items(
    caller: Caller,
    action: &str,
    table: &str,
    keys: Option<Vec<String>>,
    why: &str,
    deployed: &Deployed,
) -> Vec<Call> {
    let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}");
    let mut call = Call::new(caller.clone(), &format!("dynamodb:{action}"), &arn, why);
    if let Some(mut keys) = keys {
        keys.sort();
        keys.dedup();
        call = call.with("dynamodb:LeadingKeys", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // DynamoDB uses the table's key on behalf of the caller, for reads and writes.
    let why = format!("the key of the table, for {why}");
    let decrypt = Call::new(caller, "kms:Decrypt", &deployed.arn("EncryptionKey"), &why)
        .with("kms:ViaService", &[&format!("dynamodb.{REGION}.amazonaws.com")])
        .with("kms:EncryptionContext:aws:dynamodb:tableName", &[table.split('/').next().unwrap()])
        .with("kms:EncryptionContext:aws:dynamodb:subscriberId", &[ACCOUNT]);
    vec![call, decrypt]
}

fn named(table: &Value) -> String {
    table.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// Returns a key without the part that differs from run to run.
fn general(key: &str) -> String {
    match key.split_once('#') {
        Some((kind, _)) => format!("{kind}#one"),
        None => key.to_owned(),
    }
}

/// Returns the calls of all states of the state machine, because each state may be reached.
pub fn of_machine(definition: &Value, deployed: &Deployed) -> Vec<Call> {
    let mut calls = Vec::new();
    tasks(definition, &mut |name, task| {
        let caller = || Caller::Role("LevelTransitionRole".to_owned());
        let why = format!("the state {name}");
        match task["Resource"].as_str().unwrap() {
            "arn:aws:states:::lambda:invoke" => {
                let function = task["Arguments"]["FunctionName"].as_str().unwrap();
                calls.push(Call::new(caller(), "lambda:InvokeFunction", function, &why));
            }
            "arn:aws:states:::sns:publish" => {
                let topic = task["Arguments"]["TopicArn"].as_str().unwrap();
                calls.push(Call::new(caller(), "sns:Publish", topic, &why));
                // Publishing to an encrypted topic needs both.
                for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
                    let key = deployed.arn("EncryptionKey");
                    let call = Call::new(caller(), action, &key, &format!("the key of the topic, for {why}"))
                        .with("kms:ViaService", &[&format!("sns.{REGION}.amazonaws.com")])
                        .with("kms:EncryptionContext:aws:sns:topicArn", &[topic]);
                    calls.push(call);
                }
            }
            other => panic!("{name}: the rights that {other} needs are not known here"),
        }
    });
    assert!(!calls.is_empty(), "no state makes a call: {definition}");
    calls
}

/// Visits all Task states, including those in branches.
fn tasks(machine: &Value, see: &mut impl FnMut(&str, &Value)) {
    for (name, state) in machine["States"].as_object().unwrap() {
        if state["Type"] == "Task" {
            see(name, state);
        }
        for branch in state["Branches"].as_array().into_iter().flatten() {
            tasks(branch, see);
        }
    }
}
