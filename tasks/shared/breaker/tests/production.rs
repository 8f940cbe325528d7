//! The rules for a bank's traffic, at their thresholds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{
    AutomaticMove, Bucket, CallRate, Cause, ConsecutiveFailures, DRAWS, Decision, Evidence, EvidenceQuery, Hold, Level,
    Mode, Outcome, Policy, PolicySettings, Prevented, PreventedMove, ProbeCounts, Probing, Ramp, RecoveryCause, Route,
    SlowCalls, Streak, StreakInstead, SystemState, TransitionRecord, TripCause, TripWhen, Unproven, decide, route,
};
use common::{at, bucket, evidence, force, schedule, state_at};
use jiff::{SignedDuration, Timestamp};

/// The preset with round numbers, because these tests check the rules and not their tuning.
fn production(change: impl Fn(&mut PolicySettings)) -> Policy {
    let mut settings = PolicySettings {
        failure_rate_percent: 20,
        minimum_calls: 20,
        rate_window_seconds: 60,
        probe_percent: 5,
        ramp_minimum_calls: 10,
        ..PolicySettings::production()
    };
    change(&mut settings);
    Policy::new(settings).unwrap()
}

fn plain() -> Policy {
    production(|_| ())
}

fn look(state: &SystemState, policy: &Policy, evidence: &Evidence, now: Timestamp) -> Decision {
    let decision = decide(state, policy, &schedule(), evidence, now).unwrap();
    assert_eq!(decision.next().map_or(Ok(()), SystemState::check), Ok(()));
    decision
}

fn trip(decision: &Decision) -> Option<TripCause> {
    match decision {
        Decision::Move { cause: AutomaticMove::Fall(fall), .. } => Some(fall.trip),
        _ => None,
    }
}

/// At level 2 since second 100, probing level 1 since second 130.
fn probing() -> SystemState {
    let probing = Probing { from: at(130), percent: 5, percent_since: at(130), idle_since: None, refusing: None };
    SystemState { probing: Some(probing), last_updated: at(100), ..state_at(Level::Degraded) }
}

/// At level 1 since second 100, with a ramp until second 160.
fn ramping() -> SystemState {
    let ramp = Ramp { from: at(100), until: at(160), first_percent: 10 };
    SystemState { ramp: Some(ramp), last_updated: at(100), ..state_at(Level::Full) }
}

fn buckets(outcomes: &[(i64, u64, u64)]) -> Vec<Bucket> {
    outcomes.iter().map(|(second, successes, errors)| bucket(*second, *successes, *errors)).collect()
}

fn probed(outcomes: &[(i64, u64, u64)]) -> Evidence {
    evidence(&[(150, 400, 0), (190, 400, 0)]).with_probes(buckets(outcomes))
}

#[test]
fn the_rate_trips_at_its_threshold_and_volume() {
    let trips = |successes, errors| {
        look(&state_at(Level::Full), &plain(), &evidence(&[(190, successes, errors)]), at(200)).to() == Level::Degraded
    };
    assert!(trips(16, 4), "20 calls, 20 %");
    assert!(trips(15, 5), "20 calls, 25 %");
    assert!(trips(17, 5), "22 calls, 22 %");
    assert!(!trips(15, 4), "19 calls");
    assert!(!trips(17, 4), "19 %");
    let fallen = look(&state_at(Level::Full), &plain(), &evidence(&[(190, 16, 4)]), at(200));
    let rate = CallRate {
        level: Level::Full,
        window_seconds: 70,
        in_ramp: false,
        counted: 4,
        calls: 20,
        percent: 20,
        threshold_percent: 20,
        minimum_calls: 20,
    };
    assert_eq!(trip(&fallen), Some(TripCause::FailureRate(rate)));
}

#[test]
fn a_success_in_the_newest_second_ends_consecutive_failures() {
    let rule = production(|settings| settings.failure_rate_percent = 100);
    let trip = |outcomes: &[(i64, u64, u64)]| trip(&look(&state_at(Level::Full), &rule, &evidence(outcomes), at(200)));
    let failures = |failures| {
        Some(TripCause::ConsecutiveFailures(ConsecutiveFailures { level: Level::Full, failures, threshold: 10 }))
    };
    assert_eq!(trip(&[(150, 90, 0), (160, 0, 4), (170, 0, 6)]), failures(10));
    assert_eq!(trip(&[(150, 90, 0), (160, 0, 4), (170, 0, 7)]), failures(11));
    assert_eq!(trip(&[(150, 90, 0), (160, 0, 4), (170, 0, 5)]), None);
    assert_eq!(trip(&[(150, 90, 0), (170, 1, 12)]), None);
    // The successes of the newest second may come a second later than its failures.
    assert_eq!(trip(&[(189, 90, 0), (190, 0, 12)]), None, "not settled");
    assert_eq!(trip(&[(188, 90, 0), (189, 0, 12)]), failures(12), "settled: there was no success");
    assert_eq!(trip(&[(190, 90, 0), (195, 0, 5), (196, 0, 5)]), failures(10), "no success in two seconds");
}

#[test]
fn slow_calls_trip_at_their_share() {
    let slow = |slow_calls| Evidence::new(vec![Bucket { slow_calls, ..bucket(190, 20, 0) }]);
    let fallen = trip(&look(&state_at(Level::Full), &plain(), &slow(10), at(200)));
    let Some(TripCause::SlowCalls(SlowCalls { slow_milliseconds: 1_500, rate })) = fallen else { panic!("{fallen:?}") };
    assert_eq!((rate.level, rate.percent), (Level::Full, 50));
    assert_eq!(look(&state_at(Level::Full), &plain(), &slow(11), at(200)).to(), Level::Degraded);
    assert_eq!(look(&state_at(Level::Full), &plain(), &slow(9), at(200)).to(), Level::Full);
    let few = Evidence::new(vec![Bucket { slow_calls: 19, ..bucket(190, 19, 0) }]);
    assert_eq!(look(&state_at(Level::Full), &plain(), &few, at(200)).to(), Level::Full, "19 calls");
    let off = production(|settings| settings.slow_call_milliseconds = 0);
    assert_eq!(look(&state_at(Level::Full), &off, &slow(20), at(200)).to(), Level::Full, "no call is slow");
}

/// The newest outcomes may be missing, so the window reaches further back by the settling time.
#[test]
fn the_rates_window_holds_settled_outcomes() {
    let to = |second| look(&state_at(Level::Full), &plain(), &evidence(&[(second, 16, 4)]), at(200)).to();
    assert_eq!((to(130), to(129)), (Level::Degraded, Level::Full), "60 s, and 10 s in which outcomes settle");
}

#[test]
fn count_and_rate_trip_together_except_in_a_ramp() {
    let both = production(|settings| {
        settings.trip_when = TripWhen::CountAndRate;
        (settings.level_1_failures, settings.level_2_failures) = (5, 10);
    });
    let trips = |state: &SystemState, successes, errors| {
        look(state, &both, &evidence(&[(140, successes, errors)]), at(150)).to() == Level::Degraded
    };
    assert!(trips(&state_at(Level::Full), 20, 5));
    assert!(!trips(&state_at(Level::Full), 21, 5), "19 %");
    assert!(!trips(&state_at(Level::Full), 16, 4), "4 failures");
    assert!(trips(&ramping(), 8, 2));
}

#[test]
fn a_ramp_trips_at_its_own_minimum_of_calls() {
    let mut state = ramping();
    state.backoff = state.backoff.after_recovery(at(100));
    let fallen = look(&state, &plain(), &evidence(&[(140, 8, 2)]), at(150));
    assert_eq!((fallen.to(), fallen.next().unwrap().ramp), (Level::Degraded, None));
    assert_eq!(fallen.into_next().unwrap().probing.unwrap().from, at(210), "60 s after the fall");
    assert_eq!(look(&state, &plain(), &evidence(&[(140, 7, 2)]), at(150)).to(), Level::Full);
    assert_eq!(look(&state, &plain(), &evidence(&[(140, 8, 2)]), at(160)).to(), Level::Full, "the ramp is over");
}

#[test]
fn twenty_probes_below_the_trip_rate_prove_the_level() {
    let to = |outcomes: &[(i64, u64, u64)]| look(&probing(), &plain(), &probed(outcomes), at(200)).to().number();
    assert_eq!(to(&[(140, 17, 3)]), 1);
    assert_eq!(to(&[(140, 16, 3)]), 2, "19 probes");
    assert_eq!(to(&[(140, 16, 4)]), 2, "20 % failed");
    assert_eq!(to(&[(129, 20, 0)]), 2, "before the cooldown ended");
    assert_eq!(to(&[(189, 20, 0)]), 1, "settled");
    assert_eq!(to(&[(190, 20, 0)]), 2, "not settled");
    assert_eq!(to(&[(140, 0, 300), (150, 20, 0)]), 1, "a failed series starts the proof again");
    let recovered = look(&probing(), &plain(), &probed(&[(140, 17, 3)]), at(200));
    let probes =
        ProbeCounts { level: Level::Full, calls: 20, failed: 3, refused: 0, minimum_calls: 20, below_percent: 20 };
    assert_eq!(recovered.cause(), Cause::Recovery(RecoveryCause::Probes(probes)));
    let ramp = recovered.into_next().unwrap().ramp.unwrap();
    assert_eq!((ramp.from, ramp.until), (at(200), at(260)));
}

#[test]
fn current_level_successes_prove_nothing_until_probes_stop() {
    let streak = evidence(&[(150, 900, 0), (400, 900, 0)]);
    assert_eq!(look(&probing(), &plain(), &streak, at(429)).to(), Level::Degraded);
    let idle = look(&probing(), &plain(), &streak, at(430));
    assert_eq!(idle.to(), Level::Full);
    let Cause::Recovery(RecoveryCause::Streak(streak)) = idle.cause() else { panic!("{idle:?}") };
    assert_eq!(streak.instead_of_probes, Some(StreakInstead::NoProbeSeen { seconds: 300 }));
    let blind = look(&probing(), &plain(), &evidence(&[(150, 900, 0)]), at(430));
    assert_eq!(blind.to(), Level::Degraded, "metrics that are missing are no proof");
    let lacks = Unproven::Calls { level: Level::Degraded, seconds_without_probe: 300 };
    assert_eq!(blind.cause(), Cause::Unproven(lacks));
    let failed = |now| {
        let seen = evidence(&[(now - 20, 900, 0)]).with_probes(buckets(&[(140, 1, 1)]));
        look(&probing(), &plain(), &seen, at(now)).to()
    };
    assert_eq!((failed(460), failed(1_039), failed(1_040)), (Level::Degraded, Level::Degraded, Level::Full));
    let quiet = look(&probing(), &plain(), &evidence(&[]), at(430)).into_next().unwrap();
    assert_eq!(quiet.probing.unwrap().idle_since, Some(at(130)));
    let probes = Evidence::default().with_probes(buckets(&[(440, 1, 0)]));
    assert_eq!(look(&quiet, &plain(), &probes, at(460)).into_next().unwrap().probing.unwrap().idle_since, None);
}

#[test]
fn the_probe_share_follows_the_number_of_probes() {
    let percent = |answered, probes| {
        let seen = evidence(&[(150, answered, 0)]).with_probes(buckets(&[(160, probes, 0)]));
        let decision = look(&SystemState { last_updated: at(199), ..probing() }, &plain(), &seen, at(200));
        decision.into_next().map_or(5, |next| next.probing.unwrap().percent)
    };
    assert_eq!(percent(60, 3), 64, "63 a minute, all of them taken for retryable");
    assert_eq!(percent(2_000, 4), 10, "few of them are retryable");
    assert_eq!(percent(60, 10), 20, "200 retryable ones a minute");
    assert_eq!(percent(600, 19), 11);
    assert_eq!(percent(0, 0), 5, "silence says nothing about the traffic after it");
    let high = Probing { percent: 100, ..probing().probing.unwrap() };
    let state = SystemState { probing: Some(high), last_updated: at(199), ..probing() };
    let seen = Evidence::default().with_probes(buckets(&[(160, 0, 400)]));
    assert_eq!(look(&state, &plain(), &seen, at(200)).into_next().unwrap().probing.unwrap().percent, 10);
}

#[test]
fn a_hold_reports_no_move_that_probes_would_have_proven() {
    let until = at(10_000);
    let (reason, requested_by) = ("drill".to_owned(), "alice".to_owned());
    let hold = Some(Hold { level: Level::Degraded, reason, requested_by, expires_at: until, execution: None });
    let pinned = SystemState { hold, ..probing() };
    let decision = look(&pinned, &plain(), &evidence(&[(420, 900, 0)]), at(431));
    assert_eq!(decision.prevented(), None);
    assert_eq!(decision.cause(), Cause::Unproven(Unproven::ProbingInHold { level: Level::Full }));
}

#[test]
fn a_state_that_probes_or_ramps_awaits_proof() {
    assert!(probing().awaits_proof(at(120)) && ramping().awaits_proof(at(159)));
    assert!(!ramping().awaits_proof(at(160)) && !state_at(Level::Degraded).awaits_proof(at(120)));
}

#[test]
fn a_fall_begins_probing_at_the_end_of_the_cooldown() {
    let fallen = look(&state_at(Level::Full), &plain(), &evidence(&[(190, 50, 50)]), at(200)).into_next().unwrap();
    let probing = Probing { from: at(230), percent: 40, percent_since: at(230), idle_since: None, refusing: None };
    assert_eq!(fallen.probing, Some(probing));
    assert_eq!(EvidenceQuery::new(&fallen, &plain(), at(229)).probed, None);
    assert_eq!(EvidenceQuery::new(&fallen, &plain(), at(230)).probed, Some(Level::Full));
}

#[test]
fn a_change_of_policy_begins_and_ends_probing_at_the_next_look() {
    let begun = look(&state_at(Level::Degraded), &plain(), &evidence(&[]), at(200)).into_next().unwrap();
    assert_eq!(begun.probing.unwrap().from, at(200));
    let classic = Policy::new(PolicySettings::classic()).unwrap();
    let ended = look(&probing(), &classic, &probed(&[(140, 20, 0)]), at(200));
    let streak = Streak { level: Level::Degraded, successes: 400, threshold: 5, instead_of_probes: None };
    assert_eq!(ended.cause(), Cause::Recovery(RecoveryCause::Streak(streak)));
    let observing = production(|settings| settings.mode = Mode::ObserveOnly);
    assert_eq!(look(&probing(), &observing, &evidence(&[]), at(200)).into_next().unwrap().probing, None);
}

#[test]
fn observe_only_reports_and_leaves_moves_to_operators() {
    let observing = production(|settings| settings.mode = Mode::ObserveOnly);
    let decision = look(&state_at(Level::Full), &observing, &evidence(&[(190, 0, 50)]), at(200));
    assert_eq!((decision.outcome(), decision.to()), (Outcome::Record, Level::Full));
    assert_eq!(decision.prevented(), Some(Level::Degraded));
    let Cause::Prevented(PreventedMove { prevented, to, .. }) = decision.cause() else { panic!("{decision:?}") };
    assert_eq!((prevented, to), (Prevented::ObserveOnly, Level::Degraded));
    let next = decision.into_next().unwrap();
    assert_eq!(next.prevented, Some(Level::Degraded), "so that it is announced once");
    let again = look(&next, &observing, &evidence(&[(190, 0, 50)]), at(201));
    assert_eq!((again.outcome(), again.prevented()), (Outcome::None, Some(Level::Degraded)));
    let over = look(&next, &observing, &evidence(&[(190, 0, 50)]), at(500));
    assert_eq!((over.prevented(), over.into_next().unwrap().prevented), (None, None), "the next is announced again");
    let forced = decide(&state_at(Level::Full), &observing, &force(3, None), &evidence(&[]), at(200)).unwrap();
    assert_eq!((forced.to(), forced.into_next().unwrap().probing), (Level::Maintenance, None));
}

#[test]
fn a_ramp_shares_all_requests_and_only_reads_probe() {
    let (here, worse) = (Route { level: Level::Full, probe: false }, Route { level: Level::Degraded, probe: false });
    let shared = |draw, now| route(&ramping(), draw, false, now);
    assert_eq!((shared(999, at(100)), shared(1_000, at(100))), (here, worse));
    assert_eq!((shared(4_999, at(130)), shared(5_000, at(130))), (here, worse));
    assert_eq!(shared(DRAWS - 1, at(160)), here);
    let probe = Route { level: Level::Full, probe: true };
    assert_eq!(route(&probing(), 499, true, at(130)), probe);
    for (draw, safe, second) in [(500, true, 130), (0, false, 130), (0, true, 129)] {
        assert_eq!(route(&probing(), draw, safe, at(second)), worse);
    }
    let just_before = at(130) - SignedDuration::from_millis(1);
    assert_eq!(route(&probing(), 0, true, just_before), worse);
}

#[test]
fn a_force_of_a_ramping_level_ends_the_ramp() {
    let decision = decide(&ramping(), &plain(), &force(1, None), &evidence(&[]), at(120)).unwrap();
    assert_eq!((decision.outcome(), decision.into_next().unwrap().ramp), (Outcome::Record, None));
}

#[test]
fn a_record_without_a_preset_reads_as_classic() {
    let old = serde_json::json!({
        "level1Failures": 7, "level2Failures": 10, "level3Successes": 3, "level2Successes": 5,
        "windowSeconds": 300, "cooldownSeconds": 30, "longestCooldownSeconds": 600,
        "relapseWindowSeconds": 300, "calmSeconds": 1800, "settleSeconds": 10,
    });
    let settings: PolicySettings = serde_json::from_value(old).unwrap();
    assert_eq!(settings, PolicySettings { level_1_failures: 7, ..PolicySettings::classic() });
}

#[test]
fn a_policy_is_checked_when_it_is_read() {
    for (settings, named) in [
        (serde_json::json!({ "level1Failures": -1 }), "counts.level_1_failures"),
        (serde_json::json!({ "level1Failures": 10 }), "counts.level_2_failures"),
        (serde_json::json!({ "level2Successes": 0 }), "recovery.level_2_successes"),
        (serde_json::json!({ "recoveryEvidence": "probes" }), "rates.failure_percent"),
        (serde_json::json!({ "longestCooldownSeconds": 29 }), "recovery.longest_cooldown_seconds"),
        (serde_json::json!({ "windowSeconds": 86_401 }), "counts.window_seconds"),
    ] {
        let error = serde_json::from_value::<Policy>(settings).unwrap_err().to_string();
        assert!(error.starts_with(named), "{error}");
    }
    let production = Policy::new(PolicySettings::production()).unwrap();
    let read: Policy = serde_json::from_value(serde_json::to_value(production).unwrap()).unwrap();
    assert_eq!(read, production);
}

#[test]
fn a_record_with_a_policy_that_is_invalid_now_is_readable() {
    let first = TransitionRecord::first_start(at(0), "arn:execution");
    let invalid = PolicySettings { level_1_failures: -1, ..PolicySettings::classic() };
    let record = serde_json::to_value(TransitionRecord { policy: Some(invalid), ..first.clone() }).unwrap();
    let read: TransitionRecord = serde_json::from_value(record).unwrap();
    assert_eq!(read.policy, Some(invalid));
}

/// Automation moves by one level, so a state with any other prevented move is corrupt.
#[test]
fn a_prevented_move_over_two_levels_is_invalid() {
    for (level, prevented, fine) in [
        (Level::Full, Level::Degraded, true),
        (Level::Full, Level::Maintenance, false),
        (Level::Full, Level::Full, false),
    ] {
        let checked = SystemState { prevented: Some(prevented), last_updated: at(100), ..state_at(level) }.check();
        assert_eq!(checked.is_ok(), fine);
        assert!(checked.err().is_none_or(|problem| problem.attribute == "prevented"));
    }
}
