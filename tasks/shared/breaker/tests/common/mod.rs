//! Helpers of the tests of the rules.
#![allow(dead_code, reason = "each test file uses a part of it")]

use breaker::{
    AlarmHint, AlarmRequest, Bucket, Evidence, ForceRequest, Level, Policy, PolicySettings, ReleaseRequest,
    ScheduleRequest, SystemState, TransitionRequest,
};
use jiff::Timestamp;

/// Returns 2027-01-15T08:00:00Z plus this many seconds.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The preset `classic`, the default.
pub fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

/// The preset `classic` without window, settling time and cooldown.
pub fn bare_policy() -> Policy {
    Policy::new(PolicySettings {
        window_seconds: 0,
        cooldown_seconds: 0,
        settle_seconds: 0,
        ..PolicySettings::default()
    })
    .unwrap()
}

/// A state at `level` since second 100, written seven times.
pub fn state_at(level: Level) -> SystemState {
    SystemState {
        current_level: level,
        version: 7,
        epoch: 3,
        last_transition: at(100),
        evidence_since: at(100),
        ..SystemState::initial(&policy(), at(0))
    }
}

/// One-second buckets of (second, successes, errors).
pub fn evidence(outcomes: &[(i64, u64, u64)]) -> Evidence {
    Evidence::new(outcomes.iter().map(|(second, successes, errors)| bucket(*second, *successes, *errors)).collect())
}

/// A one-second bucket.
pub fn bucket(second: i64, successes: u64, errors: u64) -> Bucket {
    Bucket { successes, errors, ..Bucket::empty(at(second), 1) }
}

/// Returns the schedule's evaluation.
pub fn schedule() -> TransitionRequest {
    TransitionRequest::Schedule(ScheduleRequest::default())
}

/// Returns the evaluation that an alarm asks for.
pub fn alarm() -> TransitionRequest {
    let alarm = AlarmHint::new("level-1-error-rate".to_owned(), None, None).unwrap();
    TransitionRequest::Alarm(AlarmRequest { alarm, dry_run: false })
}

/// Returns an operator's force.
pub fn force(level: u8, hold_minutes: Option<u32>) -> TransitionRequest {
    TransitionRequest::Force(force_request(level, hold_minutes))
}

/// Returns the fields of an operator's force.
pub fn force_request(level: u8, hold_minutes: Option<u32>) -> ForceRequest {
    ForceRequest {
        target_level: Level::try_from(level).unwrap(),
        reason: "back end is repaired".to_owned(),
        requested_by: "alice".to_owned(),
        hold_minutes,
        expected_epoch: None,
        expected_hold: None,
        repair: false,
        dry_run: false,
    }
}

/// Returns an operator's release.
pub fn release() -> TransitionRequest {
    TransitionRequest::Release(ReleaseRequest {
        reason: "watched it for a while".to_owned(),
        requested_by: "bob".to_owned(),
        expected_epoch: None,
        expected_hold: None,
        dry_run: false,
    })
}
