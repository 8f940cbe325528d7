//! Runs the Lambda binaries as processes: a binary names an invalid setting and does not start.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::path::Path;
use std::time::Duration;

use local::artifacts;
use stacks::FUNCTIONS;
use tokio::process::Command;

/// Maximum time for a binary to refuse. A binary that starts by mistake would wait for events for ever.
const DEADLINE: Duration = Duration::from_mins(1);

/// The variables that the binaries need to start.
const COMPLETE: [(&str, &str); 5] = [
    ("DEPLOYMENT", "bank-test"),
    ("PROJECT", "bank"),
    ("ENVIRONMENT", "test"),
    ("STATE_MACHINE_ARN", "arn:aws:states:us-east-1:000000000000:stateMachine:level-transition"),
    ("AWS_REGION", "us-east-1"),
];

/// Starts a binary with one variable changed, or left out if the value is empty. Returns its log.
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
    let invalid = [
        ("controller", "DEPLOYMENT", ""),
        ("full-service", "BREAKER_CONFIG", r#"{"samples.full_failure_percent":150}"#),
        ("degraded-service", "BREAKER_CONFIG", r#"{"samples.fault_injection":"yes"}"#),
        ("maintenance-service", "LATENCY_MAX_MS", "never"),
        ("full-service", "DEPLOYMENT", ""),
        ("degraded-service", "DEPLOYMENT", ""),
        ("maintenance-service", "DEPLOYMENT", ""),
        ("alarm-processor", "STATE_MACHINE_ARN", ""),
        ("alarm-processor", "DEPLOYMENT", ""),
        ("evaluate-thresholds", "DEPLOYMENT", ""),
        ("emit-metrics", "DEPLOYMENT", ""),
        ("status", "PROJECT", ""),
        ("status", "STATE_MACHINE_ARN", ""),
    ];
    let everywhere = FUNCTIONS.map(|binary| (binary, "LOG_LEVEL", "loud"));
    for (binary, variable, value) in invalid.into_iter().chain(everywhere) {
        let log = refuses(&artifacts, binary, variable, value).await;
        assert!(log.contains(&format!("environment variable {variable}: ")), "{binary}: {log}");
    }
}

/// An operator's command must work in an emergency, so these functions start with any configuration.
#[tokio::test]
async fn commands_outlive_an_invalid_configuration() {
    let artifacts = artifacts::build().await.unwrap();
    for (binary, key, config) in [
        ("evaluate-thresholds", "policy.preset", r#"{"policy.preset":"modern"}"#),
        ("evaluate-thresholds", "policy.counts.level_2_failures", r#"{"policy.counts.level_2_failures":5}"#),
        ("evaluate-thresholds", "BREAKER_CONFIG", "{"),
        ("write-state", "limits.record_retention_days", r#"{"limits.record_retention_days":0}"#),
    ] {
        // No program listens on this port: the function starts, and ends because it cannot ask for an event.
        let nowhere = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
        let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
        let mut command = Command::new(artifacts.join(binary).join("bootstrap"));
        command
            .env_clear()
            .envs(COMPLETE)
            .envs(nowhere)
            .envs(credentials)
            .env("BREAKER_CONFIG", config)
            .kill_on_drop(true);
        let output = tokio::time::timeout(DEADLINE, command.output()).await.unwrap().unwrap();
        let log = String::from_utf8(output.stdout).unwrap();
        let replaced: Vec<_> = log.lines().filter(|line| line.contains("invalid setting replaced")).collect();
        assert_eq!(replaced.len(), 1, "{binary} with {config}: {log}");
        assert!(replaced[0].contains(key) && replaced[0].contains("config.instead"), "{log}");
    }
}
