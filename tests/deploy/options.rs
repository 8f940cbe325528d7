//! Tests that invalid options are refused by name, before any call to AWS.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use local::folders;

/// An address at which no server answers: a command fails at its first call to AWS.
const NOWHERE: &str = "http://127.0.0.1:9";

struct Ended {
    code: i32,
    text: String,
}

fn ended(command: &mut Command) -> Ended {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_MAX_ATTEMPTS", "1");
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    Ended { code: status.code().unwrap(), text }
}

fn breaker(arguments: &[&str]) -> Ended {
    ended(Command::new(env!("CARGO_BIN_EXE_breaker")).args(arguments))
}

const USUAL: [&str; 6] = ["--environment", "dev", "--region", "us-east-1", "--endpoint-url", NOWHERE];

#[test]
fn an_invalid_option_is_refused_by_name() {
    for (command, arguments, code, expected) in [
        ("deploy", &["--only", "nothing"][..], 2, "[possible values: controller,"),
        ("deploy", &["--only", "controller", "--set", "deployment.log_level=debug"], 2, "'--only <FUNCTION>'"),
        ("deploy", &["--delete-data"], 2, "'--delete-data'"),
        ("deploy", &["--set", "deployment.log_levle=debug"], 1, "deployment.log_levle is no key"),
        ("deploy", &["--set", "deployment.log_level"], 2, "is not KEY=VALUE"),
        ("deploy", &["--architecture", "mips"], 1, "deployment.architecture is \"mips\""),
        ("deploy", &["--project-name", "Bank"], 1, "deployment.project is \"Bank\""),
        ("deploy", &["--bucket"], 2, "'--bucket <NAME>'"),
        ("deploy", &["--force"], 2, "'--force'"),
        ("deploy", &["--outputs", "/nowhere/outputs.json"], 2, "there is no such folder"),
        ("deploy", &["--artifacts", "/nowhere"], 1, "there is no folder /nowhere"),
        ("rollback", &["--only", "controller"], 2, "'--only'"),
        ("destroy", &["--artifacts", "here"], 2, "'--artifacts'"),
    ] {
        let said = breaker(&[&[command], &USUAL[..], arguments].concat());
        assert!(said.code == code && said.text.contains(expected), "{arguments:?} ({}): {}", said.code, said.text);
    }
    for command in ["deploy", "rollback", "destroy"] {
        let said = breaker(&[command, "--region", "us-east-1"]);
        assert!(said.code == 2 && said.text.contains("--environment"), "{}", said.text);
        let said = breaker(&[command, "--environment", "Far-Too-Long", "--region", "us-east-1"]);
        assert!(said.code == 2 && said.text.contains("at most 8 characters"), "{}", said.text);
        let said = breaker(&[command, "--help"]);
        assert!(said.code == 0 && said.text.contains("--yes"), "{}", said.text);
    }
    let said = breaker(&["rollback", "--environment", "dev"]);
    assert!(said.code == 2 && said.text.contains("no region is known"), "{}", said.text);
}

#[test]
fn a_mistake_in_the_file_stops_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.toml");
    let run = |more: &[&str]| {
        let usual = ["deploy", "--file", file.to_str().unwrap(), "--region", "us-east-1", "--endpoint-url", NOWHERE];
        breaker(&[&usual[..], more].concat())
    };
    let said = run(&[]);
    assert!(said.code == 2 && said.text.contains("test.toml cannot be read"), "{}", said.text);
    fs::write(&file, "[deployment]\nlog_levle = \"debug\"\n[api]\nburst = 0\n").unwrap();
    let said = run(&[]);
    assert!(said.text.contains("test.toml:2: deployment.log_levle is no key"), "{}", said.text);
    assert!(said.code == 1 && said.text.contains("test.toml:4: api.burst is 0"), "{}", said.text);
    fs::write(&file, "").unwrap();
    let said = run(&["--set", "api.burst=0"]);
    assert!(said.text.contains("--set: api.burst is 0: use a whole number from 1 to 5000"), "{}", said.text);
    // Without mistakes the command continues, and its first call to AWS fails.
    let said = run(&["--artifacts", hollow(folder.path()), "--json"]);
    assert!(said.code == 1 && said.text.contains("the identity of the credentials cannot be read"), "{}", said.text);
    assert!(said.text.contains("\"problem\""), "{}", said.text);
}

fn hollow(folder: &Path) -> &str {
    for function in stacks::FUNCTIONS {
        fs::create_dir(folder.join(function)).unwrap();
        fs::write(folder.join(function).join("bootstrap"), "#!/bin/sh\n").unwrap();
    }
    folder.to_str().unwrap()
}

#[test]
fn the_script_calls_the_command_with_the_same_options() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    fs::write(&cargo, "#!/bin/sh\nprintf '%s|' \"$@\"\n").unwrap();
    std::os::unix::fs::symlink("/bin/true", folder.path().join("true")).unwrap();
    let mut permissions = fs::metadata(&cargo).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&cargo, permissions).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let script = folders::project().join("infrastructure/deploy.sh");
    for (arguments, expected) in [
        (&["--environment", "dev", "--region", "us-east-1"][..], "deploy|--environment|dev|--region|us-east-1|"),
        (&["--environment", "dev", "--rollback", "--yes"], "rollback|--environment|dev|--yes|"),
        (&["--destroy", "--delete-data", "--environment", "dev"], "destroy|--delete-data|--environment|dev|"),
    ] {
        let said = ended(Command::new("bash").arg(&script).args(arguments).env("PATH", &path));
        assert!(said.code == 0 && said.text.ends_with(&format!("|--|{expected}")), "{}", said.text);
    }
    let lines = fs::read_to_string(script).unwrap().lines().count();
    assert!(lines <= 20, "{lines} lines");
}
