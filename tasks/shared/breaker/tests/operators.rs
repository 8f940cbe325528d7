//! Operators' commands: force, hold, release, repair.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{
    Cause, CommandEffect, Decision, Evidence, ForceRequest, Hold, Level, NoEffect, OperatorCommand, Outcome, Prevented,
    RefusedCommand, ReleaseRequest, SystemState, TransitionRequest, decide, repair,
};
use common::{at, evidence, force, force_request, policy, release, schedule, state_at};

fn evaluate(state: &SystemState, outcomes: &[(i64, u64, u64)]) -> Decision {
    decide(state, &policy(), &schedule(), &evidence(outcomes), at(200)).unwrap()
}

/// Returns the decision for a command at second `now`.
fn command(state: &SystemState, request: &TransitionRequest, now: i64) -> Decision {
    decide(state, &policy(), request, &Evidence::default(), at(now)).unwrap()
}

fn effect(decision: &Decision) -> Option<CommandEffect> {
    match decision {
        Decision::Command { cause, .. } => Some(cause.effect),
        _ => None,
    }
}

fn moved(decision: &Decision) -> (u8, u8) {
    (decision.from().number(), decision.to().number())
}

/// Level 1, held by a force at second 200 for a minute.
fn held() -> SystemState {
    command(&state_at(Level::Full), &force(1, Some(1)), 200).into_next().unwrap()
}

#[test]
fn a_force_crosses_two_levels_and_resets_the_counts() {
    let state = SystemState { failure_count: 9, success_count: 2, ..state_at(Level::Maintenance) };
    let decision = decide(&state, &policy(), &force(1, None), &evidence(&[]), at(200)).unwrap();
    assert_eq!((decision.outcome(), moved(&decision)), (Outcome::Transition, (3, 1)));
    let expected = OperatorCommand {
        effect: CommandEffect::Moved { from: Level::Maintenance, to: Level::Full },
        requested_by: "alice".to_owned(),
        reason: "back end is repaired".to_owned(),
    };
    assert_eq!(decision.cause(), Cause::Command(expected));
    let next = decision.into_next().unwrap();
    assert_eq!((next.failure_count, next.success_count, next.carried_failures), (0, 0, 0));
    assert_eq!((next.evidence_since, next.epoch), (at(200), state.epoch + 1));
}

#[test]
fn a_force_to_the_current_level_changes_nothing_and_says_so() {
    let decision = decide(&state_at(Level::Full), &policy(), &force(1, None), &evidence(&[]), at(200)).unwrap();
    assert_eq!(decision, Decision::NoEffect(NoEffect::AlreadyThere { level: Level::Full }));
}

#[test]
fn a_force_as_the_first_write_names_no_hold() {
    let decision = command(&SystemState::initial(&policy(), at(0)), &force(1, None), 200);
    let expected = Some(CommandEffect::FirstWrite { level: Level::Full });
    assert_eq!((decision.outcome(), effect(&decision)), (Outcome::Record, expected));
}

#[test]
fn evidence_after_a_hold_counts_from_its_expiry() {
    let forced = decide(&state_at(Level::Full), &policy(), &force(1, Some(1)), &evidence(&[]), at(200)).unwrap();
    let held = forced.into_next().unwrap();
    let failing = evidence(&[(210, 0, 50)]);
    let during = decide(&held, &policy(), &schedule(), &failing, at(259)).unwrap();
    assert_eq!(during.to(), Level::Full);
    assert_eq!(during.prevented(), Some(Level::Degraded));
    assert_eq!(decide(&held, &policy(), &schedule(), &failing, at(260)).unwrap().to(), Level::Full);
    let failing_after = evidence(&[(260, 0, 5)]);
    assert_eq!(decide(&held, &policy(), &schedule(), &failing_after, at(261)).unwrap().to(), Level::Degraded);
}

#[test]
fn an_expected_epoch_that_is_not_the_states_is_refused_by_name() {
    let mut request = force(2, None);
    if let breaker::TransitionRequest::Force(force) = &mut request {
        force.expected_epoch = Some(6);
    }
    let refused = decide(&state_at(Level::Full), &policy(), &request, &evidence(&[]), at(200));
    assert_eq!(refused, Err(RefusedCommand::OtherEpoch { expected: 6, found: 3 }));
}

#[test]
fn a_held_level_stays_and_reports_the_prevented_move() {
    let during = decide(&held(), &policy(), &schedule(), &evidence(&[(210, 0, 50)]), at(259)).unwrap();
    assert_eq!((moved(&during), during.prevented()), ((1, 1), Some(Level::Degraded)));
    let Cause::Prevented(prevented) = during.cause() else { panic!("{during:?}") };
    assert_eq!(prevented.prevented, Prevented::Hold { level: Level::Full, until: at(260) });
    assert_eq!(during.evidence().unwrap().errors, 50);
}

#[test]
fn a_force_to_the_current_level_sets_replaces_and_ends_a_hold() {
    let set = held().hold.unwrap();
    assert_eq!((set.level, set.expires_at, set.requested_by.as_str()), (Level::Full, at(260), "alice"));
    let replaced = command(&held(), &force(1, Some(10)), 210);
    assert_eq!((replaced.outcome(), moved(&replaced)), (Outcome::Record, (1, 1)));
    assert_eq!(replaced.into_next().unwrap().hold.unwrap().expires_at, at(810));
    let ended = command(&held(), &force(1, None), 210);
    assert_eq!(effect(&ended), Some(CommandEffect::HoldEnded { level: Level::Full }));
    assert_eq!(ended.into_next().unwrap().hold, None);
}

#[test]
fn a_force_to_another_level_without_a_hold_ends_the_old_one() {
    let next = command(&held(), &force(3, None), 210).into_next().unwrap();
    assert_eq!((next.current_level, next.hold), (Level::Maintenance, None));
}

#[test]
fn a_release_ignores_what_happened_during_the_hold() {
    let released = command(&held(), &release(), 240);
    assert_eq!(released.outcome(), Outcome::Record);
    assert_eq!(effect(&released), Some(CommandEffect::Released { level: Level::Full }));
    let next = released.into_next().unwrap();
    assert_eq!((next.hold.as_ref(), next.evidence_since, next.epoch), (None, at(240), held().epoch));
    let during = evidence(&[(210, 0, 50), (239, 0, 50)]);
    assert_eq!(decide(&next, &policy(), &schedule(), &during, at(241)).unwrap().to(), Level::Full);
    let after = evidence(&[(240, 0, 5)]);
    assert_eq!(decide(&next, &policy(), &schedule(), &after, at(241)).unwrap().to(), Level::Degraded);
}

#[test]
fn a_release_without_a_hold_changes_nothing_and_says_so() {
    for (state, now) in [(state_at(Level::Full), 200), (held(), 260)] {
        let decision = command(&state, &release(), now);
        assert_eq!(decision, Decision::NoEffect(NoEffect::NoHold { level: Level::Full }));
    }
}

#[test]
fn commands_need_no_evidence() {
    assert!(force(1, None).is_command() && release().is_command() && !schedule().is_command());
}

#[test]
fn a_repair_begins_an_epoch_even_at_the_last_known_level() {
    let request = ForceRequest { repair: true, ..force_request(2, None) };
    let last_known = SystemState { hold: None, ..state_at(Level::Degraded) };
    let decision = repair(&last_known, &policy(), &request, at(200)).unwrap();
    assert_eq!((decision.outcome(), moved(&decision)), (Outcome::Transition, (2, 2)));
    let next = decision.into_next().unwrap();
    assert_eq!((next.epoch, next.version), (last_known.epoch + 1, last_known.version + 1));
    assert_eq!((next.evidence_since, next.carried_failures), (at(200), 0));
}

#[test]
fn an_expired_hold_does_not_outlive_the_next_transition() {
    let (reason, requested_by) = ("x".to_owned(), "y".to_owned());
    let hold = Hold { level: Level::Full, reason, requested_by, expires_at: at(100), execution: None };
    let state = SystemState { hold: Some(hold), ..state_at(Level::Full) };
    assert_eq!(evaluate(&state, &[(150, 0, 5)]).into_next().unwrap().hold, None);
}

/// The execution that set the hold of [`held_by`].
const HOLDER: &str = "arn:aws:states:us-east-1:1:express:bank:force-1:1";

/// Level 3, held by alice; `execution` set the hold.
fn held_by(execution: Option<&str>) -> SystemState {
    let mut state = command(&state_at(Level::Full), &force(3, Some(1)), 200).into_next().unwrap();
    state.hold.as_mut().unwrap().execution = execution.map(str::to_owned);
    state
}

fn knowing(hold: &str, request: TransitionRequest) -> TransitionRequest {
    let expected_hold = Some(hold.to_owned());
    match request {
        TransitionRequest::Force(force) => TransitionRequest::Force(ForceRequest { expected_hold, ..force }),
        TransitionRequest::Release(release) => TransitionRequest::Release(ReleaseRequest { expected_hold, ..release }),
        other => other,
    }
}

fn other_hold(expected: &str, state: &SystemState) -> RefusedCommand {
    RefusedCommand::OtherHold { expected: expected.to_owned(), found: Box::new(state.hold.clone().unwrap()) }
}

#[test]
fn a_command_that_expects_no_hold_ends_none() {
    let state = held_by(Some(HOLDER));
    for request in [force(2, None), force(3, Some(5)), release()] {
        let refused = decide(&state, &policy(), &knowing("none", request), &Evidence::default(), at(210));
        assert_eq!(refused, Err(other_hold("none", &state)));
    }
}

#[test]
fn a_command_that_expects_another_hold_ends_none() {
    for state in [held_by(Some(HOLDER)), held_by(None)] {
        let request = knowing("arn:other", force(2, None));
        let refused = decide(&state, &policy(), &request, &Evidence::default(), at(210));
        assert_eq!(refused, Err(other_hold("arn:other", &state)));
    }
}

#[test]
fn a_command_that_expects_the_hold_ends_it_and_says_so() {
    let state = held_by(Some(HOLDER));
    for request in [force(2, None), force(2, Some(5)), force(3, None), force(3, Some(5)), release()] {
        let known = command(&state, &knowing(HOLDER, request.clone()), 210);
        assert_eq!(known.ended_hold(), state.hold.as_ref(), "{}", known.cause());
        // A command without `expectedHold` has the same effect.
        assert_eq!(command(&state, &request, 210), known);
    }
}

#[test]
fn an_expired_hold_refuses_no_command_and_is_not_ended() {
    let state = held_by(Some(HOLDER));
    for expected in ["none", HOLDER, "another"] {
        let decision = command(&state, &knowing(expected, force(2, None)), 260);
        assert_eq!((moved(&decision), decision.ended_hold()), ((3, 2), None), "{expected}");
    }
    assert_eq!(command(&state, &knowing(HOLDER, release()), 260).outcome(), Outcome::None);
}
