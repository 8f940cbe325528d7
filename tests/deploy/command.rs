//! Tests the command on the local AWS as a pipeline uses it: options, output and exit status.

use std::path::Path;

use local::server::{REGION, isolate};
use serde_json::Value;
use tokio::process::Command;

use crate::{Bench, hollow_artifacts, run};

struct Ended {
    code: i32,
    output: String,
    errors: String,
}

impl Ended {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.output, self.errors);
        serde_json::from_str(&self.output).unwrap()
    }
}

async fn breaker(bench: &Bench, command: &str, arguments: &[&str]) -> Ended {
    let mut process = Command::new(env!("CARGO_BIN_EXE_breaker"));
    isolate(&mut process);
    process
        .args([command, "--environment", &bench.names.environment, "--project-name", &bench.names.project])
        .args(["--region", REGION, "--endpoint-url", bench.stack.endpoint()])
        .args(arguments);
    let output = process.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ended { code: output.status.code().unwrap(), output: text(&output.stdout), errors: text(&output.stderr) }
}

async fn deploy(bench: &Bench, artifacts: &Path, more: &[&str]) -> Ended {
    let usual = ["--artifacts", artifacts.to_str().unwrap(), "--architecture", "arm64", "--skip-check"];
    breaker(bench, "deploy", &[&usual[..], more].concat()).await
}

#[test]
fn a_pipeline_deploys_rolls_back_and_destroys() {
    run(async {
        let bench = Bench::open_in("pipeline", "trial").await;
        let hollow = hollow_artifacts();
        let asked = deploy(&bench, hollow.path(), &[]).await;
        assert!(asked.code == 1 && asked.errors.contains("give --yes"), "{}", asked.errors);
        assert!(asked.output.contains("There is no file infrastructure/environments/trial.toml"), "{}", asked.output);

        let outputs = hollow.path().join("outputs.json");
        let outputs = outputs.to_str().unwrap();
        let first = deploy(&bench, hollow.path(), &["--yes", "--json", "--outputs", outputs]).await;
        let report = first.json();
        assert_eq!((&report["outcome"], &report["place"]["region"]), (&"changed".into(), &REGION.into()));
        let written: Value = serde_json::from_str(&std::fs::read_to_string(outputs).unwrap()).unwrap();
        assert_eq!((&written, &written["ReleaseId"]), (&report["outputs"], &report["release"]));

        let shown = deploy(&bench, hollow.path(), &["--dry-run", "--set", "api.burst=300"]).await;
        assert!(shown.code == 0 && shown.output.ends_with("Nothing was changed (--dry-run).\n"), "{}", shown.output);
        let second = deploy(&bench, hollow.path(), &["--yes", "--set", "api.burst=300"]).await;
        assert!(
            second.code == 0 && second.output.contains("breaker status --stack-name pipeline-trial"),
            "{}",
            second.output
        );

        let back = breaker(&bench, "rollback", &["--yes", "--json", "--skip-check"]).await.json();
        assert_eq!(back["release"], report["release"]);
        let gone = breaker(&bench, "destroy", &["--yes", "--json", "--delete-data"]).await.json();
        assert_eq!(gone["kept"], Value::Array(Vec::new()), "{gone}");
        assert!(gone["removed"].as_array().unwrap().contains(&"pipeline-trial-data".into()), "{gone}");
    });
}

#[test]
fn an_account_that_the_file_does_not_name_is_refused() {
    run(async {
        let bench = Bench::open("elsewhere").await;
        let hollow = hollow_artifacts();
        let refused = deploy(&bench, hollow.path(), &["--yes", "--set", "deployment.account=\"111122223333\""]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.errors.contains("this is account 000000000000"), "{}", refused.errors);
        for command in ["rollback", "destroy"] {
            let refused = breaker(&bench, command, &["--yes", "--set", "deployment.region=eu-central-1"]).await;
            assert!(refused.code == 1 && refused.errors.contains("this is region us-east-1"), "{}", refused.errors);
        }
    });
}
