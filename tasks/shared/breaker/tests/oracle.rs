//! The behaviour that `classic` promises, replayed outcome by outcome through `decide`. `seed` in names is the product
//! that this one replaces.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{SystemState, decide};
use common::{at, bare_policy, evidence, schedule};

/// Replays outcomes one a second, evaluating after each, and returns (request, from, to) of each move.
fn replay(failures: impl Fn(i64) -> bool, requests: i64) -> Vec<(i64, u8, u8)> {
    let policy = bare_policy();
    let mut state = SystemState { version: 1, ..SystemState::initial(&policy, at(0)) };
    let mut outcomes = Vec::new();
    let mut moves = Vec::new();
    for request in 1..=requests {
        let failed = failures(request);
        outcomes.push((request, u64::from(!failed), u64::from(failed)));
        let decision = decide(&state, &policy, &schedule(), &evidence(&outcomes), at(request + 1)).unwrap();
        if decision.from() != decision.to() {
            moves.push((request, decision.from().number(), decision.to().number()));
            // Each level has metrics of its own.
            outcomes.clear();
        }
        state = decision.into_next().unwrap_or(state);
    }
    moves
}

#[test]
fn the_level_moves_after_the_seeds_requests_only() {
    let fails = |request: i64| {
        let (block, place) = ((request - 1) / 20 + 1, (request - 1) % 20 + 1);
        match block {
            1 => place <= 5,
            3 | 5 => place <= 15,
            _ => false,
        }
    };
    assert_eq!(
        replay(fails, 140),
        [
            (5, 1, 2),
            (10, 2, 1),
            (45, 1, 2),
            (50, 2, 3),
            (58, 3, 2),
            (63, 2, 1),
            (85, 1, 2),
            (90, 2, 3),
            (98, 3, 2),
            (103, 2, 1),
        ]
    );
}
