//! Tests the roles: each function has its own, and each right on `*` has a reason.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use local::folders;
use serde_json::Value;

use crate::{Template, list, source};

/// The statements that cannot name a resource, because AWS defines none for their actions.
const UNAVOIDABLE: [(&str, &[&str]); 8] = [
    ("SendTraces", &["xray:PutTraceSegments", "xray:PutTelemetryRecords"]),
    (
        "SendAndSampleTraces",
        &["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"],
    ),
    (
        "ManageNetworkInterfaces",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
    ),
    ("WatchHealthAlarms", &["cloudwatch:DescribeAlarms"]),
    ("ReadEvidence", &["cloudwatch:GetMetricData"]),
    (
        "ReadMetricsAndAlarms",
        &["cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"],
    ),
    ("PublishTransitions", &["cloudwatch:PutMetricData"]),
    (
        "DeliverLogs",
        &[
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ],
    ),
];

/// All statements of the roles and of the policies that they share, each with the name of its role or policy.
fn statements(template: &Template) -> Vec<(String, Value)> {
    let roles = template.of_type("AWS::IAM::Role").into_iter().flat_map(|(name, role)| {
        list(&role["Properties"]["Policies"])
            .into_iter()
            .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
            .map(move |statement| (name.to_owned(), statement.clone()))
    });
    let shared = template.of_type("AWS::IAM::ManagedPolicy").into_iter().flat_map(|(name, policy)| {
        list(&policy["Properties"]["PolicyDocument"]["Statement"])
            .into_iter()
            .map(move |statement| (name.to_owned(), statement.clone()))
    });
    roles.chain(shared).collect()
}

/// The texts of a value at any depth, without the names of functions and conditions.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn words(value: &Value) -> Vec<&str> {
    list(value).into_iter().map(|word| word.as_str().unwrap()).collect()
}

#[tokio::test]
async fn no_role_may_do_anything_to_everything_without_a_reason() {
    let source = source();
    for (holder, statement) in statements(Template::plain().await) {
        let sid = statement["Sid"].as_str().unwrap_or_else(|| panic!("{holder}: a statement without a Sid"));
        let actions = words(&statement["Action"]);
        assert!(actions.iter().all(|action| !action.contains('*')), "{holder} {sid}: {actions:?}");
        if texts(&statement["Resource"]).iter().any(|text| text.contains('*')) {
            let known = UNAVOIDABLE.iter().find(|(known, _)| *known == sid);
            let (_, expected) = known.unwrap_or_else(|| panic!("{holder} {sid}: an unexplained *"));
            assert_eq!(&actions, expected, "{holder} {sid}");
            let line = source.lines().position(|line| line.trim() == format!("- Sid: {sid}")).unwrap();
            let before = source.lines().nth(line - 1).unwrap().trim();
            assert!(before.starts_with("# "), "{holder} {sid}: no comment says why");
        }
    }
}

#[tokio::test]
async fn no_role_borrows_a_policy_from_elsewhere() {
    let template = Template::plain().await;
    for (name, role) in template.of_type("AWS::IAM::Role") {
        let text = role["Properties"]["ManagedPolicyArns"].to_string();
        assert!(!text.contains("arn:"), "{name}: {text}");
        let principal = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        for statement in list(principal) {
            assert!(statement["Principal"]["Service"].is_string(), "{name} can be assumed by more than one service");
        }
    }
}

#[tokio::test]
async fn the_controller_reads_and_invokes_and_does_nothing_else() {
    let actions: Vec<String> = statements(Template::plain().await)
        .into_iter()
        .filter(|(holder, _)| holder == "ControllerRole")
        .flat_map(|(_, statement)| words(&statement["Action"]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        actions,
        ["logs:CreateLogStream", "logs:PutLogEvents", "dynamodb:GetItem", "kms:Decrypt", "lambda:InvokeFunction"]
    );
}

#[tokio::test]
async fn only_write_state_writes_the_table_and_nothing_deletes() {
    for (holder, statement) in statements(Template::plain().await) {
        for action in words(&statement["Action"]).into_iter().filter(|action| action.starts_with("dynamodb:")) {
            let writes = !["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"].contains(&action);
            let may_write = holder == "WriteStateRole" && ["dynamodb:PutItem", "dynamodb:UpdateItem"].contains(&action);
            assert!(!writes || may_write, "{holder}: {action}");
            // A scan names no keys. Only the repair scans, and its role may not write.
            if action == "dynamodb:Scan" && holder == "EvaluateThresholdsRole" {
                continue;
            }
            // A query of the index, which holds records alone.
            if action == "dynamodb:Query" {
                assert_eq!(holder, "StatusRole");
                assert_eq!(short(&statement["Resource"]), "StateTable/index/by-time");
                continue;
            }
            let keys = words(&statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]);
            assert!(keys.contains(&"system-state") && !keys.contains(&"*"), "{holder}: {keys:?}");
        }
    }
}

#[tokio::test]
async fn aliases_are_moved_by_rights_on_the_functions() {
    let functions =
        ["circuit-breaker-controller", "full-service", "degraded-service", "maintenance-service"].map(|name| {
            format!(
                "arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:${{ProjectName}}-{name}-${{Environment}}"
            )
        });
    let mut moves = 0;
    for (holder, statement) in statements(Template::plain().await) {
        let actions = words(&statement["Action"]);
        if actions.iter().any(|action| action.ends_with("Alias")) {
            assert_eq!((holder.as_str(), actions), ("DeploymentRole", vec!["lambda:GetAlias", "lambda:UpdateAlias"]));
            assert_eq!(texts(&statement["Resource"]), functions.iter().map(String::as_str).collect::<Vec<_>>());
            moves += 1;
        }
    }
    assert_eq!(moves, 1);
}

/// A value of the template as the table shows it.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            map.iter().next().map_or_else(String::new, |(function, argument)| match function.as_str() {
                "Fn::GetAtt" => short(&argument[0]),
                "Fn::Join" => list(&argument[1]).into_iter().map(short).collect(),
                "Fn::If" => format!("{} or {}", short(&argument[1]), short(&argument[2])),
                // By the resource's name in the data stack.
                "Fn::ImportValue" if short(argument).ends_with("-data-table-arn") => "StateTable".to_owned(),
                "Fn::ImportValue" if short(argument).ends_with("-data-key-arn") => "EncryptionKey".to_owned(),
                _ => short(argument),
            })
        }
        other => other.to_string(),
    }
}

fn table(template: &Template) -> String {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (holder, statement) in statements(template) {
        let condition = statement["Condition"].as_object().map_or_else(String::new, |conditions| {
            conditions
                .values()
                .flat_map(|condition| condition.as_object().unwrap())
                .map(|(key, value)| format!("{key} = {}", short(value)))
                .collect::<Vec<_>>()
                .join(", ")
        });
        rows.entry(holder).or_default().push(format!(
            "{} | {} | {} |",
            words(&statement["Action"]).join(", "),
            short(&statement["Resource"]),
            condition
        ));
    }
    let mut text = String::from(
        "# Roles\n\nFor everyone who reviews rights. This page lists what each role and policy of the template allows; a test keeps it true.\nEach function has the role of its name and, beside its own statements, those of `TracingPolicy` and, in a VPC, of\n`VpcPolicy`.\n\n| role or policy | actions | resources | condition |\n|---|---|---|---|\n",
    );
    for (holder, statements) in rows {
        for statement in statements {
            writeln!(text, "| {holder} | {}", statement.replace('*', "\\*").replace("  |", " |")).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn the_page_of_roles_is_the_templates() {
    let path = folders::project().join("infrastructure/docs/roles.md");
    let expected = table(Template::plain().await);
    let page = fs::read_to_string(&path).unwrap_or_default();
    // The tests of rights check the sections after it.
    let (written, rest) = page.split_at(page.find("\n## ").unwrap_or(page.len()));
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, format!("{expected}{rest}")).unwrap();
        return;
    }
    assert!(
        written == expected,
        "infrastructure/docs/roles.md is out of date: run the test with UPDATE_PAGES=1 and read it"
    );
}

#[tokio::test]
async fn each_exception_from_the_scanners_rules_has_a_reason() {
    let mut exceptions = 0;
    for (name, resource) in Template::plain().await.section("Resources") {
        for exception in list(&resource["Metadata"]["checkov"]["skip"]) {
            assert!(exception["id"].as_str().is_some_and(|rule| rule.starts_with("CKV_AWS_")), "{name}: {exception}");
            assert!(exception["comment"].as_str().is_some_and(|why| why.len() > 40), "{name}: {exception}");
            exceptions += 1;
        }
    }
    assert_eq!(exceptions, 21, "the number of exceptions from the scanner's rules");
}
