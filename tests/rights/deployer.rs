//! What a deployer needs: the permissions that the handlers of `CloudFormation` ask for, type by type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use local::folders;
use local::python::Python;
use tokio::process::Command;

use crate::deployed::Deployed;

/// Prints the permissions of the handlers of each resource type, as cfn-lint ships them with the registry's schemas.
const HANDLERS: &str = r"
import glob, json, os, sys
import cfnlint.data.schemas as schemas
folder = os.path.join(os.path.dirname(schemas.__file__), 'resources')
found = {}
for name in glob.glob(os.path.join(folder, '*.json')):
    schema = json.load(open(name))
    handlers = schema.get('handlers', {}).values()
    actions = {action for handler in handlers for action in handler.get('permissions', [])}
    tagging = schema.get('tagging', {}).get('permissions', [])
    known = found.setdefault(schema['typeName'], {'handlers': set(), 'tagging': set()})
    known['handlers'].update(actions, tagging)
    known['tagging'].update(tagging)
json.dump(found, sys.stdout, default=sorted)
";

/// What no schema lists, and where it is documented.
const BEYOND: [(&str, &str); 5] = [
    // API Gateway's stage sets a log delivery up in the name of its creator.
    ("AWS::ApiGatewayV2::Stage", "logs:CreateLogDelivery"),
    ("AWS::ApiGatewayV2::Stage", "logs:PutResourcePolicy"),
    ("AWS::ApiGatewayV2::Stage", "logs:DescribeResourcePolicies"),
    ("AWS::ApiGatewayV2::Stage", "logs:DescribeLogGroups"),
    // Who names a key for a table creates the grant of the table.
    ("AWS::DynamoDB::Table", "kms:GenerateDataKey"),
];

/// The rows of the page's table: resource type, actions.
fn rows() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(folders::project().join("infrastructure/docs/roles.md")).unwrap();
    let section = page.split("\n## The rights of a deployer\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| AWS::"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let (kind, actions) = (cells.next().unwrap(), cells.next().unwrap());
        (format!("AWS::{kind}"), actions.split(", ").map(str::to_owned).collect())
    })
    .collect()
}

#[tokio::test]
async fn the_rights_of_a_deployer_are_those_of_the_handlers() {
    let python = Python::for_tests().await.unwrap();
    let output = Command::new(python.program("python")).args(["-c", HANDLERS]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let handlers: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> =
        serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows();
    let deployed = Deployed::get().await;
    let types: BTreeSet<&str> = deployed.types();
    assert_eq!(rows.keys().map(String::as_str).collect::<BTreeSet<_>>(), types, "a row for each type of the template");
    for (kind, actions) in &rows {
        for action in actions {
            let is_known = handlers.get(kind).is_some_and(|known| known["handlers"].contains(action));
            assert!(is_known || BEYOND.contains(&(kind, action)), "{kind}: nothing says that it needs {action}");
        }
    }
    // The transform tags resources that the template does not tag.
    let tagged: BTreeSet<&String> = rows.keys().filter(|kind| deployed.is_tagged(kind)).collect();
    assert_eq!(tagged, BTreeSet::from([&"AWS::Lambda::Function".to_owned()]), "what the transform tags");
    for kind in tagged {
        let missing: Vec<_> = handlers[kind]["tagging"].difference(&rows[kind]).collect();
        assert!(missing.is_empty(), "{kind} has tags, and the page lacks {missing:?}");
    }
    let of = |kind: &str| rows.get(kind).unwrap();
    for action in ["states:CreateStateMachine", "iam:PassRole", "kms:DescribeKey", "kms:GenerateDataKey"] {
        assert!(of("AWS::StepFunctions::StateMachine").contains(action), "{action}");
    }
}
