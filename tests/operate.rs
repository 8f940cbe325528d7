//! The operators' script where no AWS is needed to see what it does: options, and answers that a real one
//! gives once in a blue moon. What it does to a real chain is among the fault tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use local::folders;
use serde_json::json;

/// A folder with a program `aws` that answers one call of Step Functions with `answer`, and keeps what it
/// was asked.
struct Cli(tempfile::TempDir);

impl Cli {
    fn that_answers(answer: &serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outputs = "StateMachineArn\tarn:aws:states:us-east-1:1:stateMachine:bank-level-transition-prod\n\
                       StateTableName\tbank-state-prod";
        let program = format!(
            "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/asked\"\ncase \"$*\" in\n\
             *describe-stacks*) printf '%s\\n' '{outputs}' ;;\n\
             *start-sync-execution*) cat \"$(dirname \"$0\")/answer\" ;;\n\
             *) exit 1 ;;\nesac\n"
        );
        let path = folder.path().join("aws");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("answer"), answer.to_string()).unwrap();
        Self(folder)
    }

    /// What the script says to a call, and whether it succeeds.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let Output { status, stdout, stderr } = Command::new("bash")
            .arg(folders::project().join("infrastructure/operate.sh"))
            .args(arguments)
            .env("PATH", path)
            .env("AWS_REGION", "us-east-1")
            .env_remove("AWS_ENDPOINT_URL")
            .output()
            .unwrap();
        (status.success(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.0.path().join("asked")).unwrap_or_default()
    }
}

/// An answer to a rehearsal of which all is well.
fn nothing_to_do() -> serde_json::Value {
    let state = json!({
        "currentLevel": 2, "epoch": 4, "version": 9,
        "hold": {"level": 2, "reason": "drill", "requestedBy": "alice", "expiresAt": "2020-01-01T00:00:00.5Z"},
    });
    let output = json!({
        "outcome": "none", "dryRun": true, "from": 2, "to": 2, "reason": "already at level 2", "evidence": {},
        "oldState": state, "newState": state,
    });
    json!({"status": "SUCCEEDED", "output": output.to_string()})
}

#[test]
fn an_option_that_makes_no_sense_is_refused_by_name_and_nothing_is_asked_of_aws() {
    let cli = Cli::that_answers(&nothing_to_do());
    let force = ["force", "--environment", "prod", "--level", "3", "--reason", "drill"];
    for (more, expected) in [
        // What is left of `--requested-by $WHO --dry-run` where nobody set WHO.
        (&["--requested-by", "--dry-run"][..], "--requested-by needs a value"),
        (&["--requested-by", "", "--dry-run"], "--requested-by needs a value"),
        (&["--reason"], "--reason needs a value"),
        (&["--hold", "30"], "unknown option: --hold"),
        (&["--hold-minutes", "an hour"], "take whole numbers"),
        (&["--wait", "long"], "--wait \"long\": use a number of seconds"),
    ] {
        let (success, said) = cli.run(&[&force[..], more].concat());
        assert!(!success && said.contains(expected), "{more:?}: {said}");
    }
    for (arguments, expected) in [
        (&["force", "--level", "3", "--reason", "drill", "--dry-run"][..], "--environment is missing"),
        (&["look"], "--environment is missing"),
        (&["force", "--environment", "prod", "--reason", "drill"], "--level is missing"),
        (&["force", "--environment", "prod", "--level", "3"], "--reason is missing"),
        (&["release", "--environment", "prod", "--level", "3", "--reason", "x"], "release takes neither --level"),
        (&["restart"], "unknown command: restart"),
    ] {
        let (success, said) = cli.run(arguments);
        assert!(!success && said.contains(expected), "{arguments:?}: {said}");
    }
    assert_eq!(cli.asked(), "");
    let (success, said) = cli.run(&["--help"]);
    assert!(success && said.contains("--expected-epoch"), "{said}");
}

#[test]
fn a_rehearsal_that_ran_out_of_time_says_so() {
    let cli = Cli::that_answers(&json!({"status": "TIMED_OUT"}));
    let (success, said) =
        cli.run(&["force", "--environment", "prod", "--level", "3", "--reason", "drill", "--requested-by", "alice"]);
    assert!(!success, "{said}");
    assert!(
        said.contains("refused by bank-circuit-breaker-prod in us-east-1: TIMED_OUT: no cause was given"),
        "{said}"
    );
    assert!(!cli.asked().contains("start-execution"), "{}", cli.asked());
}

#[test]
fn every_answer_names_the_deployment_and_a_hold_that_is_over_is_not_shown_as_one() {
    let cli = Cli::that_answers(&nothing_to_do());
    let (success, said) = cli.run(&["look", "--stack-name", "bank-prod"]);
    assert!(success, "{said}");
    for line in [
        "deployment bank-prod in us-east-1",
        "after      level 2, epoch 4, version 9, hold ended at 2020-01-01T00:00:00.5Z by alice: drill",
        "rehearsal  nothing was changed",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    let force = ["force", "--environment", "prod", "--level", "2", "--reason", "x", "--requested-by", "alice"];
    let (success, said) = cli.run(&force);
    assert!(success, "{said}");
    assert_eq!(said, "Nothing to do for bank-circuit-breaker-prod in us-east-1: already at level 2.\n");
    let (success, said) = cli.run(&[&force[..], &["--json"]].concat());
    assert!(success, "{said}");
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&answer["deployment"], &answer["outcome"], &answer["dryRun"]),
        (&json!("bank-circuit-breaker-prod in us-east-1"), &json!("none"), &json!(true))
    );
}
