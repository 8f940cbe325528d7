//! Runs the operators' commands as processes, as far as that needs no AWS: invalid arguments, and a deployment that
//! does not answer. The fault tests run the commands on a real chain; the crate `operate` tests their messages.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

use local::server::isolate;
use serde_json::Value;
use tokio::process::Command;

/// The exit status and output of a command.
#[derive(Debug)]
struct Ended {
    code: i32,
    output: String,
    errors: String,
}

/// Runs the command with an AWS endpoint at which no server listens.
async fn breaker(arguments: &[impl AsRef<OsStr>]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breaker"));
    isolate(&mut command);
    command.args(arguments).env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_MAX_ATTEMPTS", "1");
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ended { code: output.status.code().unwrap(), output: text(&output.stdout), errors: text(&output.stderr) }
}

const FORCE: [&str; 7] = ["force", "--environment", "prod", "--level", "3", "--reason", "drill"];

#[tokio::test]
async fn a_wrong_argument_is_refused_by_name() {
    for (more, expected) in [
        // The arguments that `--requested-by $WHO --dry-run` becomes if WHO is not set.
        (&["--requested-by", "--dry-run"][..], "a value is required for '--requested-by <NAME>'"),
        (&["--requested-by", "", "--dry-run"], "'--requested-by <NAME>'"),
        (&["--hold", "30"], "use a time with its unit, such as 30m, 2h or 1h30m"),
        (&["--hold", "73h"], "from 1m to 72h, because a hold always ends"),
        (&["--hold-minutes", "30"], "unexpected argument '--hold-minutes'"),
        (&["--expected-epoch", "-1"], "'-1'"),
        (&["--wait", "long"], "such as 60s or 2m"),
    ] {
        let ended = breaker(&[&FORCE[..], more].concat()).await;
        assert!(ended.code == 2 && ended.errors.contains(expected), "{more:?}: {ended:?}");
    }
    for (arguments, expected) in [
        (&["force", "--level", "3", "--reason", "drill"][..], "--environment <NAME>"),
        (&["look"], "--environment <NAME>"),
        (&["force", "--environment", "prod", "--reason", "drill"], "--level <LEVEL>"),
        (&["force", "--environment", "prod", "--level", "3"], "--reason <TEXT>"),
        (
            &["force", "--environment", "prod", "--level=two", "--reason", "x"],
            "use 1 (full), 2 (degraded) or 3 (mainten",
        ),
        (&["release", "--environment", "prod", "--level", "3", "--reason", "x"], "unexpected argument '--level'"),
        (&["status", "--environment", "prod", "--watch", "--open"], "cannot be used with"),
        (&["check"], "--environment <NAME>"),
        (&["check", "--environment", "prod", "--wait", "long"], "such as 60s or 2m"),
        (&["restart"], "unrecognized subcommand 'restart'"),
    ] {
        let ended = breaker(arguments).await;
        assert!(ended.code == 2 && ended.errors.contains(expected), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_reason_that_is_not_utf_8_is_refused() {
    let mut arguments: Vec<OsString> =
        ["force", "--environment", "prod", "--level=2", "--reason"].map(Into::into).into();
    arguments.push(OsString::from_vec(vec![b'z', b'u', b'r', 0xfc, b'c', b'k']));
    let ended = breaker(&arguments).await;
    assert!(ended.code == 2 && ended.errors.contains("'--reason <TEXT>': it is not UTF-8"), "{ended:?}");
}

#[tokio::test]
async fn an_aws_that_does_not_answer_is_named() {
    let look = ["look", "--environment", "prod"];
    let ended = breaker(&look).await;
    let expected = "error: the stack bank-circuit-breaker-prod cannot be read in us-east-1";
    assert!(ended.code == 1 && ended.errors.starts_with(expected), "{ended:?}");
    assert!(ended.output.is_empty());
    let ended = breaker(&[&look[..], &["--json"]].concat()).await;
    let problem: Value = serde_json::from_str(&ended.output).unwrap();
    assert!(ended.code == 1 && problem["problem"].as_str().unwrap().starts_with("the stack"), "{ended:?}");
}

#[tokio::test]
async fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = breaker(&["completions", shell]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        for word in ["force", "expected-hold", "history"] {
            assert!(ended.output.contains(word), "{shell}: {word}");
        }
    }
}
