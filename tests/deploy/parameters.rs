//! What the parameters must be together, which `CloudFormation` cannot check.

use std::fs;

use local::deployment::DeployOptions;
use local::folders;

use crate::{Bench, copy_project, hollow_artifacts, programs};

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_make_no_sense_together_are_refused_by_name_before_anything_changes() {
    let bench = Bench::start().await;
    let artifacts = hollow_artifacts();
    for (parameters, expected) in [
        (&["Level1FailureThreshold=10"][..], "Level2FailureThreshold: 10 is not above Level1FailureThreshold (10)"),
        (&["Level1FailureThreshold=5.5"], "Level1FailureThreshold: \"5.5\" is not a whole number"),
        (&["OldestAlarmSeconds=1e2"], "OldestAlarmSeconds: \"1e2\" is not a whole number"),
        (&["RecoveryCooldownSeconds=900"], "RecoveryCooldownMaxSeconds: 600 is below RecoveryCooldownSeconds (900)"),
        (&["StateCacheTtlMilliseconds=60000"], "StaleStateSeconds: 60 s"),
        (&["ControlPlaneReservedConcurrency=1"], "ControlPlaneReservedConcurrency: 1 is less than"),
        (&["StatusAuthorization=JWT", "JwtAudience=bank"], "JwtIssuer: it is empty, and StatusAuthorization=JWT"),
        (&["ApiAuthorization=JWT", "JwtIssuer=https://bank.example"], "JwtAudience: it is empty"),
        (&["Level1FailureThreshold=0"], "Level1FailureThreshold: 0 switches off the only rule"),
        (&["Level2FailureThreshold=0"], "Level2FailureThreshold: 0 switches off the only rule"),
        (&["RecoveryEvidence=probes"], "FailureRatePercent: 0 is no rate that probes could stay below"),
        (&["PolicyPreset=production", "FailureRatePercent=0"], "FailureRatePercent: 0 is no rate that probes"),
        (
            &["PolicyPreset=production", "ProbeIdleSeconds=10", "EvidenceSettleSeconds=10"],
            "ProbeIdleSeconds: 10 is not above EvidenceSettleSeconds (10)",
        ),
        (&["TripWhen=count-and-rate"], "FailureRatePercent: 0 is no rate, and TripWhen=count-and-rate"),
        (&["PolicyPreset=production", "TripWhen=count-and-rate"], "Level1FailureThreshold: 0 is no count"),
        (
            &["PolicyPreset=production", "TripWhen=count-and-rate", "Level1FailureThreshold=5"],
            "Level2FailureThreshold: 0 is no count",
        ),
        (&["VpcSubnetIds=subnet-1"], "VpcSecurityGroupIds: it is empty"),
        (&["VpcSecurityGroupIds=sg-1"], "VpcSubnetIds: it is empty"),
    ] {
        let pairs: Vec<_> = parameters.iter().map(|pair| pair.split_once('=').unwrap()).collect();
        let said = bench.deploy_from(artifacts.path(), &pairs, &["--architecture", "arm64"]).await.failed();
        assert!(said.contains(&format!("parameter {expected}")), "{parameters:?}: {said}");
    }
    let stacks = bench.aws(&["cloudformation", "list-stacks", "--query", "StackSummaries[].StackName"]).await.unwrap();
    assert_eq!(stacks, "", "something was changed");

    // A share is no whole number.
    let sound = [
        ("Level1FailureThreshold", "8"),
        ("FullServiceFailureRate", "0.5"),
        ("RecoveryCooldownSeconds", "900"),
        ("RecoveryCooldownMaxSeconds", "0"),
    ];
    bench.deploy_from(artifacts.path(), &sound, &["--skip-canary"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_for_customers_whose_alarms_link_nowhere_says_so() {
    let bench = Bench::start().await;
    let artifacts = hollow_artifacts();
    // The production parameters need an account's usual limit, whatever the memory of the machine.
    let limit = ["lambda", "get-account-settings", "--query", "AccountLimit.ConcurrentExecutions"];
    assert_eq!(bench.aws(&limit).await.unwrap(), "1000");
    let options = DeployOptions { environment: "prod".to_owned(), ..bench.options.clone() };
    let arguments = ["--artifacts", artifacts.path().to_str().unwrap(), "--dry-run"];
    let said = bench.run(&options, &arguments).await.succeeded();
    assert!(said.contains("RunbookUrl is no https:// address"), "{said}");
    let linked = options.with("RunbookUrl", "https://bank.example/runbook");
    let said = bench.run(&linked, &arguments).await.succeeded();
    assert!(!said.contains("RunbookUrl"), "{said}");
}

#[test]
fn a_mistake_in_an_environments_file_stops_the_script() {
    let project = copy_project();
    // The file is read before anything is asked of AWS.
    let tools = programs(&[("aws", "#!/bin/sh\nexit 1\n")]);
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let run = |options: &[&str]| {
        let output = std::process::Command::new("/bin/bash")
            .arg(project.path().join("infrastructure/deploy.sh"))
            .args(["--environment", "test", "--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:9"])
            .args(options)
            .env("BREAKER", folders::program())
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&["--set", "api.burst=1"]);
    assert!(said.contains("--set: there is no file infrastructure/environments/test.toml"), "{said}");
    let file = project.path().join("infrastructure/environments/test.toml");
    fs::write(&file, "[deployment]\nlog_levle = \"debug\"\n[api]\nburst = 0\n").unwrap();
    let said = run(&[]);
    assert!(said.contains("infrastructure/environments/test.toml:2: deployment.log_levle is no key"), "{said}");
    assert!(said.contains("infrastructure/environments/test.toml:4: api.burst is 0"), "{said}");
    fs::write(&file, "").unwrap();
    let said = run(&["--set", "api.burst=0"]);
    assert!(said.contains("--set: api.burst is 0: use a whole number from 1 to 5000"), "{said}");
}
