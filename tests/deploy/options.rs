//! Options that make no sense are refused by name, before anything starts.

use std::process::{Command, Output};

use local::folders;

/// An address where nobody answers: whoever gets so far fails there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn script(path: &str, arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new("/bin/bash")
        .arg(folders::project().join("infrastructure/deploy.sh"))
        .args(arguments)
        .env("PATH", path)
        .output()
        .unwrap();
    (status.success(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn an_option_that_makes_no_sense_is_refused_by_name() {
    let path = std::env::var("PATH").unwrap();
    let usual = ["--environment", "dev", "--region", "us-east-1", "--endpoint-url", NOWHERE];
    for (arguments, expected) in [
        (&["--rollback", "--destroy"][..], "--rollback and --destroy exclude each other"),
        (&["--only", "nothing"], "there is no such function; there are controller"),
        (&["--only", "controller", "--rollback"], "--only and --rollback exclude each other"),
        (&["--only", "controller", "--parameter", "LogLevel=debug"], "--only changes code, no parameters"),
        (&["--rollback", "--parameter", "LogLevel=debug"], "leave --parameter out"),
        (&["--delete-data"], "--delete-data goes with --destroy"),
        (&["--parameter", "ReleaseId=1"], "--parameter ReleaseId: it follows"),
        (&["--parameter", "LogLevle=debug"], "--parameter LogLevle: the template has no such parameter"),
        (&["--parameter", "LogLevel"], "not of the form Key=Value"),
        (&["--architecture", "mips"], "--architecture \"mips\": use arm64 or x86_64"),
        (&["--project-name", "Bank"], "--project-name \"Bank\": use lower-case letters"),
        (&["--region", "mars"], "no region's name"),
        (&["--bucket"], "--bucket needs a value"),
        (&["--force"], "unknown option: --force"),
    ] {
        let (success, said) = script(&path, &[&usual[..], arguments].concat());
        assert!(!success && said.contains(expected), "{arguments:?}: {said}");
    }
    let (success, said) = script(&path, &["--region", "us-east-1"]);
    assert!(!success && said.contains("--environment is missing"), "{said}");
    let (success, said) = script(&path, &["--help"]);
    assert!(success && said.contains("--rollback"), "{said}");
}

#[test]
fn a_missing_tool_is_named_before_anything_starts() {
    let tools = tempfile::tempdir().unwrap();
    for tool in ["dirname", "sed", "grep"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        std::os::unix::fs::symlink(String::from_utf8(found.stdout).unwrap().trim(), tools.path().join(tool)).unwrap();
    }
    let usual = ["--environment", "dev", "--region", "us-east-1", "--endpoint-url", NOWHERE];
    let (success, said) = script(tools.path().to_str().unwrap(), &usual);
    assert!(!success && said.contains("the AWS CLI (aws) is missing"), "{said}");
    for (tool, next) in [("aws", "sha256sum"), ("sha256sum", "cargo is missing"), ("cargo", "python3 is missing")] {
        std::os::unix::fs::symlink("/bin/true", tools.path().join(tool)).unwrap();
        let (success, said) = script(tools.path().to_str().unwrap(), &usual);
        assert!(!success && said.contains(next), "{said}");
    }
}
