//! Releases: deployed, deployed again, updated, refused, rolled back.

use std::fs::OpenOptions;
use std::io::Write;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use tempfile::TempDir;

use crate::{Bench, copy_artifacts, hollow_artifacts};

/// The binaries, some of them as another build would have made them.
fn rebuilt(bench: &Bench, names: &[&str]) -> TempDir {
    let artifacts = copy_artifacts(bench.stack.artifacts());
    for name in names {
        let path = artifacts.path().join(name).join("bootstrap");
        // Behind the end of the program, where nothing reads it.
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"another build").unwrap();
    }
    artifacts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_deployed_once_updated_through_the_alias_and_rolled_back() {
    let bench = Bench::start().await;
    let first = bench.deploy(&[], &[]).await.succeeded();
    for expected in ["Add     ControllerFunction ", "is deployed", "Canary: all is well", "curl '", "start-execution"] {
        assert!(first.contains(expected), "no {expected:?} in:\n{first}");
    }
    assert_eq!(bench.threshold().await, 5);
    let release = bench.output("ReleaseId").await;

    let elsewhere = reqwest::get(format!("{}/circuit-breaker/", bench.api().await)).await.unwrap();
    assert_eq!(elsewhere.status(), 404, "the status is shown past its own route");

    let again = bench.deploy(&[], &[]).await.succeeded();
    assert!(again.contains("No changes") && !again.contains("Canary"), "{again}");

    let shown = bench.deploy(&[("Level1FailureThreshold", "7")], &["--dry-run"]).await.succeeded();
    assert!(shown.contains("Modify  ControllerFunction ") && shown.contains("Nothing was changed"), "{shown}");
    assert_eq!((bench.threshold().await, bench.output("ReleaseId").await), (json!(5), release.clone()));

    // Only a parameter changes, and the alias serves it.
    bench.deploy(&[("Level1FailureThreshold", "7")], &["--skip-canary"]).await.succeeded();
    assert_eq!(bench.threshold().await, 7);
    assert_ne!(bench.output("ReleaseId").await, release);

    let back = bench.act(&["--rollback"]).await.succeeded();
    assert!(back.contains(&format!("to {release}")) && back.contains("Canary: all is well"), "{back}");
    assert_eq!((bench.threshold().await, bench.output("ReleaseId").await), (json!(5), release));
    let further = bench.act(&["--rollback"]).await.failed();
    assert!(further.contains("there is no release before"), "{further}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_update_is_rolled_back_and_says_what_failed() {
    let bench = Bench::start().await;
    let own = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", bench.function("maintenance-service"));
    bench.deploy(&[("FullServiceFunctionArn", &own)], &["--skip-canary"]).await.succeeded();
    // The function of one's own answers at level 1, and the sample is not there.
    let answer = reqwest::get(format!("{}/account/1", bench.api().await)).await.unwrap();
    assert_eq!(answer.headers()["x-circuit-breaker-level"], "1");
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["level"], 3, "{answer}");
    let lambda = aws_sdk_lambda::Client::new(bench.stack.sdk());
    assert!(lambda.get_function().function_name(bench.function("full-service")).send().await.is_err());

    let first = bench.output("ReleaseId").await;

    let artifacts = rebuilt(&bench, &["controller"]);
    let parameters = [("FullServiceFunctionArn", own.as_str()), ("Level1FailureThreshold", "7")];
    bench.deploy_from(artifacts.path(), &parameters, &["--skip-canary"]).await.succeeded();
    let second = bench.output("ReleaseId").await;

    // The archive of the release before is lost, so it cannot be deployed again.
    let template = format!("{}/{first}/template.yaml", bench.releases());
    let template = bench.aws(&["s3", "cp", &template, "-"]).await.unwrap();
    let controller = template.split("\n  ControllerFunction:").nth(1).unwrap();
    let archive = controller.split("CodeUri: ").nth(1).unwrap().lines().next().unwrap();
    bench.aws(&["s3", "rm", archive]).await.unwrap();
    let said = bench.act(&["--rollback"]).await.failed();
    assert!(said.contains("failed and was rolled back") && said.contains("ControllerFunction"), "{said}");
    assert_eq!((bench.threshold().await, bench.output("ReleaseId").await), (json!(7), second), "as it was before");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_functions_code_can_be_updated_alone() {
    let bench = Bench::start().await;
    let artifacts = rebuilt(&bench, &["full-service", "controller"]);
    let folder = artifacts.path().to_str().unwrap();
    let early = bench.act(&["--artifacts", folder, "--only", "full-service"]).await.failed();
    assert!(early.contains("deploy all of it first"), "{early}");
    bench.deploy(&[], &["--skip-canary"]).await.succeeded();
    let before = [bench.code("full-service", "live").await, bench.code("circuit-breaker-controller", "live").await];

    bench.act(&["--artifacts", folder, "--only", "full-service", "--skip-canary"]).await.succeeded();
    assert_ne!(bench.code("full-service", "live").await, before[0]);
    assert_eq!(bench.code("circuit-breaker-controller", "live").await, before[1]);
    let answer = reqwest::get(format!("{}/account/1", bench.api().await)).await.unwrap();
    assert_eq!(answer.headers()["x-circuit-breaker-level"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_whose_control_plane_does_not_work_has_failed() {
    let bench = Bench::start().await;
    bench.deploy(&[], &["--skip-canary"]).await.succeeded();
    let garbage = std::collections::HashMap::from([
        ("pk".to_owned(), AttributeValue::S("system-state".to_owned())),
        ("currentLevel".to_owned(), AttributeValue::S("first".to_owned())),
    ]);
    let tables = aws_sdk_dynamodb::Client::new(bench.stack.sdk());
    tables.put_item().table_name(bench.table()).set_item(Some(garbage)).send().await.unwrap();
    let said = bench.deploy(&[("Level1FailureThreshold", "7")], &[]).await.failed();
    assert!(said.contains("a dry run of the state machine failed") && said.contains("StateUnavailable"), "{said}");
    assert!(said.contains("--rollback"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_whose_controller_does_not_answer_has_failed() {
    let bench = Bench::start().await;
    let artifacts = hollow_artifacts();
    let said = bench.deploy_from(artifacts.path(), &[], &["--architecture", "arm64"]).await.failed();
    assert!(said.contains("the controller does not answer (back: --rollback)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gradual_release_is_rolled_back_all_at_once_and_the_next_one_is_gradual_again() {
    let bench = Bench::start().await;
    let hollow = hollow_artifacts();
    let deploy = async |parameters: &[(&str, &str)]| {
        let arguments = ["--architecture", "arm64", "--skip-canary"];
        bench.deploy_from(hollow.path(), parameters, &arguments).await.succeeded();
    };
    deploy(&[("GradualDeployment", "true")]).await;
    let first = bench.output("ReleaseId").await;
    let brakes = async || {
        let query = "MetricAlarms[?contains(AlarmName, '-brake-')].AlarmName";
        bench.aws(&["cloudwatch", "describe-alarms", "--query", query]).await.unwrap().split_whitespace().count()
    };
    assert_eq!(brakes().await, 3);
    deploy(&[("GradualDeployment", "true"), ("Level1FailureThreshold", "7")]).await;

    bench.act(&["--rollback", "--skip-canary"]).await.succeeded();
    assert_eq!(
        (bench.output("ReleaseId").await, bench.parameter("GradualDeployment").await),
        (first.clone(), "false".to_owned())
    );
    assert_eq!(brakes().await, 0, "CodeDeploy could stop the rollback");
    let recorded = bench.aws(&["s3", "cp", &format!("{}/{first}/parameters", bench.releases()), "-"]).await.unwrap();
    assert!(recorded.lines().any(|line| line == "GradualDeployment=true"), "{recorded}");

    deploy(&[("Level1FailureThreshold", "6")]).await;
    assert_eq!((bench.parameter("GradualDeployment").await.as_str(), brakes().await), ("true", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_that_cannot_be_read_are_not_taken_for_none() {
    let bench = Bench::start().await;
    bench.deploy(&[], &["--skip-canary"]).await.succeeded();
    let release = bench.output("ReleaseId").await;
    let hiccup = "*/history\\ -*) echo 'fatal error: An error occurred (503) when calling the GetObject operation: Slow Down' >&2; exit 1 ;;";
    let said = bench.deploy_where(hiccup, &[("Level1FailureThreshold", "7")], &["--skip-canary"]).await.failed();
    assert!(said.contains("history cannot be read") && said.contains("Slow Down"), "{said}");
    assert_eq!(bench.output("ReleaseId").await, release, "it was deployed all the same");
    let history = bench.aws(&["s3", "cp", &format!("{}/history", bench.releases()), "-"]).await.unwrap();
    assert_eq!(history, release);
}
