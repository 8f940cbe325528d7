//! The back-off of recoveries.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{Cause, Level, Policy, PolicySettings, RecoveryBackoff, SystemState, decide};
use common::{at, bare_policy, evidence, force, policy, schedule, state_at};
use jiff::SignedDuration;

/// A policy without settling and window, so that only the cooldown delays a recovery.
fn plain() -> PolicySettings {
    PolicySettings { window_seconds: 0, settle_seconds: 0, ..PolicySettings::default() }
}

/// Falls to level 2 and recovers once for each gap, the time from a recovery to the next fall. Each recovery happens as
/// early as possible. Returns the waits.
fn waits(settings: PolicySettings, gaps: &[i64]) -> Vec<i64> {
    let policy = Policy::new(settings).unwrap();
    let mut now = 100_000;
    let mut state = SystemState { last_transition: at(0), evidence_since: at(0), ..state_at(Level::Full) };
    let mut waits = Vec::new();
    for gap in gaps {
        now += gap;
        let fallen = decide(&state, &policy, &schedule(), &evidence(&[(now, 0, 5)]), at(now)).unwrap();
        state = fallen.into_next().unwrap();
        let allowed = state.recovery_allowed_at(&policy, at(now)).unwrap();
        let wait = allowed.as_second() - at(now).as_second();
        let successes = evidence(&[(now + 1, 9, 0)]);
        let early = decide(&state, &policy, &schedule(), &successes, allowed - SignedDuration::from_millis(1)).unwrap();
        assert!(wait == 0 || early.to() == Level::Degraded, "it recovered before the cooldown was over");
        now += wait.max(2);
        let recovered = decide(&state, &policy, &schedule(), &successes, at(now)).unwrap();
        assert_eq!(recovered.to(), Level::Full, "{}", recovered.cause());
        state = recovered.into_next().unwrap();
        waits.push(wait);
    }
    waits
}

#[test]
fn a_fall_soon_after_a_recovery_doubles_the_cooldown() {
    assert_eq!(waits(plain(), &[0, 60, 60, 60, 60, 300, 60, 60]), [30, 60, 120, 240, 480, 600, 600, 600]);
}

#[test]
fn a_calm_period_resets_the_cooldown_to_its_base() {
    assert_eq!(waits(plain(), &[0, 60, 301, 1_799, 1_800, 10]), [30, 60, 60, 60, 30, 60]);
}

#[test]
fn zero_switches_each_part_off() {
    assert_eq!(waits(PolicySettings { cooldown_seconds: 0, ..plain() }, &[0, 9, 9]), [0, 0, 0]);
    assert_eq!(waits(PolicySettings { longest_cooldown_seconds: 0, ..plain() }, &[0, 9, 9]), [30, 30, 30]);
    assert_eq!(waits(PolicySettings { relapse_window_seconds: 0, ..plain() }, &[0, 9, 9]), [30, 30, 30]);
    assert_eq!(waits(PolicySettings { calm_seconds: 0, ..plain() }, &[0, 9, 301]), [30, 60, 30]);
}

#[test]
fn the_cause_of_a_relapse_has_the_wait() {
    let backoff = RecoveryBackoff { doublings: 1, recovered_at: Some(at(150)) };
    let state = SystemState { backoff, ..state_at(Level::Full) };
    let decision = decide(&state, &policy(), &schedule(), &evidence(&[(160, 0, 5)]), at(200)).unwrap();
    let Cause::Fall(fall) = decision.cause() else { panic!("{decision:?}") };
    assert_eq!(fall.relapse_cooldown_seconds, Some(120));
}

#[test]
fn falls_over_two_levels_are_one_relapse() {
    let backoff = RecoveryBackoff { doublings: 0, recovered_at: Some(at(150)) };
    let state = SystemState { backoff, ..state_at(Level::Full) };
    let first =
        decide(&state, &policy(), &schedule(), &evidence(&[(160, 0, 5)]), at(200)).unwrap().into_next().unwrap();
    let second =
        decide(&first, &policy(), &schedule(), &evidence(&[(201, 0, 5)]), at(202)).unwrap().into_next().unwrap();
    assert_eq!((second.current_level, second.backoff.doublings), (Level::Maintenance, 1));
}

#[test]
fn a_fall_is_never_delayed() {
    let backoff = RecoveryBackoff { doublings: 9, recovered_at: Some(at(199)) };
    let state = SystemState { backoff, last_transition: at(199), evidence_since: at(199), ..state_at(Level::Full) };
    let decision = decide(&state, &policy(), &schedule(), &evidence(&[(199, 0, 5)]), at(200)).unwrap();
    assert_eq!(decision.to(), Level::Degraded);
}

#[test]
fn an_operators_move_starts_from_the_base() {
    let backoff = RecoveryBackoff { doublings: 4, recovered_at: None };
    let state = SystemState { backoff, ..state_at(Level::Degraded) };
    let next = decide(&state, &policy(), &force(1, None), &evidence(&[]), at(200)).unwrap().into_next().unwrap();
    assert_eq!(next.backoff, RecoveryBackoff::default());
}

#[test]
fn a_recovery_waits_for_cooldown_and_hold() {
    let state = state_at(Level::Degraded);
    assert_eq!(state.recovery_allowed_at(&policy(), at(101)), Some(at(130)));
    assert_eq!(state.recovery_allowed_at(&bare_policy(), at(101)), Some(at(100)));
    let held = decide(&state, &policy(), &force(2, Some(1)), &evidence(&[]), at(110)).unwrap().into_next().unwrap();
    assert_eq!(held.recovery_allowed_at(&policy(), at(111)), Some(at(170)));
    assert_eq!(state_at(Level::Full).recovery_allowed_at(&policy(), at(101)), None);
}
