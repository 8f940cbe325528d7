//! The plan of a request: which services are called, for how long, and which result is the answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::time::Duration;

use breaker::{
    Call, LONGEST_SERVICE_TIMEOUT_MS, Level, OutcomeCounts, PerLevel, Plan, Policy, PolicySettings, Preset, Purpose,
    RequestRules, Route, ServiceOutcome, Step,
};
use proptest::prelude::*;

const LEFT: Duration = Duration::from_millis(28_500);
const DIRECT: Route = Route { level: Level::Full, probe: false };
const PROBE: Route = Route { level: Level::Full, probe: true };

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn classic() -> RequestRules {
    RequestRules::new(&Policy::from(Preset::Classic), PerLevel::same(seconds(5)))
}

fn production() -> RequestRules {
    RequestRules::new(&Policy::from(Preset::Production), PerLevel::same(seconds(5)))
}

fn call(plan: &Plan<'_>, left: Duration) -> Call {
    match plan.next(left, || true) {
        Step::Call(call) => call,
        Step::Answer(purpose) => panic!("{purpose:?} answers"),
    }
}

/// Carries out a plan whose calls have these outcomes, each with an answer. Returns the calls and the answer.
fn carried_out(mut plan: Plan<'_>, outcomes: &[ServiceOutcome]) -> (Vec<(Level, Purpose)>, Purpose) {
    let mut calls = Vec::new();
    loop {
        match plan.next(LEFT, || true) {
            Step::Call(call) => {
                let outcome = *outcomes.get(calls.len()).unwrap();
                plan.ended(call.purpose, outcome, true);
                calls.push((call.level, call.purpose));
            }
            Step::Answer(purpose) => return (calls, purpose),
        }
    }
}

#[test]
fn a_request_that_succeeds_is_one_call() {
    for outcome in [ServiceOutcome::Success, ServiceOutcome::Neutral] {
        let rules = classic();
        let plan = Plan::new(&rules, Level::Full, DIRECT, true);
        assert_eq!(carried_out(plan, &[outcome]), (vec![(Level::Full, Purpose::Routed)], Purpose::Routed));
    }
}

#[test]
fn a_read_that_fails_is_answered_by_the_next_level() {
    use ServiceOutcome::{Failure, Neutral, Success, Unknown};
    let rules = classic();
    let both = vec![(Level::Full, Purpose::Routed), (Level::Degraded, Purpose::Fallback)];
    for (first, second, answer) in [
        (Failure, Success, Purpose::Fallback),
        (Unknown, Neutral, Purpose::Fallback),
        (Failure, Failure, Purpose::Routed),
        (Failure, Unknown, Purpose::Routed),
    ] {
        let plan = Plan::new(&rules, Level::Full, DIRECT, true);
        assert_eq!(carried_out(plan, &[first, second]), (both.clone(), answer));
    }
}

#[test]
fn a_write_and_level_3_have_no_fallback() {
    let rules = classic();
    let no_fallback = RequestRules { fallback: false, ..rules };
    let at_3 = Route { level: Level::Maintenance, probe: false };
    for plan in [
        Plan::new(&rules, Level::Full, DIRECT, false),
        Plan::new(&no_fallback, Level::Full, DIRECT, true),
        Plan::new(&rules, Level::Maintenance, at_3, true),
    ] {
        let (calls, answer) = carried_out(plan, &[ServiceOutcome::Failure]);
        assert_eq!((calls.len(), answer), (1, Purpose::Routed));
    }
}

#[test]
fn a_failed_probe_is_answered_by_the_current_level() {
    use ServiceOutcome::{Failure, Neutral, Success, Unknown};
    let rules = production();
    for (outcome, failed) in [(Failure, Some(Level::Full)), (Neutral, None), (Unknown, None)] {
        let mut plan = Plan::new(&rules, Level::Degraded, PROBE, true);
        assert_eq!((call(&plan, LEFT).level, call(&plan, LEFT).purpose), (Level::Full, Purpose::Probe));
        plan.ended(Purpose::Probe, outcome, true);
        let second = call(&plan, LEFT);
        assert_eq!((second.level, second.purpose, second.failed_before), (Level::Degraded, Purpose::Routed, failed));
    }
    let plan = Plan::new(&rules, Level::Degraded, PROBE, true);
    assert_eq!(carried_out(plan, &[Success]).1, Purpose::Probe);
}

#[test]
fn a_probe_that_is_not_allowed_is_not_sent() {
    let rules = production();
    let plan = Plan::new(&rules, Level::Degraded, PROBE, true);
    let Step::Call(first) = plan.next(LEFT, || false) else { panic!("no call") };
    assert_eq!((first.level, first.purpose), (Level::Degraded, Purpose::Routed));
}

/// A probe ends when it is slow, and is not sent if the current level would then lack time.
#[test]
fn a_probe_leaves_the_current_level_its_time() {
    let probe = |slow_call, timeouts, left| {
        let rules = RequestRules {
            slow_call,
            read_timeout: None,
            ..RequestRules::new(&Policy::from(Preset::Production), timeouts)
        };
        let first = call(&Plan::new(&rules, Level::Degraded, PROBE, true), left);
        (first.purpose == Purpose::Probe).then_some(first.time)
    };
    let [two, five, six] = [2, 5, 6].map(seconds);
    let timeouts = PerLevel { full: five, degraded: six, maintenance: five };
    assert_eq!((probe(Some(two), timeouts, seconds(8)), probe(Some(two), timeouts, seconds(7))), (Some(two), None));
    assert_eq!((probe(None, timeouts, seconds(11)), probe(None, timeouts, seconds(10))), (Some(five), None));
    assert_eq!(probe(Some(seconds(30)), timeouts, seconds(11)), Some(five));
    // With the maximum timeouts there is time for a probe too.
    let longest = Duration::from_millis(LONGEST_SERVICE_TIMEOUT_MS);
    assert_eq!(probe(None, PerLevel::same(longest), Duration::from_millis(28_200)), Some(longest));
}

#[test]
fn only_reads_have_the_budget_of_reads() {
    let rules = production();
    assert_eq!(rules.read_timeout, Some(seconds(2)));
    for (retryable, time) in [(true, seconds(2)), (false, seconds(5))] {
        let plan = Plan::new(&rules, Level::Full, DIRECT, retryable);
        assert_eq!(call(&plan, LEFT).time, time);
    }
    let short = RequestRules { service_timeouts: PerLevel::same(seconds(1)), ..rules };
    assert_eq!(call(&Plan::new(&short, Level::Full, DIRECT, true), LEFT).time, seconds(1));
    assert_eq!(call(&Plan::new(&classic(), Level::Full, DIRECT, true), LEFT).time, seconds(5));
}

#[test]
fn a_presets_read_timeout_is_longer_than_a_slow_call() {
    for preset in Preset::ALL.iter().copied() {
        let policy = Policy::new(PolicySettings::of(preset)).unwrap();
        let slow = policy.slow_call_rate_percent().and_then(|_| policy.slow_call());
        let cut_off = preset.read_timeout().zip(slow).is_some_and(|(read, slow)| slow.unsigned_abs() >= read);
        assert!(!cut_off, "{preset}");
    }
}

#[test]
fn the_longest_timeouts_leave_time_for_two_services() {
    let longest = Duration::from_millis(LONGEST_SERVICE_TIMEOUT_MS);
    let rules = RequestRules { service_timeouts: PerLevel::same(longest), ..classic() };
    let mut plan = Plan::new(&rules, Level::Full, DIRECT, true);
    let left = LEFT.saturating_sub(Duration::from_millis(300));
    assert_eq!(call(&plan, left).time, longest);
    plan.ended(Purpose::Routed, ServiceOutcome::Failure, false);
    assert_eq!(call(&plan, left.saturating_sub(longest)).time, longest);
}

#[test]
fn without_time_the_fallback_is_not_called() {
    let rules = classic();
    let mut plan = Plan::new(&rules, Level::Full, DIRECT, true);
    plan.ended(Purpose::Routed, ServiceOutcome::Failure, false);
    assert_eq!(plan.next(Duration::from_millis(49), || true), Step::Answer(Purpose::Routed));
}

#[test]
fn statuses_have_outcomes() {
    let rules = classic();
    for (status, declined, outcome) in [
        (200, false, ServiceOutcome::Success),
        (302, false, ServiceOutcome::Success),
        (404, false, ServiceOutcome::Neutral),
        (429, false, ServiceOutcome::Neutral),
        (500, true, ServiceOutcome::Failure),
        (503, false, ServiceOutcome::Failure),
        (503, true, ServiceOutcome::Success),
    ] {
        assert_eq!(rules.outcome_of(status, declined), outcome, "{status}");
    }
    let strict = RequestRules { too_many_requests_fail: true, ..rules };
    assert_eq!(strict.outcome_of(429, false), ServiceOutcome::Failure);
    assert_eq!(strict.outcome_of(428, false), ServiceOutcome::Neutral);
}

#[test]
fn outcomes_have_counts() {
    let rules = production();
    let counts = |purpose, outcome, taken| rules.counts_of(purpose, outcome, Duration::from_millis(taken));
    let none = OutcomeCounts::default();
    let well = Some(OutcomeCounts { successes: 1, ..none });
    assert_eq!(counts(Purpose::Routed, ServiceOutcome::Success, 1_499), well);
    let slow = Some(OutcomeCounts { successes: 1, slow_calls: 1, ..none });
    assert_eq!(counts(Purpose::Routed, ServiceOutcome::Success, 1_500), slow);
    let failed = Some(OutcomeCounts { errors: 1, slow_calls: 1, ..none });
    assert_eq!(counts(Purpose::Probe, ServiceOutcome::Failure, 1_500), failed);
    let refused = Some(OutcomeCounts { refused: 1, ..none });
    assert_eq!(counts(Purpose::Probe, ServiceOutcome::Neutral, 1_500), refused);
    assert_eq!(counts(Purpose::Routed, ServiceOutcome::Neutral, 1), Some(none));
    assert_eq!(counts(Purpose::Routed, ServiceOutcome::Unknown, 1), None);
}

proptest! {
    #[test]
    fn any_settings_leave_a_fallback_its_share_of_time(
        left_ms in 0_u64..29_000, full_ms in 100..=LONGEST_SERVICE_TIMEOUT_MS,
        degraded_ms in 100..=LONGEST_SERVICE_TIMEOUT_MS,
    ) {
        let left = Duration::from_millis(left_ms);
        let service_timeouts = PerLevel {
            full: Duration::from_millis(full_ms),
            degraded: Duration::from_millis(degraded_ms),
            maintenance: seconds(1),
        };
        let rules = RequestRules { service_timeouts, ..classic() };
        let mut plan = Plan::new(&rules, Level::Full, DIRECT, true);
        let first = call(&plan, left).time;
        plan.ended(Purpose::Routed, ServiceOutcome::Failure, false);
        if let Step::Call(second) = plan.next(left.saturating_sub(first), || true) {
            prop_assert!(first + second.time <= left);
            prop_assert!(second.time >= first.min(service_timeouts.degraded));
        }
    }
}
