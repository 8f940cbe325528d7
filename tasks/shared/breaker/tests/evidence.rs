//! The boundaries of the evidence.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{EvidenceQuery, Level, Policy, PolicySettings, Range, SystemState};
use common::{at, bucket, evidence, policy, state_at};
use jiff::SignedDuration;

fn seconds(start: i64, end: i64) -> Range {
    Range { period_seconds: 1, start: at(start), end: at(end) }
}

#[test]
fn a_bucket_that_begins_before_the_evidence_does_is_dropped() {
    let half_past = at(100) + SignedDuration::from_millis(500);
    let state = SystemState { evidence_since: half_past, ..state_at(Level::Full) };
    let summary = evidence(&[(100, 0, 7), (101, 0, 1)]).summary(&state, &policy(), at(200));
    assert_eq!(summary.errors, 1);
    assert_eq!(EvidenceQuery::new(&state, &policy(), at(200)).ranges, [seconds(101, 201)]);
}

#[test]
fn a_bucket_that_begins_with_the_evidence_counts() {
    let summary = evidence(&[(100, 0, 7)]).summary(&state_at(Level::Full), &policy(), at(200));
    assert_eq!(summary.errors, 7);
}

#[test]
fn a_recovery_rests_on_settled_buckets_only() {
    let state = state_at(Level::Maintenance);
    let summary = |now| evidence(&[(150, 2, 0), (151, 1, 0)]).summary(&state, &policy(), at(now)).success_streak;
    assert_eq!(summary(160), 0, "the first bucket ends at 151");
    assert_eq!(summary(161), 2);
    assert_eq!(summary(162), 3);
}

#[test]
fn a_fall_counts_buckets_that_have_not_settled() {
    let summary = evidence(&[(200, 0, 5)]).summary(&state_at(Level::Full), &policy(), at(200));
    assert_eq!(summary.errors, 5);
}

#[test]
fn at_level_1_nothing_older_than_the_window_is_read() {
    let query = EvidenceQuery::new(&state_at(Level::Full), &policy(), at(1_000));
    assert_eq!(query.ranges, [seconds(700, 1_001)]);
}

#[test]
fn the_current_second_is_always_read() {
    let state = state_at(Level::Full);
    let now = at(200) + SignedDuration::from_millis(1);
    assert_eq!(EvidenceQuery::new(&state, &policy(), at(200)).ranges, [seconds(100, 201)]);
    assert_eq!(EvidenceQuery::new(&state, &policy(), now).ranges, [seconds(100, 201)]);
}

#[test]
fn older_evidence_is_read_by_the_minute_split_on_a_whole_one() {
    // The window, and how many minutes are read by the second: those of the window, at least 30 and at most 170.
    for (window_seconds, minutes) in [(300, 30), (1_860, 31), (86_400, 170), (0, 170)] {
        let policy = Policy::new(PolicySettings { window_seconds, ..PolicySettings::default() }).unwrap();
        let state = SystemState { evidence_since: at(30), ..state_at(Level::Degraded) };
        let now = at(4 * 3_600 + 17);
        let split = 4 * 3_600 - minutes * 60;
        assert_eq!(
            EvidenceQuery::new(&state, &policy, now).ranges,
            [Range { period_seconds: 60, start: at(60), end: at(split) }, seconds(split, 4 * 3_600 + 18)]
        );
        let younger = SystemState { evidence_since: at(split), ..state };
        assert_eq!(EvidenceQuery::new(&younger, &policy, now).ranges, [seconds(split, 4 * 3_600 + 18)]);
    }
}

#[test]
fn calls_in_the_rate_window_are_read_by_the_second() {
    let policy = Policy::new(PolicySettings { rate_window_seconds: 3_600, ..PolicySettings::production() }).unwrap();
    let state = SystemState { evidence_since: at(0), ..state_at(Level::Degraded) };
    let now = at(4 * 3_600);
    let ranges = EvidenceQuery::new(&state, &policy, now).ranges;
    assert_eq!(ranges[1].period_seconds, 1);
    assert!(ranges[1].start <= now - policy.rate_reach() && ranges[1].end > now);
}

#[test]
fn a_minute_of_successes_settles_when_the_minute_is_over() {
    let state = SystemState { evidence_since: at(0), ..state_at(Level::Maintenance) };
    let minute = breaker::Bucket { period_seconds: 60, ..bucket(60, 3, 0) };
    let streak = |now| breaker::Evidence::new(vec![minute]).summary(&state, &policy(), at(now)).success_streak;
    assert_eq!((streak(129), streak(130)), (0, 3));
}

#[test]
fn the_newest_bucket_contains_a_streak_in_any_order() {
    let state = SystemState { evidence_since: at(0), ..state_at(Level::Maintenance) };
    let streak = |outcomes: &[(i64, u64, u64)]| evidence(outcomes).summary(&state, &policy(), at(400)).success_streak;
    assert_eq!(streak(&[(10, 490, 10)]), 45);
    assert_eq!(streak(&[(10, 0, 1)]), 0);
    assert_eq!(streak(&[(10, 5, 1), (11, 2, 0), (15, 3, 0)]), 5);
    assert_eq!(streak(&[(10, 9, 0), (11, 1, 1)]), 1);
    assert_eq!(streak(&[]), 0);
}
