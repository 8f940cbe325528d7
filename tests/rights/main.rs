//! Checks the roles and resource policies of the template: they allow every call of the chain and every call of AWS's
//! services for it, and each action is needed by a call.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod deployed;
mod deployer;
mod known;
mod listed;
mod models;
mod necessity;
mod page;
mod policies;
mod recorder;
mod recording;
mod services;

use std::collections::BTreeSet;

use crate::deployed::Deployed;
use crate::policies::{Call, Caller, Policies};
use crate::recording::Recording;
use crate::services::Row;

/// Fails with all calls that the policies deny.
fn all_allowed(policies: &Policies, calls: &[Call]) {
    let denied: Vec<String> = calls.iter().filter(|call| !policies.allow(call)).map(ToString::to_string).collect();
    assert!(denied.is_empty(), "denied:\n{}", denied.join("\n"));
}

fn calls_of(rows: &[Row]) -> Vec<Call> {
    rows.iter().flat_map(|row| row.calls.clone()).collect()
}

#[tokio::test]
async fn every_call_of_the_chain_is_allowed() {
    let deployed = Deployed::get().await;
    let calls = listed::calls(deployed);
    let callers: BTreeSet<String> = calls.iter().map(|call| call.caller.to_string()).collect();
    let expected = [
        "AlarmProcessorRole",
        "ControllerRole",
        "EmitMetricsRole",
        "EvaluateThresholdsRole",
        "LevelTransitionRole",
        "StatusRole",
        "WriteStateRole",
    ];
    assert_eq!(callers, expected.map(str::to_owned).into(), "the roles that make calls");
    all_allowed(&Policies::of(deployed), &calls);
}

/// The list has the calls of every path, the recording those of one run. Checks that the recorded calls are allowed
/// too.
#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_chain_is_listed() {
    let deployed = Deployed::get().await;
    let recorded = calls::of(Recording::get().await, deployed);
    all_allowed(&Policies::of(deployed), &recorded);
    let (recorded, listed) = (listed::facts(&recorded), listed::facts(&listed::calls(deployed)));
    assert!(recorded.is_subset(&listed), "not in the list: {:#?}", recorded.difference(&listed));
    // The items that are read after a conflict differ from run to run, so only the actions are compared.
    let actions = |facts: &BTreeSet<(String, String, String, String)>| -> BTreeSet<(String, String, String)> {
        facts.iter().map(|(caller, action, resource, _)| (caller.clone(), action.clone(), resource.clone())).collect()
    };
    assert_eq!(actions(&recorded), actions(&listed), "the actions of the calls");
}

#[tokio::test]
async fn every_call_of_awss_services_is_allowed() {
    let deployed = Deployed::get().await;
    let rows = services::rows(deployed);
    assert!(rows.iter().all(|row| !row.calls.is_empty()), "a row without a call proves nothing");
    all_allowed(&Policies::of(deployed), &calls_of(&rows));
}

#[tokio::test]
async fn the_page_lists_what_awss_services_do() {
    page::holds(&page::services(&services::rows(Deployed::get().await)));
}

#[tokio::test]
async fn each_part_of_each_statement_is_needed() {
    let deployed = Deployed::get().await;
    let policies = Policies::of(deployed);
    let mut calls = listed::calls(deployed);
    calls.extend(calls_of(&services::rows(deployed)));
    let lefts = necessity::each_left_out(&policies);
    let needs: Vec<_> =
        lefts.iter().map(|without| (without.part.clone(), necessity::needing(without, &calls))).collect();
    let idle: Vec<String> =
        needs.iter().filter(|(_, calls)| calls.is_empty()).map(|(part, _)| format!("{part:?}")).collect();
    assert!(idle.is_empty(), "no call needs:\n{}", idle.join("\n"));
    page::holds(&page::needs(&needs));
}

#[tokio::test]
async fn a_call_that_no_role_has_is_denied() {
    let deployed = Deployed::get().await;
    let policies = Policies::of(deployed);
    let (table, key) = (deployed.arn("StateTable"), deployed.arn("EncryptionKey"));
    let role = |name: &str| Caller::Role(name.to_owned());
    let leading = |call: Call| call.with("dynamodb:LeadingKeys", &["command#one"]);
    for call in [
        leading(Call::new(role("ControllerRole"), "dynamodb:GetItem", &table, "a record of a command")),
        Call::new(role("WriteStateRole"), "dynamodb:DeleteItem", &table, "no role deletes records"),
        Call::new(role("ControllerRole"), "kms:Decrypt", &key, "the key without DynamoDB"),
        Call::new(Caller::Service("sns.amazonaws.com".to_owned()), "kms:Decrypt", &key, "another topic")
            .with("aws:SourceArn", &["arn:aws:sns:us-east-1:111111111111:other"]),
        Call::new(Caller::Service("delivery.logs.amazonaws.com".to_owned()), "kms:Decrypt", &key, "another account")
            .with("kms:EncryptionContext:SourceArn", &["arn:aws:logs:us-east-1:111111111111:*"]),
    ] {
        assert!(!policies.allow(&call), "{call}");
    }
    let open = Call::new(role("LevelTransitionRole"), "sns:Publish", &deployed.arn("AlertTopic"), "without TLS");
    assert!(policies.allow(&open) && !policies.allow(&open.with("aws:SecureTransport", &["false"])));
}

#[tokio::test]
async fn an_action_that_nothing_needs_is_found() {
    let deployed = Deployed::get().await;
    let mut policies = Policies::of(deployed);
    let mut calls = listed::calls(deployed);
    calls.extend(calls_of(&services::rows(deployed)));
    let read =
        policies.statements.iter_mut().find(|one| one.holder == "ControllerRole" && one.sid == "ReadState").unwrap();
    read.body["Action"] = serde_json::json!(["dynamodb:GetItem", "dynamodb:Query"]);
    let idle: Vec<String> = necessity::each_left_out(&policies)
        .into_iter()
        .filter(|without| necessity::needing(without, &calls).is_empty())
        .map(|without| without.part.value)
        .collect();
    assert_eq!(idle, ["dynamodb:Query"]);
    // A call whose statement is missing is denied, and the message names it.
    policies.statements.retain(|one| one.sid != "FindNewestRecord");
    let denied: Vec<&Call> = calls.iter().filter(|call| !policies.allow(call)).collect();
    assert_eq!(denied.len(), 1);
    assert!(
        denied[0].to_string().starts_with("EvaluateThresholdsRole: dynamodb:Scan on arn:aws:dynamodb:"),
        "{}",
        denied[0]
    );
}
