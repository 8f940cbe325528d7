//! The threshold table, at each threshold and one below it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{
    Cause, Decision, FailureCount, Fall, Level, Outcome, Policy, PolicySettings, Prevented, PreventedMove,
    RecoveryCause, Streak, SystemState, TripCause, decide,
};
use common::{alarm, at, evidence, policy, schedule, state_at};
use jiff::SignedDuration;

/// An evaluation long after the transition, with everything settled.
fn evaluate(state: &SystemState, outcomes: &[(i64, u64, u64)]) -> Decision {
    decide(state, &policy(), &schedule(), &evidence(outcomes), at(200)).unwrap()
}

fn fall(count: FailureCount) -> Cause {
    Cause::Fall(Fall { trip: TripCause::FailureCount(count), relapse_cooldown_seconds: None })
}

fn moved(decision: &Decision) -> (u8, u8) {
    (decision.from().number(), decision.to().number())
}

#[test]
fn five_failures_at_level_1_lead_to_level_2_and_four_do_not() {
    let state = state_at(Level::Full);
    let tripped = evaluate(&state, &[(150, 10, 5)]);
    assert_eq!((tripped.outcome(), moved(&tripped)), (Outcome::Transition, (1, 2)));
    let count = FailureCount { level: Level::Full, errors: 5, carried: 0, window_seconds: Some(300), threshold: 5 };
    assert_eq!(tripped.cause(), fall(count));
    assert_eq!(moved(&evaluate(&state, &[(150, 10, 4)])), (1, 1));
}

#[test]
fn ten_failures_in_total_lead_from_level_2_to_3() {
    let state = SystemState { carried_failures: 5, ..state_at(Level::Degraded) };
    let tripped = evaluate(&state, &[(150, 10, 5)]);
    assert_eq!(moved(&tripped), (2, 3));
    let count =
        FailureCount { level: Level::Degraded, errors: 5, carried: 5, window_seconds: Some(300), threshold: 10 };
    assert_eq!(tripped.cause(), fall(count));
    assert_eq!(moved(&evaluate(&state, &[(150, 10, 4), (151, 0, 0)])), (2, 2));
}

#[test]
fn three_consecutive_successes_lead_from_level_3_to_2() {
    let state = state_at(Level::Maintenance);
    let recovered = evaluate(&state, &[(150, 0, 1), (151, 3, 0)]);
    assert_eq!(moved(&recovered), (3, 2));
    let streak = Streak { level: Level::Maintenance, successes: 3, threshold: 3, instead_of_probes: None };
    assert_eq!(recovered.cause(), Cause::Recovery(RecoveryCause::Streak(streak)));
    assert_eq!(moved(&evaluate(&state, &[(150, 0, 1), (151, 2, 0)])), (3, 3));
}

#[test]
fn five_consecutive_successes_lead_from_level_2_to_1() {
    let state = state_at(Level::Degraded);
    assert_eq!(moved(&evaluate(&state, &[(150, 5, 0)])), (2, 1));
    assert_eq!(moved(&evaluate(&state, &[(150, 4, 0)])), (2, 2));
}

#[test]
fn a_burst_at_level_1_is_carried_no_further_than_its_threshold() {
    let next = evaluate(&state_at(Level::Full), &[(150, 0, 500)]).into_next().unwrap();
    assert_eq!(next.carried_failures, 5);
    assert_eq!(next.evidence_since, at(200));
}

#[test]
fn carried_failures_lapse_one_window_after_the_fall() {
    let state = SystemState { carried_failures: 5, last_transition: at(0), ..state_at(Level::Degraded) };
    let errors = evidence(&[(290, 0, 5)]);
    let within = decide(&state, &policy(), &schedule(), &errors, at(299)).unwrap();
    assert_eq!(within.to(), Level::Maintenance);
    let after = decide(&state, &policy(), &schedule(), &errors, at(300)).unwrap();
    assert_eq!(after.to(), Level::Degraded);
}

#[test]
fn a_fall_wins_over_a_recovery_that_holds_as_well() {
    let state = SystemState { carried_failures: 5, ..state_at(Level::Degraded) };
    assert_eq!(moved(&evaluate(&state, &[(150, 0, 5), (151, 50, 0)])), (2, 3));
}

#[test]
fn a_failure_counts_until_it_is_as_old_as_the_window() {
    let state = SystemState { evidence_since: at(0), ..state_at(Level::Full) };
    let errors = evidence(&[(10, 0, 5)]);
    assert_eq!(decide(&state, &policy(), &schedule(), &errors, at(310)).unwrap().to(), Level::Degraded);
    assert_eq!(decide(&state, &policy(), &schedule(), &errors, at(311)).unwrap().to(), Level::Full);
}

#[test]
fn a_recovery_waits_for_the_cooldown_and_a_fall_does_not() {
    let state = SystemState { last_transition: at(171), ..state_at(Level::Degraded) };
    let waiting = evaluate(&state, &[(180, 5, 0)]);
    assert_eq!(waiting.to(), Level::Degraded);
    let Cause::Prevented(PreventedMove { prevented, to, .. }) = waiting.cause() else { panic!("{waiting:?}") };
    assert_eq!((prevented, to), (Prevented::Cooldown { seconds_left: 1 }, Level::Full));
    assert_eq!(waiting.prevented(), None, "a cooldown is not announced");
    let state = SystemState { last_transition: at(170), ..state };
    assert_eq!(evaluate(&state, &[(180, 5, 0)]).to(), Level::Full);
    let state = SystemState { last_transition: at(199), carried_failures: 5, ..state };
    assert_eq!(evaluate(&state, &[(199, 0, 5)]).to(), Level::Maintenance);
}

#[test]
fn an_alarm_is_a_hint_and_no_count() {
    let state = state_at(Level::Full);
    let decision = decide(&state, &policy(), &alarm(), &evidence(&[]), at(200)).unwrap();
    assert_eq!(decision.outcome(), Outcome::None);
}

#[test]
fn the_first_evaluation_records_the_state() {
    let state = SystemState::initial(&policy(), at(200));
    let decision = decide(&state, &policy(), &schedule(), &evidence(&[]), at(200)).unwrap();
    assert_eq!(decision.outcome(), Outcome::Record);
    assert_eq!(decision.into_next().unwrap().version, 1);
}

#[test]
fn only_changed_counts_are_recorded() {
    let state = state_at(Level::Full);
    let seen = evaluate(&state, &[(150, 0, 3)]);
    assert_eq!(seen.outcome(), Outcome::Record);
    let next = seen.into_next().unwrap();
    assert_eq!((next.failure_count, next.epoch, next.version), (3, state.epoch, state.version + 1));
    assert_eq!(evaluate(&next, &[(150, 0, 3)]).outcome(), Outcome::None);
}

#[test]
fn an_invalid_policy_is_refused_by_its_setting() {
    let good = PolicySettings::default();
    for (setting, settings) in [
        ("counts.level_1_failures", PolicySettings { level_1_failures: 0, ..good }),
        ("counts.level_2_failures", PolicySettings { level_2_failures: 0, ..good }),
        ("counts.level_2_failures", PolicySettings { level_2_failures: 5, ..good }),
        ("recovery.level_3_successes", PolicySettings { level_3_successes: 0, ..good }),
        ("recovery.level_2_successes", PolicySettings { level_2_successes: i64::MAX, ..good }),
        ("counts.window_seconds", PolicySettings { window_seconds: -1, ..good }),
        ("recovery.cooldown_seconds", PolicySettings { cooldown_seconds: 86_401, ..good }),
        ("recovery.longest_cooldown_seconds", PolicySettings { longest_cooldown_seconds: 29, ..good }),
        ("recovery.relapse_window_seconds", PolicySettings { relapse_window_seconds: -1, ..good }),
        ("recovery.calm_seconds", PolicySettings { calm_seconds: 86_401, ..good }),
        ("recovery.settle_seconds", PolicySettings { settle_seconds: i64::MIN, ..good }),
    ] {
        assert_eq!(Policy::new(settings).unwrap_err().setting, setting);
    }
    assert_eq!(Policy::new(good).unwrap().window(), Some(SignedDuration::from_secs(300)));
}
