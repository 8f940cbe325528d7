//! Tests a state item that is deleted, corrupt, or replaced by an old copy.

use breaker::{Cause, Level};
use serde_json::json;

use crate::common::{Executed, STATE, System, force_to, with};
use crate::rig::alone;

/// The remedy, as every cause of these failures names it.
const REMEDY: &str = "\"repair\": true";

fn refused(executed: Executed, problem: &str) {
    let (error, cause) = executed.unwrap_err();
    assert_eq!(error, "StateUnavailable", "{cause}");
    assert!(cause.contains(problem) && cause.contains(REMEDY), "{cause}");
}

/// Damages a state at level 2 by `damaged`. Checks that evaluations fail with `problem`, that requests are served, and
/// that one command repairs the state.
async fn is_repaired(system: &System, damaged: impl AsyncFnOnce(), problem: &str) {
    system.force(2).await.unwrap();
    system.routed(2, "table").await;
    let before = system.epoch().await;
    damaged().await;

    refused(system.evaluate().await, problem);
    refused(system.force(1).await, problem);
    refused(system.execute(&json!({"trigger": "release", "reason": "x", "requestedBy": "y"})).await, problem);
    // Level 2 is neither the level of a first start nor the fallback level.
    system.routed(2, "lastKnown").await;
    assert_eq!(system.succeed().await.level, "2");
    assert_eq!(system.epoch().await, before);

    let dry_run = with(force_to(1), json!({"repair": true, "dryRun": true}));
    assert_eq!(system.execute(&dry_run).await.unwrap()["outcome"], "transition");
    refused(system.evaluate().await, problem);

    let repaired = system.execute(&with(force_to(1), json!({"repair": true}))).await.unwrap();
    assert_eq!((&repaired["from"], &repaired["to"]), (&json!(2), &json!(1)));
    assert_eq!(repaired["newState"]["epoch"], before + 1);
    system.routed(1, "table").await;
    let record = system.history().await.pop().unwrap();
    assert_eq!(record.epoch, before + 1);
    let Some(Cause::Repair(repair)) = record.cause.as_ref().unwrap().known() else { panic!("{record:?}") };
    assert_eq!((repair.last_known, repair.level), (Level::Degraded, Level::Full));
    assert_eq!(repair.requested_by, "an operator");
    system.evaluate().await.unwrap();
}

#[test]
fn a_deleted_state_is_reported_and_one_command_repairs_it() {
    alone(async |system, _| {
        is_repaired(system, async || system.delete_state().await, "the state item is missing").await;
    });
}

#[test]
fn a_corrupt_state_is_never_routed_by_and_is_repaired() {
    alone(async |system, _| {
        is_repaired(system, async || system.corrupt_state().await, "currentLevel").await;
    });
}

#[test]
fn a_repair_detects_an_old_copy_of_the_same_epoch() {
    alone(async |system, _| {
        let old = system.item(STATE).await.unwrap();
        let before = system.epoch().await;
        // The old copy does not have this hold.
        system.execute(&with(force_to(1), json!({"holdMinutes": 30}))).await.unwrap();
        system.put_item(old).await;

        let repaired = system.execute(&with(force_to(1), json!({"repair": true, "holdMinutes": 30}))).await.unwrap();
        assert_eq!((&repaired["cause"]["kind"], &repaired["cause"]["level"]), (&json!("repair"), &json!(1)));
        assert_eq!(repaired["newState"]["epoch"], before + 1);
        assert_eq!(system.epoch().await, before + 1);
    });
}

/// The restored copy has an older version than the newest record.
#[test]
fn an_old_copy_of_the_state_is_detected_and_repaired() {
    alone(async |system, _| {
        let old = system.item(STATE).await.unwrap();
        system.force(2).await.unwrap();
        system.force(3).await.unwrap();
        let before = system.epoch().await;
        system.put_item(old).await;

        refused(system.force(2).await, "older than its history");
        assert_eq!(system.epoch().await, before, "nothing was written");

        let repaired = system.execute(&with(force_to(2), json!({"repair": true}))).await.unwrap();
        assert_eq!((&repaired["from"], &repaired["to"]), (&json!(3), &json!(2)));
        assert_eq!(repaired["newState"]["epoch"], before + 1);
        assert_eq!(system.epoch().await, before + 1);
        assert_eq!(system.force(1).await.unwrap()["newState"]["epoch"], before + 2);
    });
}
