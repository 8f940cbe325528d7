//! Tests that the chain survives if a Lambda of the control plane is killed in the middle of an execution.

use jiff::Timestamp;
use serde_json::json;

use crate::common::{System, eventually};
use crate::messages::the_alarms_own_is_not_lost;
use crate::proxy::{Calls, Fault, Injection, Proxy};
use crate::rig::alone;

fn function(system: &System, name: &str) -> String {
    let (project, environment) = system.deployment.name.rsplit_once('-').unwrap();
    format!("{project}-{name}-{environment}")
}

/// Sends failing traffic until an alarm goes off, whose execution meets `fault`. The fault ends when `until` returns.
/// Then checks that the level fell exactly once.
async fn falls_in_spite_of(system: &System, fault: Injection, until: impl AsyncFnOnce(&Injection)) {
    let before = system.epoch().await;
    let begun = Timestamp::now();
    system.fail_until_an_alarm().await;
    until(&fault).await;
    drop(fault);
    let record = system.transition(before + 1).await;
    assert_eq!((record.from.number(), record.to.number()), (1, 2));
    the_alarms_own_is_not_lost(system, "level-1-error-rate", begun).await;
    assert_eq!(system.epoch().await, before + 1);
    assert!(system.watch().state().await.unwrap().epoch == before + 1);
}

/// Waits until the alarm processor has returned a message to the queue.
async fn given_back(system: &System, before: f64) {
    eventually("a message that goes back to the queue", async || {
        (system.processor_sum("ProcessingErrors").await > before).then_some(())
    })
    .await;
}

async fn killed_until_the_message_is_given_back(system: &System, proxy: &Proxy, name: &str, calls: Calls) {
    let before = system.processor_sum("ProcessingErrors").await;
    let fault = proxy.inject(calls, Fault::KillBefore(function(system, name)), None);
    falls_in_spite_of(system, fault, async |fault| {
        // The first attempt and two retries.
        fault.hit(3).await;
        given_back(system, before).await;
    })
    .await;
}

#[test]
fn a_killed_evaluation_runs_when_the_message_returns() {
    alone(async |system, proxy| {
        let calls = Calls::to("monitoring", "GetMetricData");
        killed_until_the_message_is_given_back(system, proxy, "evaluate-thresholds", calls).await;
    });
}

#[test]
fn a_writer_killed_before_its_write_leaves_nothing() {
    alone(async |system, proxy| {
        killed_until_the_message_is_given_back(system, proxy, "write-state", writes()).await;
    });
}

#[test]
fn a_writer_that_is_killed_after_it_wrote_writes_once() {
    alone(async |system, proxy| {
        let fault = Fault::KillAfter(function(system, "write-state"));
        forced_in_spite_of(system, proxy.inject(writes(), fault, Some(1))).await;
    });
}

/// The retry of a write meets the record of its own first attempt.
#[test]
fn a_lost_reply_is_not_taken_for_a_conflict() {
    alone(async |system, proxy| {
        forced_in_spite_of(system, proxy.inject(writes(), Fault::LoseAnswer, Some(1))).await;
    });
}

/// Forces a level while `fault` prevents that the writer gets the reply to its write.
async fn forced_in_spite_of(system: &System, fault: Injection) {
    let before = system.epoch().await;
    let forced = system.force(3).await.unwrap();
    fault.hit(1).await;
    // Otherwise the command would be decided again, on a state that it changed already, and would not be announced.
    assert_eq!((&forced["outcome"], &forced["from"], &forced["to"]), (&json!("transition"), &json!(1), &json!(3)));
    assert_eq!(system.epoch().await, before + 1);
}

fn writes() -> Calls {
    Calls::to("dynamodb", "TransactWriteItems")
}

#[test]
fn a_transition_stands_though_its_metrics_are_never_emitted() {
    alone(async |system, proxy| {
        let calls = Calls::to("monitoring", "PutMetricData");
        let fault = proxy.inject(calls, Fault::KillBefore(function(system, "emit-metrics")), None);
        falls_in_spite_of(system, fault, async |fault| fault.hit(3).await).await;
    });
}

#[test]
fn an_alarm_returns_if_its_processor_dies_before_starting() {
    alone(async |system, proxy| {
        let calls = Calls::to("states", "StartSyncExecution");
        let fault = proxy.inject(calls, Fault::KillBefore(function(system, "alarm-processor")), Some(1));
        falls_in_spite_of(system, fault, async |fault| fault.hit(1).await).await;
    });
}

/// The processor dies after its execution, so the message returns and is evaluated twice.
#[test]
fn an_alarm_moves_the_level_once_if_its_processor_dies_late() {
    alone(async |system, proxy| {
        let calls = Calls::to("states", "StartSyncExecution");
        let fault = proxy.inject(calls, Fault::KillAfter(function(system, "alarm-processor")), Some(1));
        falls_in_spite_of(system, fault, async |fault| fault.hit(1).await).await;
    });
}
