//! When a fall rule is half fulfilled, and which executions evaluate again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{
    AlarmHint, AlarmRequest, Bucket, Evidence, FallRule, Hold, Level, Mode, Outcome, Policy, PolicySettings, Ramp,
    RecoveryBackoff, SECONDS_OF_LOOKS, ScheduleRequest, SystemState, TransitionRequest, TripWhen, decide,
    half_fulfilled, looks_again,
};
use common::{alarm, at, bucket, evidence, force, policy, release, schedule, state_at};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

/// Second of an evaluation long after the transition.
const NOW: i64 = 200;

fn production(change: impl Fn(&mut PolicySettings)) -> Policy {
    let mut settings = PolicySettings::production();
    change(&mut settings);
    Policy::new(settings).unwrap()
}

fn count_and_rate() -> Policy {
    let settings = PolicySettings {
        trip_when: TripWhen::CountAndRate,
        failure_rate_percent: 20,
        minimum_calls: 20,
        ..PolicySettings::classic()
    };
    Policy::new(settings).unwrap()
}

fn half_of(state: &SystemState, policy: &Policy, evidence: &Evidence) -> Option<FallRule> {
    half_fulfilled(state, policy, &evidence.summary(state, policy, at(NOW)), at(NOW))
}

fn half(level: Level, policy: &Policy, outcomes: &[(i64, u64, u64)]) -> Option<FallRule> {
    half_of(&state_at(level), policy, &evidence(outcomes))
}

#[test]
fn a_count_is_half_fulfilled_from_half_of_its_threshold_on() {
    assert_eq!(half(Level::Full, &policy(), &[(190, 10, 2)]), None);
    assert_eq!(half(Level::Full, &policy(), &[(190, 10, 3)]), Some(FallRule::FailureCount));
    assert_eq!(half(Level::Degraded, &policy(), &[(190, 10, 4)]), None);
    assert_eq!(half(Level::Degraded, &policy(), &[(190, 10, 5)]), Some(FallRule::FailureCount));
}

#[test]
fn carried_failures_alone_fulfil_no_half() {
    let fallen = SystemState { carried_failures: 5, ..state_at(Level::Degraded) };
    assert_eq!(half_of(&fallen, &policy(), &evidence(&[(190, 10, 0)])), None);
    assert_eq!(half_of(&fallen, &policy(), &evidence(&[(190, 10, 1)])), Some(FallRule::FailureCount));
}

#[test]
fn a_rate_is_half_fulfilled_by_half_of_its_calls_and_limit() {
    let policy = production(|_| ());
    assert_eq!(half(Level::Full, &policy, &[(190, 10, 2)]), None, "12 of 25 calls");
    assert_eq!(half(Level::Full, &policy, &[(190, 11, 2)]), Some(FallRule::FailureRate));
    assert_eq!(half(Level::Full, &policy, &[(190, 96, 4)]), None, "4 % of a limit of 10 %");
    assert_eq!(half(Level::Full, &policy, &[(190, 95, 5)]), Some(FallRule::FailureRate));
}

#[test]
fn a_ramp_has_its_own_minimum_of_calls() {
    let policy = production(|settings| settings.ramp_minimum_calls = 10);
    let ramp = Ramp { from: at(180), until: at(240), first_percent: 10 };
    let ramping = SystemState { ramp: Some(ramp), ..state_at(Level::Full) };
    let seen = evidence(&[(190, 3, 2)]);
    assert_eq!(half_of(&ramping, &policy, &seen), Some(FallRule::FailureRate));
    assert_eq!(half_of(&state_at(Level::Full), &policy, &seen), None);
}

#[test]
fn consecutive_failures_are_half_fulfilled_by_half_of_them() {
    let policy = production(|_| ());
    assert_eq!(half(Level::Full, &policy, &[(188, 1, 0), (190, 0, 4)]), None);
    assert_eq!(half(Level::Full, &policy, &[(188, 1, 0), (190, 0, 5)]), Some(FallRule::ConsecutiveFailures));
    assert_eq!(half(Level::Full, &policy, &[(190, 0, 5), (191, 1, 0)]), None, "a success ends them");
}

#[test]
fn slow_calls_are_half_fulfilled_as_a_rate_is() {
    let policy = production(|_| ());
    let slow = |successes, slow_calls| {
        let seen = Evidence::new(vec![Bucket { slow_calls, ..bucket(190, successes, 0) }]);
        half_of(&state_at(Level::Full), &policy, &seen)
    };
    assert_eq!((slow(12, 12), slow(13, 3), slow(13, 4)), (None, None, Some(FallRule::SlowCalls)));
}

#[test]
fn count_and_rate_are_half_fulfilled_only_together() {
    let policy = count_and_rate();
    assert_eq!(half(Level::Full, &policy, &[(190, 28, 2)]), None, "neither");
    assert_eq!(half(Level::Full, &policy, &[(190, 28, 3)]), None, "the count alone");
    assert_eq!(half(Level::Full, &policy, &[(190, 8, 2)]), None, "the rate alone");
    assert_eq!(half(Level::Full, &policy, &[(190, 27, 3)]), Some(FallRule::CountAndRate));
    let ramp = Ramp { from: at(180), until: at(240), first_percent: 10 };
    let ramping = SystemState { ramp: Some(ramp), ..state_at(Level::Full) };
    assert_eq!(half_of(&ramping, &policy, &evidence(&[(190, 8, 2)])), Some(FallRule::FailureRate));
}

/// Returns the outcome of an evaluation, and whether the execution of `request` evaluates again.
fn again(request: &TransitionRequest, state: &SystemState, policy: &Policy, seen: &Evidence) -> (Outcome, bool) {
    again_at(request, state, policy, seen, at(NOW))
}

fn again_at(
    request: &TransitionRequest,
    state: &SystemState,
    policy: &Policy,
    seen: &Evidence,
    now: Timestamp,
) -> (Outcome, bool) {
    let decision = decide(state, policy, request, seen, now).unwrap();
    let after = decision.next().unwrap_or(state);
    (decision.outcome(), looks_again(request, &decision, after, policy, now))
}

#[test]
fn only_an_alarms_execution_evaluates_again_at_half() {
    let half = evidence(&[(190, 10, 3)]);
    let state = SystemState { failure_count: 3, success_count: 0, ..state_at(Level::Full) };
    let again = |request: &TransitionRequest, seen: &Evidence| again(request, &state, &policy(), seen);
    assert_eq!(again(&alarm(), &half), (Outcome::None, true));
    assert_eq!(again(&alarm(), &evidence(&[(190, 10, 2)])), (Outcome::Record, false), "less than half");
    assert_eq!(again(&schedule(), &half), (Outcome::None, false));
    let full_schedule = TransitionRequest::Schedule(ScheduleRequest { looks: Some(4), dry_run: false });
    assert!(!again(&full_schedule, &half).1);
    assert!(!again(&force(1, None), &half).1 && !again(&release(), &half).1);
    let TransitionRequest::Alarm(request) = alarm() else { panic!("no alarm") };
    let dry_run = TransitionRequest::Alarm(AlarmRequest { dry_run: true, ..request });
    assert!(!again(&dry_run, &half).1);
}

#[test]
fn a_fall_to_level_2_is_watched_for_a_minute() {
    let (outcome, looks) = again(&alarm(), &state_at(Level::Full), &policy(), &evidence(&[(190, 0, 5)]));
    assert_eq!((outcome, looks), (Outcome::Transition, true));
    let fallen = state_at(Level::Degraded);
    let after = |seconds| again_at(&alarm(), &fallen, &policy(), &Evidence::default(), at(100 + seconds)).1;
    assert!(after(1) && after(i64::from(SECONDS_OF_LOOKS) - 1) && !after(SECONDS_OF_LOOKS.into()));
    let recovered = SystemState { backoff: RecoveryBackoff::default().after_recovery(at(100)), ..fallen };
    assert!(!again_at(&alarm(), &recovered, &policy(), &Evidence::default(), at(110)).1, "it came from level 3");
    let fallen = SystemState { carried_failures: 5, ..state_at(Level::Degraded) };
    let (outcome, looks) = again(&alarm(), &fallen, &policy(), &evidence(&[(190, 0, 5)]));
    assert_eq!((outcome, looks), (Outcome::Transition, false), "no level is worse than 3");
}

#[test]
fn a_level_that_cannot_fall_is_not_watched() {
    let hold = Hold {
        level: Level::Full,
        reason: "a drill".to_owned(),
        requested_by: "alice".to_owned(),
        expires_at: at(1_000),
        execution: None,
    };
    let pinned = SystemState { hold: Some(hold), ..state_at(Level::Full) };
    assert!(!again(&alarm(), &pinned, &policy(), &evidence(&[(190, 0, 3)])).1);
    let observing = Policy::new(PolicySettings { mode: Mode::ObserveOnly, ..PolicySettings::classic() }).unwrap();
    let observed = |failures| again(&alarm(), &state_at(Level::Full), &observing, &evidence(&[(190, 0, failures)])).1;
    assert!(observed(3) && !observed(5), "a prevented fall is reported at once, and once");
}

#[test]
fn an_alarm_that_waited_in_the_queue_is_evaluated_once() {
    let changed = |seconds_ago: i64| {
        let alarm = AlarmHint::new("an alarm".to_owned(), None, Some(at(NOW - seconds_ago))).unwrap();
        let request = TransitionRequest::Alarm(AlarmRequest { alarm, dry_run: false });
        again(&request, &state_at(Level::Full), &policy(), &evidence(&[(190, 0, 3)])).1
    };
    assert!(changed(-1) && changed(59) && !changed(60) && !changed(86_400));
}

#[test]
fn the_last_evaluation_begins_within_the_time_of_the_looks() {
    let requests = [
        alarm(),
        schedule(),
        TransitionRequest::Schedule(ScheduleRequest { looks: Some(4), dry_run: false }),
        force(1, None),
    ];
    assert_eq!(requests.each_ref().map(TransitionRequest::looks), [12, 1, 4, 1]);
    for request in requests {
        assert!(u32::from(request.looks() - 1) * request.seconds_between_looks() < SECONDS_OF_LOOKS);
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let some = prop::sample::select(vec![policy(), production(|_| ()), count_and_rate()]);
    let others = (1_i64..20, 1_i64..20, 1_i64..60, 1_i64..=100, 0_i64..10, any::<bool>()).prop_map(
        |(level_1_failures, more, minimum_calls, failure_rate_percent, consecutive_failures, together)| {
            let trip_when = if together { TripWhen::CountAndRate } else { TripWhen::Any };
            let level_2_failures = level_1_failures + more;
            production(|settings| {
                *settings = PolicySettings {
                    level_1_failures,
                    level_2_failures,
                    minimum_calls,
                    failure_rate_percent,
                    consecutive_failures,
                    trip_when,
                    ..*settings
                };
            })
        },
    );
    prop_oneof![some, others]
}

/// States that the policy's evaluations can write: only level 2 has carried failures, at most level 1's threshold.
fn any_state() -> impl Strategy<Value = (SystemState, Policy)> {
    (prop::sample::select(&Level::ALL[..]), any_policy(), any::<bool>(), 0_u32..20).prop_map(
        |(level, policy, ramping, carried)| {
            let most = if level == Level::Degraded { policy.level_1_failures() } else { 0 };
            let ramp = Ramp { from: at(180), until: at(240), first_percent: 10 };
            let ramp = Some(ramp).filter(|_| ramping && level != Level::Maintenance);
            let carried_failures = carried.min(most).into();
            (SystemState { carried_failures, ramp, ..state_at(level) }, policy)
        },
    )
}

fn any_buckets() -> impl Strategy<Value = Vec<Bucket>> {
    let bucket = (100_i64..NOW, 0_u64..40, 0_u64..12, 0_u64..40).prop_map(|(second, successes, errors, slow)| Bucket {
        slow_calls: slow.min(successes + errors),
        ..bucket(second, successes, errors)
    });
    vec(bucket, 0..8)
}

proptest! {
    #[test]
    fn a_fulfilled_rule_is_half_fulfilled((state, policy) in any_state(), buckets in any_buckets()) {
        let seen = Evidence::new(buckets);
        let decision = decide(&state, &policy, &alarm(), &seen, at(NOW)).unwrap();
        prop_assert!(decision.to() <= decision.from() || half_of(&state, &policy, &seen).is_some());
    }

    #[test]
    fn more_failures_leave_a_rule_half_fulfilled(
        (state, policy) in any_state(), buckets in any_buckets(), second in 190_i64..NOW, failures in 1_u64..20,
    ) {
        let before = half_of(&state, &policy, &Evidence::new(buckets.clone()));
        // The failures are slow, because a quick failure lowers the rate of slow calls.
        let more = Bucket { slow_calls: failures, ..bucket(second, 0, failures) };
        let after = half_of(&state, &policy, &Evidence::new([buckets, vec![more]].concat()));
        prop_assert!(before.is_none() || after.is_some(), "{before:?}");
    }

    #[test]
    fn nothing_is_half_fulfilled_without_a_failure(
        (state, policy) in any_state(), buckets in any_buckets(),
    ) {
        let calm = buckets.into_iter().map(|bucket| Bucket { errors: 0, slow_calls: 0, ..bucket }).collect();
        prop_assert_eq!(half_of(&state, &policy, &Evidence::new(calm)), None);
    }

    #[test]
    fn at_level_3_nothing_is_half_fulfilled((state, policy) in any_state(), buckets in any_buckets()) {
        let state = SystemState { current_level: Level::Maintenance, carried_failures: 0, ..state };
        prop_assert_eq!(half_of(&state, &policy, &Evidence::new(buckets)), None);
    }
}
