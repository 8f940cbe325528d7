//! Tests the local API against its description. At each level, schemathesis derives valid and invalid requests from the
//! description. No answer may be one that the description lacks, or a 500 that was not injected.
//!
//! Needs schemathesis, which `.ci/api-tester` installs: `cargo test --test api -- --ignored` runs it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::fs;
use std::path::PathBuf;

use local::demo::options;
use local::folders;
use serde_json::{Value, json};
use tokio::process::Command;

use common::{System, force_to, with};

/// Writes the API's own description to a file, without the answers of API Gateway. Locally only a defect of the
/// controller could cause such an answer, and the test must find that.
async fn description(address: &str) -> PathBuf {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{address}/openapi.json")).send().await.unwrap();
    let mut description: Value = answer.json().await.unwrap();
    let of_the_gateway = &mut description["components"]["schemas"]["GatewayError"];
    assert!(of_the_gateway.is_object());
    *of_the_gateway = json!({ "not": {} });
    let file = folders::local().join("description-without-gateway.json");
    fs::write(&file, description.to_string()).unwrap();
    file
}

/// Runs schemathesis. Returns whether it passed, and its output. `.ci/schemathesis.toml` lists the checks that are left
/// out, with reasons.
async fn tested(address: &str) -> (bool, String) {
    let description = description(address).await;
    let mut command = Command::new(folders::target().join("api-tester/bin/schemathesis"));
    local::server::isolate(&mut command);
    let ran = command
        .arg("--config-file")
        .arg(folders::project().join(".ci/schemathesis.toml"))
        .arg("run")
        .arg(description)
        .args(["--url", address, "--seed", "1", "--workers", "2"])
        // Run in another folder, because schemathesis stores its failures in the working directory.
        .current_dir(folders::local())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.success(), told)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis, which .ci/api-tester installs"]
async fn at_every_level_each_answer_is_one_that_the_description_has() {
    let installed = folders::target().join("api-tester/requirements.installed").exists();
    assert!(installed, "schemathesis is not installed: run .ci/api-tester, which installs it");
    // With random failures, as a real service has them.
    let system = System::start(&options().with("samples.full_failure_percent", "5")).await;
    for level in 1..=3 {
        system.execute(&with(force_to(level), json!({ "holdMinutes": 60 }))).await.unwrap();
        system.routed(level, "table").await;
        let (passed, told) = tested(system.gateway.address()).await;
        let summary = told.split_once("SUMMARY").map_or(told.as_str(), |(_, summary)| summary);
        println!("level {level}:{summary}");
        assert!(passed, "level {level}: {told}");
    }
}
