//! Tests the AWS CLI in a terminal with the line that `cargo run` prints: every request goes to the local AWS or is
//! refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::fs;
use std::process::Output;

use local::folders;
use local::python::Python;
use local::serve::export;
use tempfile::TempDir;
use tokio::process::Command;

/// Address of the local AWS. No server listens there, because requests are recorded instead of sent.
const ENDPOINT: &str = "http://127.0.0.1:9";
/// Script that Python runs before the CLI. It records the address of each request, and the proxy for it.
const TRAP: &str = r#"
import os
import botocore.httpsession

def send(session, request):
    with open(os.environ["RECORDED"], "a") as file:
        file.write(f"{request.url} {session._proxy_config.proxy_url_for(request.url)}\n")
    raise SystemExit(0)

botocore.httpsession.URLLib3Session.send = send
"#;
/// The definitions of the runbook's first block, with answers as from a real account.
const RUNBOOK: &str = r#"
P=bank-circuit-breaker E=dev id=1
M=arn:aws:states:us-east-1:123456789012:stateMachine:m STATE_MACHINE_ARN=$M
output() { echo "https://sqs.us-east-1.amazonaws.com/123456789012/$1"; }
set -- full-service 15
"#;

struct Terminal {
    folder: TempDir,
    python: Python,
}

impl Terminal {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sitecustomize.py"), TRAP).unwrap();
        fs::write(folder.path().join("query.txt"), "fields @message").unwrap();
        Self { folder, python: Python::with_cli().await.unwrap() }
    }

    fn printed(&self) -> String {
        export(ENDPOINT, &self.python.aws_folder())
    }

    /// Returns the part of the printed line that sets `PATH`.
    fn path(&self) -> String {
        format!("export PATH=\"{}:$PATH\"", self.python.aws_folder().display())
    }

    /// Runs a shell script with these variables. Returns its output and the recorded requests.
    async fn run(&self, variables: &[(&str, &str)], script: &str) -> (Output, String) {
        let recorded = self.folder.path().join("recorded");
        fs::write(&recorded, "").unwrap();
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") || name.to_string_lossy().to_lowercase().contains("proxy") {
                command.env_remove(name);
            }
        }
        command
            .args(["-c", script])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("PYTHONPATH", self.folder.path())
            .env("RECORDED", &recorded)
            .envs(variables.iter().copied());
        let output = command.output().await.unwrap();
        (output, fs::read_to_string(&recorded).unwrap())
    }

    /// Fails unless the script sends at least one request, and all of them to the local AWS without a proxy.
    async fn assert_local(&self, variables: &[(&str, &str)], script: &str) {
        let (output, recorded) = self.run(variables, script).await;
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!recorded.is_empty(), "{variables:?} {script} sent nothing: {complained}");
        for line in recorded.lines() {
            assert!(line.starts_with(&format!("{ENDPOINT}/")) && line.ends_with(" None"), "{script} called {line}");
        }
    }

    /// Fails if the script sends a request or succeeds.
    async fn assert_nothing(&self, variables: &[(&str, &str)], script: &str) {
        self.assert_refused(variables, script, "AWS_ENDPOINT_URL").await;
    }

    /// Runs a script that must send no request and fail with a message that contains `complaint`.
    async fn assert_refused(&self, variables: &[(&str, &str)], script: &str, complaint: &str) {
        let (output, recorded) = self.run(variables, script).await;
        assert_eq!(recorded, "", "{variables:?} {script}");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && complained.contains(complaint), "{variables:?}: {complained}");
    }
}

/// Returns the shell command at the beginning of `text`. It ends with its line, its inline code or its command
/// substitution, or before the separator of the next command.
fn first_command(text: &str) -> &str {
    let (mut single, mut double, mut depth, mut escaped) = (false, false, 0, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if !single => escaped = true,
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            _ if single => {}
            '(' if depth > 0 || text[..index].ends_with('$') => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' | '`' if !double => return &text[..index],
            '\n' | ';' | '|' if !double && depth == 0 => return &text[..index],
            _ => {}
        }
    }
    text
}

/// Returns every AWS CLI call with options in a page.
fn documented(page: &str) -> Vec<String> {
    let text = fs::read_to_string(folders::project().join(page)).unwrap();
    let calls = text.match_indices("aws ").filter(|(index, _)| {
        *index == 0 || text[..*index].ends_with(['\n', ' ', '(', '`', '=']) && !text[..*index].ends_with("an aws ")
    });
    let commands = calls.map(|(index, _)| first_command(&text[index..]));
    let calls_a_service = |command: &str| {
        let mut words = command.split_whitespace().skip(1);
        let lower =
            |word: &str| word.chars().all(|character| character.is_ascii_lowercase() || "-2".contains(character));
        words.next().is_some_and(|word| lower(word) && word != "configure") && words.next().is_some_and(lower)
    };
    commands.filter(|command| calls_a_service(command) && command.contains(" --")).map(str::to_owned).collect()
}

#[test]
fn a_command_ends_where_the_shell_ends_it() {
    for (text, command) in [
        ("aws a b --c d\nnext", "aws a b --c d"),
        ("aws a b \\\n  --c 'x; y'\n", "aws a b \\\n  --c 'x; y'"),
        ("aws a b --c \"$(aws e f --g)\" | sort", "aws a b --c \"$(aws e f --g)\""),
        ("aws e f --g text)\"\nnext", "aws e f --g text"),
        ("aws a b --c`, and more", "aws a b --c"),
        ("aws a b --c \"[?x=='1']\" # why\n", "aws a b --c \"[?x=='1']\" # why"),
    ] {
        assert_eq!(first_command(text).trim_end(), command);
    }
}

#[tokio::test]
async fn every_documented_command_reaches_the_local_aws() {
    let terminal = Terminal::open().await;
    for (page, least) in [
        ("infrastructure/docs/operations.md", 1),
        ("infrastructure/docs/deployment.md", 3),
        ("infrastructure/docs/runbook.md", 20),
    ] {
        let commands = documented(page);
        assert!(commands.len() >= least, "{page}: {commands:#?}");
        for command in commands {
            let script = format!("{}\n{RUNBOOK}\n{command}", terminal.printed());
            terminal.assert_local(&[], &script).await;
        }
    }
}

/// Calls that version 1 of the CLI sends to AWS if only `AWS_ENDPOINT_URL` is set, and one ordinary call.
const CALLS: [&str; 5] = [
    "aws sqs get-queue-url --queue-name q",
    "aws sqs receive-message --queue-url https://sqs.us-east-1.amazonaws.com/123456789012/q",
    "aws stepfunctions start-sync-execution --state-machine-arn arn:aws:states:us-east-1:123456789012:stateMachine:m",
    "aws sqs send-message --queue-url q --message-body https://example.com/message",
    "aws rds describe-db-instances",
];

#[tokio::test]
async fn user_settings_send_no_call_elsewhere() {
    let terminal = Terminal::open().await;
    let profile = terminal.folder.path().join("config");
    let settings = "[profile prod]\nendpoint_url = https://example.com\nignore_configured_endpoint_urls = true\n\
                    services = s\nuse_fips_endpoint = true\n[services s]\nsqs =\n  endpoint_url = https://example.com\n";
    fs::write(&profile, settings).unwrap();
    let profile = profile.display().to_string();
    for variables in [
        &[("AWS_ENDPOINT_URL_SQS", "https://example.com"), ("AWS_ENDPOINT_URL_SFN", "https://example.com")][..],
        &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
        &[("AWS_PROFILE", "prod"), ("AWS_CONFIG_FILE", &profile)],
        &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
        &[("HTTP_PROXY", "http://example.com:1"), ("ALL_PROXY", "http://example.com:1"), ("NO_PROXY", "example.org")],
        &[("http_proxy", "http://example.com:1"), ("https_proxy", "http://example.com:1")],
        &[("AWS_DISABLE_HOST_PREFIX_INJECTION", "false")],
    ] {
        for call in &CALLS[..4] {
            terminal.assert_local(variables, &format!("{}\n{call}", terminal.printed())).await;
        }
    }
}

#[tokio::test]
async fn a_part_of_the_printed_line_is_enough_or_nothing_is_sent() {
    let terminal = Terminal::open().await;
    let path = terminal.path();
    for call in CALLS {
        terminal.assert_local(&[("AWS_ENDPOINT_URL", ENDPOINT)], &format!("{path}\n{call}")).await;
        terminal.assert_local(&[], &format!("{path}\n{call} --endpoint-url {ENDPOINT}")).await;
        terminal.assert_nothing(&[], &format!("{path}\n{call}")).await;
    }
    for elsewhere in [
        "",
        "https://sqs.us-east-1.amazonaws.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1:9@example.com/",
        "http://[",
        "127.0.0.1:9",
    ] {
        terminal.assert_nothing(&[("AWS_ENDPOINT_URL", elsewhere)], &format!("{path}\n{}", CALLS[0])).await;
    }
    terminal
        .assert_nothing(
            &[("AWS_ENDPOINT_URL", ENDPOINT)],
            &format!("{path}\n{} --endpoint-url https://example.com", CALLS[0]),
        )
        .await;
}

#[tokio::test]
async fn an_abbreviated_option_sends_no_call_elsewhere() {
    let terminal = Terminal::open().await;
    let path = terminal.path();
    let elsewhere = "https://sqs.us-east-1.amazonaws.com";
    for call in &CALLS[..4] {
        for option in ["--endpoint-url", "--endpoint", "--end"] {
            for joint in [" ", "="] {
                let variables = [("AWS_ENDPOINT_URL", ENDPOINT)];
                terminal.assert_nothing(&variables, &format!("{path}\n{call} {option}{joint}{elsewhere}")).await;
                terminal.assert_local(&[], &format!("{path}\n{call} {option}{joint}{ENDPOINT}")).await;
            }
        }
    }
    // The value of an option must not be taken for a command, even if it is the name of one that needs no endpoint.
    let call = CALLS[0].replace("aws ", "aws --reg help ");
    terminal.assert_nothing(&[], &format!("{path}\n{call}")).await;
    terminal.assert_local(&[("AWS_ENDPOINT_URL", ENDPOINT)], &format!("{path}\n{call}")).await;
}

#[tokio::test]
async fn a_request_to_another_host_is_refused_on_every_route() {
    let terminal = Terminal::open().await;
    let role = "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = us-east-1\n";
    let base = "[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n";
    let aliases = terminal.folder.path().join(".aws/cli");
    fs::create_dir_all(&aliases).unwrap();
    fs::write(aliases.join("alias"), "[toplevel]\naway = sqs list-queues --endpoint-url https://example.com\n")
        .unwrap();
    fs::write(terminal.folder.path().join("config"), format!("[profile prod]\n{role}{base}")).unwrap();
    let configuration = terminal.folder.path().join("config").display().to_string();
    for script in ["aws configure list --profile prod", "aws configure list --prof=prod", "aws away"] {
        for variables in [
            &[("AWS_CONFIG_FILE", configuration.as_str()), ("AWS_ENDPOINT_URL", ENDPOINT)][..],
            &[("AWS_CONFIG_FILE", &configuration), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
        ] {
            let script = format!("{}\nunset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\n{script}", terminal.path());
            let (output, recorded) = terminal.run(variables, &script).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(recorded.lines().all(|line| line.starts_with(ENDPOINT)), "{script} called {recorded}: {said}");
        }
    }
    let variables = [("AWS_CONFIG_FILE", configuration.as_str())];
    let script = format!("{}\naws configure list --profile prod", terminal.path());
    terminal.assert_refused(&variables, &script, "does not call https://sts.").await;
}

#[tokio::test]
async fn the_printed_line_replaces_only_aws() {
    let terminal = Terminal::open().await;
    let folder = terminal.python.aws_folder();
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["aws"]);
    let others = "command -v python python3 pip pip3 activate";
    let (output, _) = terminal.run(&[], &format!("{others}\n{}\n{others}\ncommand -v aws", terminal.printed())).await;
    let found = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.pop().unwrap(), folder.join("aws").to_str().unwrap());
    let (before, after) = lines.split_at(lines.len() / 2);
    assert_eq!(before, after);
}
