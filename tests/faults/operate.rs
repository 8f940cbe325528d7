//! Tests the operators' commands on the whole chain, as an operator types them.

use local::server::{REGION, isolate};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::common::{STATE, System, force_to, with};
use crate::proxy::{Calls, Fault, Proxy};
use crate::rig::alone;

/// The local AWS's account.
const ACCOUNT: &str = "000000000000";

/// The exit status and the output of a command.
struct Said {
    code: i32,
    text: String,
}

impl Said {
    fn done(self, expected: &[&str]) -> String {
        self.ended(0, expected)
    }

    fn failed(self, expected: &[&str]) -> String {
        self.ended(1, expected)
    }

    fn unknown(self, expected: &[&str]) -> String {
        self.ended(3, expected)
    }

    fn ended(self, code: i32, expected: &[&str]) -> String {
        assert_eq!(self.code, code, "{}", self.text);
        for expected in expected {
            assert!(self.text.contains(expected), "{expected} is not in: {}", self.text);
        }
        self.text
    }
}

/// Runs a command. Its calls to AWS go through the proxy, with the runner's access key.
async fn breaker(system: &System, proxy: &Proxy, arguments: &[&str]) -> Said {
    let (project, environment) = system.deployment.name.rsplit_once('-').unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_breaker"));
    isolate(&mut command);
    command.args(arguments).args(["--environment", environment, "--project-name", project]).args([
        "--region",
        REGION,
        "--endpoint-url",
        &proxy.address,
    ]);
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: output.status.code().unwrap(), text: text(&output.stdout) + &text(&output.stderr) };
    println!("$ breaker {}\n{}", arguments.join(" "), said.text);
    said
}

/// Returns the arguments of a force to `level`.
fn force<'a>(level: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["force", "--level", level, "--reason", "a drill", "--requested-by", "alice", "--yes"], more].concat()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_operator_looks_tries_forces_holds_and_releases() {
    alone(async |system, proxy| {
        let deployment = format!("{} in account {ACCOUNT}, region {REGION}", system.deployment.name);
        let before = system.epoch().await;
        let named = format!("deployment  {deployment}");
        let looked = breaker(system, proxy, &["look"]).await.done(&[&named, "level 1 to level 1"]);
        assert!(looked.contains("dry run     nothing was changed"), "{looked}");
        assert!(looked.ends_with("No hold: automation may lower the level at any time.\n"), "{looked}");

        let tried = breaker(system, proxy, &force("3", &["--dry-run"])).await;
        tried.done(&["decision    transition: level 1 to level 3", "dry run     nothing was changed"]);
        assert_eq!(system.epoch().await, before);

        let place = format!("{deployment}: level 3, epoch {}", before + 1);
        let forced = breaker(system, proxy, &force("3", &["--hold", "30m"])).await;
        let forced = forced.done(&["Done at ", "forced from level 1 to level 3 by alice: a drill", &place]);
        assert!(forced.lines().last().unwrap().starts_with("Held until "), "{forced}");
        let name = forced.split("command#").nth(1).unwrap().lines().next().unwrap().trim_end_matches('.').to_owned();
        let record = system.command(&name).await.unwrap();
        assert_eq!((record.epoch, record.to.number()), (before + 1, 3));
        breaker(system, proxy, &["look"]).await.done(&["held until ", " by alice: a drill", "Held until "]);

        let epoch = (before + 1).to_string();
        let nothing = format!("Nothing to do for {deployment}: no hold to end at level 3.");
        let release =
            ["release", "--reason", "the drill is over", "--requested-by", "bob", "--expected-epoch", &epoch, "--yes"];
        let released = breaker(system, proxy, &release).await;
        let released = released.done(&["hold of level 3 ended by bob: the drill is over", &place]);
        let mut last = released.lines().rev();
        assert!(last.next().unwrap().starts_with("No hold: automation may raise the level from "), "{released}");
        assert!(last.next().unwrap().starts_with("This ended the hold of level 3 by alice until "), "{released}");
        breaker(system, proxy, &release).await.done(&[&nothing]);

        let wrong = breaker(system, proxy, &force("1", &["--expected-epoch", &before.to_string()])).await;
        wrong.failed(&["Refused by", "InvalidRequest: `expectedEpoch`"]);
        assert_eq!(system.epoch().await, before + 1);

        let report = json_of(&breaker(system, proxy, &force("2", &["--json"])).await.done(&[]));
        let place = json!({"stack": system.deployment.name, "account": ACCOUNT, "region": REGION});
        assert_eq!((&report["deployment"], &report["result"]), (&place, &json!("done")));
        let record = &report["record"];
        assert_eq!((&record["from"], &record["to"], &record["outcome"]), (&json!(3), &json!(2), &json!("transition")));
        assert_eq!(record["request"]["requestedBy"], "alice");
    });
}

#[test]
fn a_hold_of_another_operator_ends_only_if_it_was_seen() {
    alone(async |system, proxy| {
        breaker(system, proxy, &force("3", &["--hold", "30m"])).await.done(&["Held until "]);
        let hold =
            system.execute(&json!({"trigger": "schedule", "dryRun": true})).await.unwrap()["oldState"]["hold"].take();
        let set_by = hold["execution"].as_str().unwrap();

        let bob = ["force", "--level", "2", "--reason", "urgent", "--requested-by", "bob"];
        let asked = breaker(system, proxy, &bob).await;
        asked.ended(
            2,
            &["This ends the hold of level 3 by alice until ", "(a drill).", "give --yes", "Nothing was changed."],
        );
        let blind = breaker(system, proxy, &[&bob[..], &["--yes", "--expected-hold", "none"]].concat()).await;
        blind.failed(&["InvalidRequest: `expectedHold` is \"none\", but another hold is in force: level 3", set_by]);
        let typed = with(force_to(2), json!({"expectedHold": "arn:another"}));
        let (error, cause) = system.execute(&typed).await.unwrap_err();
        assert!(error == "InvalidRequest" && cause.contains(set_by), "{cause}");
        assert_eq!(system.watch().state().await.unwrap().hold.unwrap().execution.as_deref(), Some(set_by));

        let seen = breaker(system, proxy, &[&bob[..], &["--yes", "--json"]].concat()).await;
        let record = json_of(&seen.done(&[]))["record"].take();
        assert_eq!((&record["endedHold"], &record["request"]["expectedHold"]), (&hold, &hold["execution"]));
        let newest = system.history().await.pop().unwrap();
        assert_eq!(json!(newest.ended_hold), hold);
    });
}

#[test]
fn a_hold_that_changes_after_the_question_refuses_the_command() {
    alone(async |system, proxy| {
        let start = proxy.inject(Calls::to("states", "StartExecution").of_runner(), Fault::Hold, Some(1));
        let meanwhile = async {
            start.hit(1).await;
            system.execute(&with(force_to(1), json!({"holdMinutes": 5}))).await.unwrap();
            drop(start);
        };
        let command = force("3", &["--wait", "3s"]);
        let (said, ()) = tokio::join!(breaker(system, proxy, &command), meanwhile);
        said.failed(&["by now it is refused: InvalidRequest: `expectedHold` is \"none\""]);
        assert_eq!(system.watch().state().await.unwrap().current_level.number(), 1);
    });
}

#[test]
fn the_status_and_the_history_show_what_operators_did() {
    alone(async |system, proxy| {
        breaker(system, proxy, &force("2", &["--hold", "30m"])).await.done(&[]);
        let release = ["release", "--reason", "over", "--requested-by", "bob", "--yes"];
        breaker(system, proxy, &release).await.done(&[]);
        let deployment = format!("{} in account {ACCOUNT}, region {REGION}", system.deployment.name);
        let status = breaker(system, proxy, &["status"]).await;
        let status = status.done(&[&deployment, "level       2 degraded", "falls by    0 of 10 failures", " of "]);
        assert!(status.contains("level 1 -> 2  forced from level 1 to level 2 by alice: a drill"), "{status}");
        let status = json_of(&breaker(system, proxy, &["status", "--json"]).await.done(&[]));
        assert_eq!((&status["state"]["currentLevel"], &status["problems"]), (&json!(2), &json!([])), "{status:#}");
        assert!(status["alarms"]["total"].as_u64().unwrap() > 20, "{status:#}");

        let history = breaker(system, proxy, &["history", "--count", "2"]).await;
        let history = history.done(&["hold of level 2 ended by bob: over", "This ended the hold of level 2 by alice"]);
        assert!(history.contains("level 1 -> 2  forced from level 1 to level 2 by alice: a drill"), "{history}");
        let verified = breaker(system, proxy, &["history", "--count", "1", "--verify", "--json"]).await;
        let entries = json_of(&verified.text)["entries"].take();
        assert_eq!(entries[0]["command"]["outcome"], "record");
    });
}

#[test]
fn a_missing_stack_is_named_with_the_existing_ones() {
    alone(async |system, proxy| {
        let said = breaker(system, proxy, &["look", "--stack-name", "no-such-stack"]).await;
        let missing = format!("no stack no-such-stack in account {ACCOUNT}, region {REGION}; there are: ");
        said.failed(&[&missing, &system.deployment.name]);
    });
}

#[test]
fn an_operator_repairs_a_missing_state() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        system.delete_state().await;
        let refused = breaker(system, proxy, &force("2", &[])).await;
        refused.failed(&["StateUnavailable: the state item is missing", "\"repair\": true"]);
        breaker(system, proxy, &["status"]).await.failed(&["force a level with --repair"]);
        let repaired = breaker(system, proxy, &force("2", &["--repair"])).await;
        repaired.done(&["repaired at level 2 (last known level 1) by alice", &format!("epoch {}", before + 1)]);
    });
}

#[test]
fn an_expired_hold_is_shown_as_ended_before_the_next_write() {
    alone(async |system, proxy| {
        breaker(system, proxy, &force("1", &["--hold", "30m"])).await.done(&["Done at "]);
        let mut item = system.item(STATE).await.unwrap();
        let hold = item.get_mut("hold").unwrap();
        let mut members = hold.as_m().unwrap().clone();
        let then = aws_sdk_dynamodb::types::AttributeValue::S("2026-01-01T00:00:00Z".to_owned());
        members.insert("expiresAt".to_owned(), then);
        *hold = aws_sdk_dynamodb::types::AttributeValue::M(members);
        system.put_item(item).await;
        breaker(system, proxy, &["look"]).await.done(&["hold ended at 2026-01-01T00:00:00Z by alice"]);
    });
}

#[test]
fn a_record_that_cannot_be_read_leaves_the_outcome_unknown() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        let records = || Calls::to("dynamodb", "GetItem").saying("command#").of_runner();
        let refusal = proxy.inject(records(), Fault::Refuse, None);
        let said = breaker(system, proxy, &force("2", &["--wait", "2s"])).await;
        let said = said.unknown(&["started as force-", "whether it was carried out is not known"]);
        assert!(!said.contains("Done"), "{said}");
        drop(refusal);
        assert_eq!(system.transition(before + 1).await.to.number(), 2, "it was carried out");

        // After two refusals the command still finds the record.
        let refusal = proxy.inject(records(), Fault::Refuse, Some(2));
        breaker(system, proxy, &force("3", &[])).await.done(&["Done at ", "to level 3"]);
        drop(refusal);
    });
}

/// Returns the state of the alarm that `check` sets.
async fn canary(system: &System) -> String {
    let cloudwatch = aws_sdk_cloudwatch::Client::new(system.stack.sdk());
    let named = cloudwatch.describe_alarms().alarm_names(system.deployment.output("CanaryAlarmName"));
    named.send().await.unwrap().metric_alarms()[0].state_value().unwrap().to_string()
}

#[test]
fn a_check_tries_the_chain_and_leaves_it_as_it_was() {
    alone(async |system, proxy| {
        let before = (system.epoch().await, canary(system).await);
        let report = json_of(&breaker(system, proxy, &["check", "--json"]).await.done(&[]));
        let found: Vec<(&str, &str)> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| (finding["check"].as_str().unwrap(), finding["verdict"].as_str().unwrap()))
            .collect();
        let expected = [
            ("request", "passed"),
            ("dryRun", "passed"),
            ("executionLog", "notTried"),
            ("alarmPath", "passed"),
            ("metricsDelay", "notTried"),
            ("evaluations", "passed"),
            ("writtenState", "passed"),
            ("alarmActions", "passed"),
            ("actionResults", "notTried"),
            // The tests deploy without an address.
            ("subscriptions", "warning"),
            ("services", "notTried"),
        ];
        assert_eq!(found, expected, "{report:#}");
        assert_eq!((system.epoch().await, canary(system).await), before);
    });
}

#[test]
fn a_check_fails_while_the_functions_cannot_read_the_table() {
    alone(async |system, proxy| {
        let before = canary(system).await;
        let down = proxy.inject(Calls::to("dynamodb", ""), Fault::Refuse, None);
        let said = breaker(system, proxy, &["check", "--wait", "1s"]).await;
        said.failed(&["dry run        failed: StateUnavailable", "alarm path     not tried: ", ", 1 failed, "]);
        drop(down);
        assert_eq!(canary(system).await, before, "the alarm is as it was");
    });
}

#[test]
fn a_command_that_another_operator_carried_out_has_nothing_left() {
    alone(async |system, proxy| {
        overtaken(system, proxy, 3, &force("3", &["--wait", "3s"]))
            .await
            .done(&["Nothing was left to do", "already at"]);
    });
}

#[test]
fn a_command_that_became_invalid_names_the_refusal() {
    alone(async |system, proxy| {
        let epoch = system.epoch().await.to_string();
        let command = force("3", &["--wait", "3s", "--expected-epoch", &epoch]);
        let said = overtaken(system, proxy, 2, &command).await;
        said.failed(&["no record of it came", "refused: InvalidRequest: `expectedEpoch`"]);
    });
}

/// Another operator forces `level` between the dry run of a command and its start.
async fn overtaken(system: &System, proxy: &Proxy, level: u8, command: &[&str]) -> Said {
    let before = system.epoch().await;
    let start = proxy.inject(Calls::to("states", "StartExecution").of_runner(), Fault::Hold, Some(1));
    let faster = async {
        start.hit(1).await;
        system.force(level).await.unwrap();
        drop(start);
    };
    let (said, ()) = tokio::join!(breaker(system, proxy, command), faster);
    assert_eq!(system.epoch().await, before + 1, "only the faster command was carried out");
    said
}

#[test]
fn a_command_whose_execution_fails_is_unknown_and_names_the_log() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        let writes = Calls::to("dynamodb", "TransactWriteItems").saying("a failing drill");
        let refusal = proxy.inject(writes, Fault::Refuse, None);
        let failing = [
            "force",
            "--level",
            "3",
            "--reason",
            "a failing drill",
            "--requested-by",
            "alice",
            "--wait",
            "3s",
            "--yes",
        ];
        let said = breaker(system, proxy, &failing).await;
        refusal.hit(1).await;
        said.unknown(&["started as force-", "failed or still waits", "/aws/vendedlogs/states/"]);
        assert_eq!(system.epoch().await, before);
    });
}
