//! Properties that hold for any outcomes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{Cause, Fall, Level, Outcome, RecoveryCause, SystemState, TripCause, decide};
use common::{at, bare_policy, evidence, policy, schedule, state_at};
use proptest::collection::vec;
use proptest::prelude::*;

fn any_level() -> impl Strategy<Value = Level> {
    prop::sample::select(&Level::ALL[..])
}

fn any_outcomes() -> impl Strategy<Value = Vec<(i64, u64, u64)>> {
    vec((50_i64..220, 0_u64..8, 0_u64..8), 0..20)
}

/// Returns the largest number of consecutive successes.
fn longest_run(order: &[bool]) -> u64 {
    order.split(|success| !success).map(|run| run.len() as u64).max().unwrap_or(0)
}

/// Returns the number of consecutive successes that every order of `successes` and `errors` contains. It is found by
/// spreading the failures evenly.
fn unavoidable_run(successes: u64, errors: u64) -> u64 {
    let pieces = errors + 1;
    let mut order = Vec::new();
    for piece in 0..pieces {
        let size = successes / pieces + u64::from(piece < successes % pieces);
        order.extend(std::iter::repeat_n(true, usize::try_from(size).unwrap()));
        order.push(false);
    }
    longest_run(&order)
}

proptest! {
    #[test]
    fn an_evaluation_moves_at_most_one_level(level in any_level(), outcomes in any_outcomes(), carried in 0_u64..6) {
        let state = SystemState { carried_failures: carried, ..state_at(level) };
        let decision = decide(&state, &policy(), &schedule(), &evidence(&outcomes), at(200)).unwrap();
        prop_assert!(decision.from().number().abs_diff(decision.to().number()) <= 1);
        prop_assert_eq!(decision.outcome() == Outcome::Transition, decision.from() != decision.to());
    }

    #[test]
    fn no_transition_without_its_threshold(level in any_level(), outcomes in any_outcomes(), carried in 0_u64..6) {
        let state = SystemState { carried_failures: carried, ..state_at(level) };
        let decision = decide(&state, &policy(), &schedule(), &evidence(&outcomes), at(200)).unwrap();
        let counted = decision.evidence().unwrap();
        let reached = match (decision.from().number(), decision.to().number()) {
            (1, 2) => counted.failures() >= 5,
            (2, 3) => counted.failures() >= 10,
            (3, 2) => counted.success_streak >= 3,
            (2, 1) => counted.success_streak >= 5,
            _ => true,
        };
        prop_assert!(reached);
    }

    #[test]
    fn the_cause_has_the_numbers_of_the_evidence(level in any_level(), outcomes in any_outcomes()) {
        let decision = decide(&state_at(level), &policy(), &schedule(), &evidence(&outcomes), at(200)).unwrap();
        let counted = decision.evidence().unwrap();
        match decision.cause() {
            Cause::Fall(Fall { trip: TripCause::FailureCount(count), .. }) => {
                prop_assert_eq!((count.errors, count.carried), (counted.errors, counted.carried_failures));
            }
            Cause::Recovery(RecoveryCause::Streak(streak)) => {
                prop_assert_eq!(streak.successes, counted.success_streak);
            }
            other => prop_assert!(decision.outcome() != Outcome::Transition, "{}", other),
        }
    }

    #[test]
    fn the_streak_follows_the_last_failure(order in vec(any::<bool>(), 0..60)) {
        let outcomes: Vec<_> =
            (100..).zip(&order).map(|(second, success)| (second, u64::from(*success), u64::from(!success))).collect();
        let state = state_at(Level::Maintenance);
        let streak = evidence(&outcomes).summary(&state, &bare_policy(), at(200)).success_streak;
        let after_failure = order.iter().rev().take_while(|success| **success).count() as u64;
        prop_assert_eq!(streak, after_failure);
    }

    #[test]
    fn the_streak_is_what_every_order_contains(successes in 0_u64..60, errors in 0_u64..60) {
        let state = state_at(Level::Maintenance);
        let streak = evidence(&[(150, successes, errors)]).summary(&state, &bare_policy(), at(200)).success_streak;
        prop_assert_eq!(streak, unavoidable_run(successes, errors));
    }

    #[test]
    fn the_streak_never_exceeds_the_longest_of_a_history(buckets in vec((0_usize..6, 0_usize..4), 1..8), seed in any::<u64>()) {
        let mut random = seed;
        let mut history = Vec::new();
        let mut outcomes = Vec::new();
        for (second, (successes, errors)) in (100..).zip(buckets) {
            let mut order = vec![true; successes];
            for _ in 0..errors {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let place = usize::try_from(random >> 33).unwrap() % (order.len() + 1);
                order.insert(place, false);
            }
            history.extend(order);
            outcomes.push((second, successes as u64, errors as u64));
        }
        let state = state_at(Level::Maintenance);
        let streak = evidence(&outcomes).summary(&state, &bare_policy(), at(200)).success_streak;
        prop_assert!(streak <= longest_run(&history));
    }
}
