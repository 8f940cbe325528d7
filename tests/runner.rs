//! Tests `cargo run` as a process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

use std::process::Stdio;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

/// Maximum time of the set-up on a busy machine.
const DEADLINE: Duration = Duration::from_mins(5);

/// Kills the local AWS that the runner with this process id started.
fn kill_server_of(runner: u32) {
    let mut system = System::new().unwrap();
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let mut servers = system.processes().values().filter(|process| {
        process.parent() == Some(Pid::from_u32(runner))
            && process.cmd().iter().any(|argument| argument.to_string_lossy().ends_with("launcher.py"))
    });
    assert!(servers.next().expect("a local AWS").kill());
}

type Output = Lines<BufReader<ChildStdout>>;

/// Waits for the line with the bank's address. Returns `None` if the program ends first.
async fn address(output: &mut Output) -> Option<String> {
    while let Some(line) = output.next_line().await.unwrap() {
        if let Some(address) = line.strip_prefix("The bank answers at ") {
            return Some(address.to_owned());
        }
    }
    None
}

/// Sends failing requests until the program prints a transition. Returns the line.
async fn falls(output: &mut Output, address: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let traffic = async {
        loop {
            let request = client.get(format!("{address}/account/1")).header("X-Simulate-Failure", "true");
            request.send().await.unwrap();
        }
    };
    let told = async {
        while let Some(line) = output.next_line().await.unwrap() {
            if line.contains(" level ") && line.contains(" -> ") {
                return line;
            }
        }
        String::new()
    };
    tokio::select! {
        line = told => line,
        () = traffic => unreachable!("the traffic never ends"),
    }
}

/// Runs `traffic` for a second without an address, so that it must find the bank of this folder. Half of the requests
/// fail at level 3 only.
async fn traffic_finds_the_bank() {
    let mut traffic = Command::new(env!("CARGO_BIN_EXE_breaker"));
    traffic.args(["traffic", "--rate", "5", "--seconds", "1", "--fail-level", "3=50%"]);
    let output = traffic.output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("5 requests in"), "{said}");
}

#[tokio::test]
async fn the_runner_ignores_proxies_and_explains_its_exit() {
    let mut runner = Command::new(env!("CARGO_BIN_EXE_breaker"))
        .args(["--port", "0"])
        .env(local::artifacts::STARTED_BY_TEST, "1")
        // No server listens at this address, so a request through the proxy would fail.
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("http_proxy", "http://127.0.0.1:9")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(runner.stdout.take().unwrap()).lines();
    let mut stderr = runner.stderr.take().unwrap();
    let address = tokio::time::timeout(DEADLINE, address(&mut output)).await.expect("a bank in time");
    if let Some(address) = &address {
        traffic_finds_the_bank().await;
        let told = tokio::time::timeout(DEADLINE, falls(&mut output, address)).await.expect("a transition in time");
        assert!(told.contains("level 1 -> 2"), "{told}");
        kill_server_of(runner.id().unwrap());
    }
    let ended = tokio::time::timeout(DEADLINE, runner.wait()).await.expect("an end").unwrap();
    let mut said = String::new();
    stderr.read_to_string(&mut said).await.unwrap();
    assert!(address.is_some(), "{said}");
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(!said.contains("WARN"), "{said}");
    let (_, tail) = said.split_once("its log ended with:\n").expect(&said);
    assert!(said.contains("error: the local AWS ended (signal: 9") && tail.lines().count() > 3, "{said}");
}
