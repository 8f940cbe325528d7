//! Tests two policy engines with cases whose decision IAM's documentation gives: the engine that judges the roles here,
//! and the local AWS's own.

use iam_rs::{Decision, Principal, PrincipalId};
use local::folders;
use local::python::Python;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::deployed::{ACCOUNT, Deployed};
use crate::policies::{Call, Caller, Policies, decide, list};
use crate::recording::answer;

/// A case: its name, the statements, the call's action, resource and context, and IAM's decision.
struct Case {
    name: &'static str,
    statements: Value,
    action: &'static str,
    resource: &'static str,
    context: Value,
    decision: Decision,
}

const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/bank";
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/one";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:alarms";
const ALARM: &str = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:bank-level-1-dev";

/// Returns a statement that allows an action on everything under a condition.
fn allowed(action: &str, condition: impl Into<Value>) -> Value {
    let condition: Value = condition.into();
    json!({"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition})
}

fn denied(action: &str, condition: impl Into<Value>) -> Value {
    let condition: Value = condition.into();
    json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
           {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}])
}

fn case(
    name: &'static str,
    statements: Value,
    call: (&'static str, &'static str),
    context: Value,
    decision: Decision,
) -> Case {
    Case { name, statements, action: call.0, resource: call.1, context, decision }
}

fn conditions() -> Vec<Case> {
    use Decision::{Allow, Deny, NotApplicable as Nothing};
    let get = ("dynamodb:GetItem", TABLE);
    let use_key = ("kms:Decrypt", KEY);
    let publish = ("sns:Publish", TOPIC);
    let keys = |values: Value| {
        allowed("dynamodb:GetItem", json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": values}}))
    };
    let via = || allowed("kms:Decrypt", json!({"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}));
    let from = |operator: &str, arn: &str| allowed("sns:Publish", json!({operator: {"aws:SourceArn": arn}}));
    let tls = || denied("sns:Publish", json!({"Bool": {"aws:SecureTransport": "false"}}));
    let leading = |values: Value| json!({"dynamodb:LeadingKeys": values});
    vec![
        case("StringEquals holds", via(), use_key, json!({"kms:ViaService": "sqs.us-east-1.amazonaws.com"}), Allow),
        case("StringEquals fails", via(), use_key, json!({"kms:ViaService": "sns.us-east-1.amazonaws.com"}), Nothing),
        case("StringEquals without the key", via(), use_key, json!({}), Nothing),
        case(
            "leading keys within",
            keys(json!(["system-state", "transition#*"])),
            get,
            leading(json!(["system-state", "transition#7"])),
            Allow,
        ),
        case(
            "one leading key without",
            keys(json!(["system-state"])),
            get,
            leading(json!(["system-state", "command#x"])),
            Nothing,
        ),
        case("ForAllValues without the key", keys(json!(["system-state"])), get, json!({}), Allow),
        case(
            "ForAnyValue without the key",
            allowed("dynamodb:GetItem", json!({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["a"]}})),
            get,
            json!({}),
            Nothing,
        ),
        case(
            "ArnLike with a wildcard",
            from("ArnLike", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:bank-*-dev"),
            publish,
            json!({"aws:SourceArn": ALARM}),
            Allow,
        ),
        case(
            "ArnLike of another",
            from("ArnLike", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:bank-*-prod"),
            publish,
            json!({"aws:SourceArn": ALARM}),
            Nothing,
        ),
        case("ArnEquals of the same", from("ArnEquals", ALARM), publish, json!({"aws:SourceArn": ALARM}), Allow),
        case(
            "two operators, one fails",
            allowed(
                "sns:Publish",
                json!({"StringEquals": {"aws:SourceAccount": "000000000000"}, "ArnLike": {"aws:SourceArn": ALARM}}),
            ),
            publish,
            json!({"aws:SourceArn": ALARM}),
            Nothing,
        ),
        case("Bool that denies", tls(), publish, json!({"aws:SecureTransport": "false"}), Deny),
        case("Bool that does not deny", tls(), publish, json!({"aws:SecureTransport": "true"}), Allow),
        case(
            "Null true without the key",
            allowed("kms:Decrypt", json!({"Null": {"kms:ViaService": "true"}})),
            use_key,
            json!({}),
            Allow,
        ),
        case(
            "Null true with the key",
            allowed("kms:Decrypt", json!({"Null": {"kms:ViaService": "true"}})),
            use_key,
            json!({"kms:ViaService": "sqs"}),
            Nothing,
        ),
        case(
            "StringNotEquals without the key",
            allowed("kms:Decrypt", json!({"StringNotEquals": {"kms:ViaService": "sqs"}})),
            use_key,
            json!({}),
            Allow,
        ),
        case(
            "IfExists without the key",
            allowed("kms:Decrypt", json!({"StringEqualsIfExists": {"kms:ViaService": "sqs"}})),
            use_key,
            json!({}),
            Allow,
        ),
    ]
}

fn elements() -> Vec<Case> {
    use Decision::{Allow, Deny, NotApplicable as Nothing};
    let one =
        |effect: &str, action: Value, resource: &str| json!({"Effect": effect, "Action": action, "Resource": resource});
    let all = one("Allow", json!("*"), "*");
    let not = json!({"Effect": "Allow", "NotAction": ["kms:*", "iam:*"], "Resource": "*"});
    vec![
        case(
            "a wildcard in the action",
            one("Allow", json!("kms:GenerateDataKey*"), "*"),
            ("kms:GenerateDataKeyWithoutPlaintext", KEY),
            json!({}),
            Allow,
        ),
        case("actions know no case", one("Allow", json!(["KMS:decrypt"]), "*"), ("kms:Decrypt", KEY), json!({}), Allow),
        case(
            "a wildcard in the resource",
            one("Allow", json!("dynamodb:GetItem"), "arn:aws:dynamodb:us-east-1:000000000000:table/b*"),
            ("dynamodb:GetItem", TABLE),
            json!({}),
            Allow,
        ),
        case(
            "another resource",
            one("Allow", json!("dynamodb:GetItem"), "arn:aws:dynamodb:us-east-1:000000000000:table/ban"),
            ("dynamodb:GetItem", TABLE),
            json!({}),
            Nothing,
        ),
        case(
            "a question mark is one character",
            one("Allow", json!("dynamodb:GetItem"), "arn:aws:dynamodb:us-east-1:000000000000:table/ban?"),
            ("dynamodb:GetItem", TABLE),
            json!({}),
            Allow,
        ),
        case(
            "an explicit deny wins",
            json!([all, one("Deny", json!("kms:Decrypt"), "*")]),
            ("kms:Decrypt", KEY),
            json!({}),
            Deny,
        ),
        case("NotAction leaves out", not.clone(), ("kms:Decrypt", KEY), json!({}), Nothing),
        case("NotAction allows the rest", not, ("sns:Publish", TOPIC), json!({}), Allow),
    ]
}

fn call(case: &Case) -> Call {
    let mut call = Call::new(Caller::Role("any".to_owned()), case.action, case.resource, case.name);
    for (key, value) in case.context.as_object().unwrap() {
        let values: Vec<String> = list(value).iter().map(|value| value.as_str().unwrap().to_owned()).collect();
        call.context.insert(key.clone(), values);
    }
    call
}

#[test]
fn the_engine_decides_as_iam_is_documented() {
    let principal = Principal::Aws(PrincipalId::String(format!("arn:aws:iam::{ACCOUNT}:role/any")));
    for case in conditions().iter().chain(&elements()) {
        let statements = list(&case.statements);
        let decision = decide(&statements.iter().collect::<Vec<_>>(), &principal, &call(case));
        assert_eq!(decision, case.decision, "{}", case.name);
    }
}

#[tokio::test]
async fn the_local_awss_evaluator_decides_the_same() {
    let python = Python::for_tests().await.unwrap();
    let cases: Vec<Case> = conditions().into_iter().chain(elements()).collect();
    let asked: Vec<Value> = cases
        .iter()
        .map(|case| {
            json!({"statements": list(&case.statements), "action": case.action, "resource": case.resource, "context": case.context})
        })
        .collect();
    let mut command = Command::new(python.program("python"));
    command.arg(folders::project().join("tests/rights/evaluator.py"));
    let decisions: Vec<String> = serde_json::from_str(&answer(&mut command, json!(asked).to_string()).await).unwrap();
    for (case, decision) in cases.iter().zip(decisions) {
        let expected = match case.decision {
            Decision::NotApplicable => "ImplicitDeny".to_owned(),
            other => other.to_string(),
        };
        assert_eq!(decision, expected, "{}", case.name);
    }
}

#[tokio::test]
async fn the_template_uses_only_what_the_engine_supports() {
    // IAM compares ARNs part by part, and treats ArnEquals like ArnLike. The engine compares the whole text, and treats
    // ArnEquals as literal.
    let across = allowed("sns:Publish", json!({"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:*dev"}}));
    let literal = allowed(
        "sns:Publish",
        json!({"ArnEquals": {"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:*"}}),
    );
    let principal = Principal::Service(PrincipalId::String("cloudwatch.amazonaws.com".to_owned()));
    let call =
        Call::new(Caller::Service("cloudwatch.amazonaws.com".to_owned()), "sns:Publish", TOPIC, "a known difference")
            .with("aws:SourceArn", &[ALARM]);
    assert_eq!(decide(&[&across], &principal, &call), Decision::Allow, "the engine now compares ARNs part by part");
    assert_eq!(
        decide(&[&literal], &principal, &call),
        Decision::NotApplicable,
        "the engine now supports wildcards in ArnEquals"
    );
    for statement in Policies::of(Deployed::get().await).statements {
        for (operator, keys) in statement.body["Condition"].as_object().into_iter().flatten() {
            for arn in keys.as_object().unwrap().values().flat_map(list) {
                let arn = arn.as_str().unwrap();
                let known = match operator.as_str() {
                    "ArnEquals" => !arn.contains(['*', '?']),
                    // Wildcards only in the last part, so that they cannot match across parts.
                    "ArnLike" => !arn.splitn(6, ':').take(5).any(|part| part.contains(['*', '?'])),
                    _ => true,
                };
                assert!(known, "{} {}: {operator} {arn}", statement.holder, statement.sid);
            }
        }
    }
}
