//! The dashboard's way into the template that is deployed.

use std::fs;
use std::path::Path;

use local::folders;
use local::python::Python;
use serde_json::Value;
use tokio::process::Command;

use crate::said;

const TEMPLATE: &str = "infrastructure/circuit-breaker-infrastructure.yaml";
const DASHBOARD: &str = "infrastructure/dashboard.json";

/// A Python program of one line that prints a YAML file as JSON, short forms of functions left out.
const AS_JSON: &str = "import json, sys; from ruamel.yaml import YAML; \
    json.dump(YAML(typ='safe', pure=True).load(open(sys.argv[1])), sys.stdout, default=str)";

/// What `package` of the AWS CLI v2 makes of a template.
async fn packaged(python: &Python, template: &Path, to: &Path) {
    let mut command = Command::new(python.program("python"));
    command.arg(folders::project().join("tests/deploy/rewrite.py")).arg(template).arg(to);
    said(&mut command).await.succeeded();
}

async fn read(python: &Python, template: &Path) -> Value {
    let mut command = Command::new(python.program("python"));
    let text = said(command.args(["-c", AS_JSON]).arg(template)).await.succeeded();
    serde_json::from_str(&text).unwrap()
}

/// Runs one function of the script's on a packaged template.
fn insert(folder: &Path) -> Command {
    let project = folders::project().display();
    let mut command = Command::new("bash");
    command.args([
        "-euc",
        &format!(
            "ROOT={project} DASHBOARD={DASHBOARD} STAGE={} PROGRAM=deploy ENDPOINT=''\n\
         . {project}/infrastructure/deploy/common.sh\n. {project}/infrastructure/deploy/build.sh\n\
         insert_dashboard \"$STAGE/packaged.yaml\"",
            folder.display()
        ),
    ]);
    command
}

#[tokio::test]
async fn the_dashboard_survives_the_aws_cli_v2() {
    let python = Python::set_up().await.unwrap();
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    let path = folder.path().join("packaged.yaml");
    packaged(&python, &folders::project().join(TEMPLATE), &path).await;
    let mut before = read(&python, &path).await;

    said(&mut insert(folder.path())).await.succeeded();
    let mut after = read(&python, &path).await;
    let body = "/Resources/Dashboard/Properties/DashboardBody/Fn::Sub";
    let source = fs::read_to_string(folders::project().join(DASHBOARD)).unwrap();
    assert_eq!(after.pointer(body).and_then(Value::as_str), Some(source.as_str()));
    // Nothing else changes.
    *before.pointer_mut(body).unwrap() = Value::Null;
    *after.pointer_mut(body).unwrap() = Value::Null;
    assert_eq!(after, before);
}

#[tokio::test]
async fn ruamel_corrupts_a_dashboard_put_in_before() {
    // Why the script waits for `package`. When this test fails, the library is repaired.
    let python = Python::set_up().await.unwrap();
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    let (early, path) = (folder.path().join("packaged.yaml"), folder.path().join("rewritten.yaml"));
    packaged(&python, &folders::project().join(TEMPLATE), &early).await;
    said(&mut insert(folder.path())).await.succeeded();
    packaged(&python, &early, &path).await;
    let rewritten = read(&python, &path).await;
    let body = rewritten["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(body).is_err(), "this ruamel.yaml keeps a long string");
}

#[tokio::test]
async fn a_template_without_a_dashboard_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("packaged.yaml"), "Resources:\n  Dashboard:\n    Properties: {}\n").unwrap();
    let refused = said(&mut insert(folder.path())).await.failed();
    assert!(refused.contains("no DashboardBody of the expected form"), "{refused}");
}
