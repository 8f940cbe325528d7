//! The operators' script, as somebody types it at three in the morning.

use local::server::{REGION, isolate};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::common::{STATE, System};
use crate::proxy::{Calls, Fault, Proxy};
use crate::rig::alone;

/// The end of a command, and what it said.
struct Said {
    success: bool,
    text: String,
}

impl Said {
    fn done(self, expected: &[&str]) -> String {
        assert!(self.success, "{}", self.text);
        self.says(expected)
    }

    fn failed(self, expected: &[&str]) -> String {
        assert!(!self.success, "the script succeeded: {}", self.text);
        self.says(expected)
    }

    fn says(self, expected: &[&str]) -> String {
        for expected in expected {
            assert!(self.text.contains(expected), "{expected} is not in: {}", self.text);
        }
        self.text
    }
}

/// Types a command. What it asks of AWS goes through the proxy, under the runner's key.
async fn operate(system: &System, proxy: &Proxy, arguments: &[&str]) -> Said {
    let (project, environment) = system.deployment.name.rsplit_once('-').unwrap();
    let path = format!("{}:{}", system.stack.python().programs().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command
        .arg(local::folders::project().join("infrastructure/operate.sh"))
        .args(arguments)
        .args(["--environment", environment, "--project-name", project])
        .args(["--region", REGION, "--endpoint-url", &proxy.address])
        .env("PATH", path);
    isolate(&mut command);
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { success: output.status.success(), text: text(&output.stdout) + &text(&output.stderr) };
    println!("$ operate.sh {}\n{}", arguments.join(" "), said.text);
    said
}

/// Options of a force to `level`.
fn force<'a>(level: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["force", "--level", level, "--reason", "a drill", "--requested-by", "alice"], more].concat()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_operator_looks_rehearses_forces_holds_and_releases() {
    alone(async |system, proxy| {
        let deployment = format!("{} in {REGION}", system.deployment.name);
        let before = system.epoch().await;
        let named = format!("deployment {deployment}");
        let looked = operate(system, proxy, &["look"]).await.done(&[&named, "level 1 to level 1", "no hold"]);
        assert!(looked.contains("rehearsal  nothing was changed"), "{looked}");

        let rehearsed = operate(system, proxy, &force("3", &["--dry-run"])).await;
        rehearsed.done(&["decision   transition: level 1 to level 3", "rehearsal  nothing was changed"]);
        assert_eq!(system.epoch().await, before);

        let place = format!("{deployment}: level 3, epoch {}", before + 1);
        let forced = operate(system, proxy, &force("3", &["--hold-minutes", "30"])).await;
        let forced = forced.done(&["Done at ", "forced from level 1 to level 3 by alice: a drill", &place]);
        let name = forced.rsplit("command#").next().unwrap().trim().trim_end_matches('.').to_owned();
        let record = system.command(&name).await.unwrap();
        assert_eq!((record.epoch, record.to.number()), (before + 1, 3));
        operate(system, proxy, &["look"]).await.done(&["held until ", " by alice: a drill"]);

        let epoch = (before + 1).to_string();
        let nothing = format!("Nothing to do for {deployment}: no hold to end at level 3.");
        let release = ["release", "--reason", "the drill is over", "--requested-by", "bob", "--expected-epoch", &epoch];
        operate(system, proxy, &release).await.done(&["hold of level 3 ended by bob: the drill is over", &place]);
        operate(system, proxy, &release).await.done(&[&nothing]);

        let wrong = operate(system, proxy, &force("1", &["--expected-epoch", &before.to_string()])).await;
        wrong.failed(&["refused by", "InvalidRequest: `expectedEpoch`"]);
        assert_eq!(system.epoch().await, before + 1);

        let record = json_of(&operate(system, proxy, &force("2", &["--json"])).await.done(&[]));
        assert_eq!(record["deployment"], deployment.as_str());
        assert_eq!((&record["from"], &record["to"], &record["outcome"]), (&json!(3), &json!(2), &json!("transition")));
        assert_eq!(record["request"]["requestedBy"], "alice");
    });
}

#[test]
fn an_operator_repairs_a_lost_state() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        system.delete_state().await;
        let refused = operate(system, proxy, &force("2", &[])).await;
        refused.failed(&["StateUnavailable: the state item is gone", "\"repair\": true"]);
        let repaired = operate(system, proxy, &force("2", &["--repair"])).await;
        repaired.done(&["repaired at level 2 (last known level 1) by alice", &format!("epoch {}", before + 1)]);
    });
}

#[test]
fn an_operator_sees_that_a_hold_is_over_though_nobody_has_written_since() {
    alone(async |system, proxy| {
        operate(system, proxy, &force("1", &["--hold-minutes", "30"])).await.done(&["Done at "]);
        let mut item = system.item(STATE).await.unwrap();
        let hold = item.get_mut("hold").unwrap();
        let mut members = hold.as_m().unwrap().clone();
        let then = aws_sdk_dynamodb::types::AttributeValue::S("2026-01-01T00:00:00Z".to_owned());
        members.insert("expiresAt".to_owned(), then);
        *hold = aws_sdk_dynamodb::types::AttributeValue::M(members);
        system.put_item(item).await;
        operate(system, proxy, &["look"]).await.done(&["hold ended at 2026-01-01T00:00:00Z by alice"]);
    });
}

#[test]
fn a_command_whose_record_cannot_be_read_is_neither_called_done_nor_failed() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        let records = || Calls::to("dynamodb", "GetItem").saying("command#").of_runner();
        let refusal = proxy.inject(records(), Fault::Refuse, None);
        let said = operate(system, proxy, &force("2", &["--wait", "2"])).await;
        let said = said.failed(&["started as force-", "whether it was carried out is not known"]);
        assert!(!said.contains("Done"), "{said}");
        drop(refusal);
        assert_eq!(system.transition(before + 1).await.to.number(), 2, "it was carried out");

        // One refusal is waited out.
        let refusal = proxy.inject(records(), Fault::Refuse, Some(2));
        operate(system, proxy, &force("3", &[])).await.done(&["Done at ", "to level 3"]);
        drop(refusal);
    });
}

#[test]
fn a_command_that_somebody_else_was_faster_with_says_that_nothing_was_left_to_do() {
    alone(async |system, proxy| {
        overtaken(system, proxy, 3, &force("3", &["--wait", "3"]))
            .await
            .done(&["Nothing was left to do", "already at"]);
    });
}

#[test]
fn a_command_that_somebody_else_has_made_wrong_says_what_it_is_refused_for() {
    alone(async |system, proxy| {
        let epoch = system.epoch().await.to_string();
        let command = force("3", &["--wait", "3", "--expected-epoch", &epoch]);
        let said = overtaken(system, proxy, 2, &command).await;
        said.failed(&["no record of force-", "refused by", "InvalidRequest: `expectedEpoch`"]);
    });
}

/// Somebody forces `level` between the rehearsal of a command and its start.
async fn overtaken(system: &System, proxy: &Proxy, level: u8, command: &[&str]) -> Said {
    let before = system.epoch().await;
    let start = proxy.inject(Calls::to("states", "StartExecution").of_runner(), Fault::Hold, Some(1));
    let faster = async {
        start.hit(1).await;
        system.force(level).await.unwrap();
        drop(start);
    };
    let (said, ()) = tokio::join!(operate(system, proxy, command), faster);
    assert_eq!(system.epoch().await, before + 1, "carried out once, by the faster one");
    said
}

#[test]
fn a_command_whose_execution_fails_is_not_called_done_and_says_where_to_look() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        let writes = Calls::to("dynamodb", "TransactWriteItems").saying("a failing drill");
        let refusal = proxy.inject(writes, Fault::Refuse, None);
        let failing =
            ["force", "--level", "3", "--reason", "a failing drill", "--requested-by", "alice", "--wait", "3"];
        let said = operate(system, proxy, &failing).await;
        refusal.hit(1).await;
        said.failed(&["no record of force-", "failed or still waits", "/aws/vendedlogs/states/"]);
        assert_eq!(system.epoch().await, before);
    });
}
