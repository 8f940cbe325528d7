//! Checks the rights of a deployer: the permissions that `CloudFormation`'s handlers require, for each resource type.

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
    known = found.setdefault(schema['typeName'], {'handlers': set(), 'tagging': set(), 'asked': set()})
    known['handlers'].update(actions, tagging)
    known['tagging'].update(tagging)
    # No deployment lists all resources of a type.
    known['asked'].update(*(handler.get('permissions', []) for name, handler in schema.get('handlers', {}).items() if name != 'list'))
    # CloudFormation puts its own tags on these.
    if schema.get('tagging', {}).get('cloudFormationSystemTags'):
        known['asked'].update(tagging)
json.dump(found, sys.stdout, default=sorted)
";

/// Permissions that a deployer needs and no schema lists.
const BEYOND: [(&str, &str); 5] = [
    // API Gateway sets up the access log of a stage with the rights of the deployer.
    ("AWS::ApiGatewayV2::Stage", "logs:CreateLogDelivery"),
    ("AWS::ApiGatewayV2::Stage", "logs:PutResourcePolicy"),
    ("AWS::ApiGatewayV2::Stage", "logs:DescribeResourcePolicies"),
    ("AWS::ApiGatewayV2::Stage", "logs:DescribeLogGroups"),
    // The deployer creates DynamoDB's grant on the table's key.
    ("AWS::DynamoDB::Table", "kms:GenerateDataKey"),
];

/// Actions that handlers require and a deployer does not need, each group with the reason.
const UNUSED: [(&str, &[&str]); 13] = [
    (
        "neither the template nor the deployment tags resources of these types, and CloudFormation does not either",
        &[
            "codedeploy:TagResource",
            "codedeploy:UntagResource",
            "dynamodb:TagResource",
            "dynamodb:UntagResource",
            "iam:TagRole",
            "iam:UntagRole",
            "kms:TagResource",
            "kms:UntagResource",
            "sqs:TagQueue",
            "sqs:UntagQueue",
        ],
    ),
    (
        "no provisioned concurrency is set",
        &["lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"],
    ),
    (
        "no runtime's version, no capacity and no recursion is set",
        &[
            "lambda:PutRuntimeManagementConfig",
            "lambda:AssociateRuntimeAlias",
            "lambda:PutFunctionScalingConfig",
            "lambda:PassCapacityProvider",
            "lambda:PutFunctionRecursionConfig",
        ],
    ),
    (
        "code is neither signed, nor in layers, nor on file systems, nor named by an object's version",
        &[
            "lambda:GetCodeSigningConfig",
            "lambda:PutFunctionCodeSigningConfig",
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:GetLayerVersion",
            "elasticfilesystem:DescribeMountTargets",
            "s3files:ListMountTargets",
            "s3:GetObjectVersion",
        ],
    ),
    ("the API is not read from a document in S3", &["s3:getObject"]),
    ("topics have no data protection policy", &["sns:PutDataProtectionPolicy"]),
    (
        "log groups have no policies, deliveries or tokens, and always a key and a retention",
        &[
            "logs:PutDataProtectionPolicy",
            "logs:PutIndexPolicy",
            "logs:DeleteIndexPolicy",
            "logs:DeleteResourcePolicy",
            "logs:PutBearerTokenAuthentication",
            "logs:PutLogGroupDeletionProtection",
            "logs:DisassociateKmsKey",
            "logs:DeleteRetentionPolicy",
            "firehose:TagDeliveryStream",
            "s3:REST.PUT.OBJECT",
        ],
    ),
    ("the key is always enabled and rotates", &["kms:EnableKey", "kms:DisableKey", "kms:DisableKeyRotation"]),
    (
        "the table is not imported",
        &[
            "dynamodb:DescribeImport",
            "dynamodb:ImportTable",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            "s3:GetObjectMetadata",
            "s3:ListBucket",
        ],
    ),
    (
        "the table has neither streams, replicas, insights nor a policy",
        &[
            "dynamodb:EnableKinesisStreamingDestination",
            "dynamodb:DisableKinesisStreamingDestination",
            "dynamodb:UpdateKinesisStreamingDestination",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:PutResourcePolicy",
            "dynamodb:DeleteResourcePolicy",
            "dynamodb:CreateTableReplica",
            "dynamodb:AssociateTableReplica",
            "dynamodb:Scan",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "dynamodb:PutItem",
            "dynamodb:GetItem",
            "dynamodb:DeleteItem",
            "dynamodb:BatchWriteItem",
            "kinesis:DescribeStream",
            "kinesis:PutRecords",
            "iam:CreateServiceLinkedRole",
            "kms:RevokeGrant",
        ],
    ),
    (
        "policies are attached to roles alone",
        &["iam:AttachGroupPolicy", "iam:AttachUserPolicy", "iam:DetachGroupPolicy", "iam:DetachUserPolicy"],
    ),
    (
        "roles have no description, no longer session and no boundary",
        &[
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
        ],
    ),
    ("all deployed code runs on Lambda", &["codedeploy:RegisterOnPremisesInstance"]),
];

/// Returns the rows of the page's table: the actions by resource type.
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
            assert!(is_known || BEYOND.contains(&(kind, action)), "{kind}: no handler requires {action}");
        }
    }
    // The same deployer has the rights of all rows.
    let granted: BTreeSet<&String> = rows.values().flatten().collect();
    let asked: BTreeSet<&String> =
        rows.keys().filter_map(|kind| handlers.get(kind)).flat_map(|known| &known["asked"]).collect();
    let unused: BTreeSet<&str> = UNUSED.iter().flat_map(|(_, actions)| actions.iter().copied()).collect();
    let missing: Vec<_> =
        asked.iter().filter(|action| !granted.contains(*action) && !unused.contains(action.as_str())).collect();
    assert!(missing.is_empty(), "handlers require these actions, and the page lacks them: {missing:?}");
    for action in unused {
        assert!(asked.iter().any(|asked| *asked == action), "no handler requires {action}: remove it from UNUSED");
        assert!(!granted.iter().any(|granted| *granted == action), "{action} is in UNUSED, and is granted");
    }
    // The transform tags resources that the template does not tag.
    let tagged: BTreeSet<&String> = rows.keys().filter(|kind| deployed.is_tagged(kind)).collect();
    assert_eq!(tagged, BTreeSet::from([&"AWS::Lambda::Function".to_owned()]), "types that the transform tags");
    for kind in tagged {
        let missing: Vec<_> = handlers[kind]["tagging"].difference(&rows[kind]).collect();
        assert!(missing.is_empty(), "{kind} has tags, and the page lacks {missing:?}");
    }
    let of = |kind: &str| rows.get(kind).unwrap();
    for action in ["states:CreateStateMachine", "iam:PassRole", "kms:DescribeKey", "kms:GenerateDataKey"] {
        assert!(of("AWS::StepFunctions::StateMachine").contains(action), "{action}");
    }
}
