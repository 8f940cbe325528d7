//! The Lambda binaries as processes: what a template or an operator got wrong is named, not served.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::path::Path;
use std::time::Duration;

use local::artifacts;
use stacks::FUNCTIONS;
use tokio::process::Command;

/// Longer than refusing takes; a binary that starts would wait for work for ever.
const DEADLINE: Duration = Duration::from_mins(1);

/// What every binary needs.
const COMPLETE: [(&str, &str); 5] = [
    ("DEPLOYMENT", "bank-test"),
    ("PROJECT", "bank"),
    ("ENVIRONMENT", "test"),
    ("STATE_MACHINE_ARN", "arn:aws:states:us-east-1:000000000000:stateMachine:level-transition"),
    ("AWS_REGION", "us-east-1"),
];

/// Starts a binary with one variable changed, or left out where the value is empty; gives its log.
async fn refuses(artifacts: &Path, binary: &str, variable: &str, value: &str) -> String {
    let mut command = Command::new(artifacts.join(binary).join("bootstrap"));
    command.env_clear().envs(COMPLETE).env(variable, value).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{binary} starts with {variable}={value:?}")).unwrap();
    assert!(!output.status.success(), "{binary} with {variable}={value:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_binary_names_the_invalid_variable_and_exits() {
    let artifacts = artifacts::build().await.unwrap();
    let absurd = [
        ("controller", "DEPLOYMENT", ""),
        ("full-service", "BREAKER_CONFIG", r#"{"samples.full_failure_percent":150}"#),
        ("degraded-service", "BREAKER_CONFIG", r#"{"samples.fault_injection":"yes"}"#),
        ("maintenance-service", "LATENCY_MAX_MS", "never"),
        ("full-service", "DEPLOYMENT", ""),
        ("degraded-service", "DEPLOYMENT", ""),
        ("maintenance-service", "DEPLOYMENT", ""),
        ("alarm-processor", "STATE_MACHINE_ARN", ""),
        ("alarm-processor", "DEPLOYMENT", ""),
        ("evaluate-thresholds", "BREAKER_CONFIG", r#"{"policy.counts.level_2_failures":5}"#),
        ("evaluate-thresholds", "BREAKER_CONFIG", "{"),
        ("evaluate-thresholds", "DEPLOYMENT", ""),
        ("write-state", "BREAKER_CONFIG", r#"{"limits.record_retention_days":0}"#),
        ("emit-metrics", "DEPLOYMENT", ""),
        ("status", "PROJECT", ""),
        ("status", "STATE_MACHINE_ARN", ""),
    ];
    let everywhere = FUNCTIONS.map(|binary| (binary, "LOG_LEVEL", "loud"));
    for (binary, variable, value) in absurd.into_iter().chain(everywhere) {
        let log = refuses(&artifacts, binary, variable, value).await;
        assert!(log.contains(&format!("environment variable {variable}: ")), "{binary}: {log}");
    }
}
