//! Fuzzes state items.

use std::collections::HashMap;

use aws_edge::stores::state::stored_from_item;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{
    DRAWS, Evidence, EvidenceQuery, Hold, Level, Policy, PolicySettings, Probing, Ramp, Refusing, Stored, SystemState,
    decide, route,
};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::junk::{name, number, text};
use crate::{Answer, fuzz, fuzz_both};

pub type Item = HashMap<String, AttributeValue>;

pub fn now() -> Timestamp {
    "2026-09-10T14:06:12Z".parse().unwrap()
}

pub fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

pub fn good() -> Vec<SystemState> {
    let state = SystemState {
        current_level: Level::Degraded,
        version: 4,
        epoch: 2,
        carried_failures: 5,
        ..SystemState::initial(&policy(), now())
    };
    let hold = Hold {
        level: Level::Degraded,
        reason: "drill".to_owned(),
        requested_by: "alice".to_owned(),
        expires_at: now() + SignedDuration::from_mins(30),
        execution: None,
    };
    let first = SystemState { version: 1, ..SystemState::initial(&policy(), now()) };
    let probing = Probing {
        from: now() + SignedDuration::from_secs(60),
        percent: 5,
        percent_since: now() + SignedDuration::from_secs(60),
        idle_since: None,
        refusing: Some(Refusing { since: now(), alarm_from: now() + SignedDuration::from_mins(15) }),
    };
    let ramp = Ramp { from: now(), until: now() + SignedDuration::from_secs(60), first_percent: 10 };
    let recovering = SystemState { probing: Some(probing), ramp: Some(ramp), ..state.clone() };
    vec![SystemState { hold: Some(hold), ..state.clone() }, recovering, state, first]
}

pub fn attribute() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        2 => text().prop_map(AttributeValue::S),
        // Times near those of the valid states, because the rules compare with them.
        4 => (-300_000_i64..300_000).prop_map(|seconds| {
            AttributeValue::S((now() + SignedDuration::from_secs(seconds)).to_string())
        }),
        4 => number().prop_map(|number| AttributeValue::N(number.to_string())),
        1 => text().prop_map(AttributeValue::N),
        1 => any::<bool>().prop_map(AttributeValue::Bool),
        1 => any::<bool>().prop_map(AttributeValue::Null),
        1 => vec(any::<u8>(), 0..4).prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
        1 => vec(text(), 0..3).prop_map(AttributeValue::Ss),
        1 => vec(text(), 0..3).prop_map(AttributeValue::Ns),
        1 => vec(any::<u8>(), 0..3).prop_map(|bytes| AttributeValue::Bs(vec![Blob::new(bytes)])),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            hash_map(name(), inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

/// Generates a valid item with attributes removed, replaced or added, also in its maps.
fn changed() -> impl Strategy<Value = Item> {
    let items: Vec<Item> = good().into_iter().map(|state| serde_dynamo::to_item(state).unwrap()).collect();
    let mut names: Vec<String> = items.iter().flat_map(|item| item.keys().cloned()).collect();
    names.extend(
        [
            "fromTheFuture",
            "hold.level",
            "hold.expiresAt",
            "hold.reason",
            "backoff.doublings",
            "probing.from",
            "probing.percent",
            "ramp.from",
            "ramp.until",
        ]
        .map(str::to_owned),
    );
    // An item is a map without order, and the seed selects by position.
    names.sort();
    (select(items), vec((select(names), proptest::option::weighted(0.9, attribute())), 1..=2)).prop_map(
        |(mut item, changes)| {
            for (name, value) in changes {
                let (map, name) = match name.split_once('.') {
                    Some((outer, inner)) => match item.get_mut(outer) {
                        Some(AttributeValue::M(map)) => (map, inner.to_owned()),
                        _ => continue,
                    },
                    None => (&mut item, name),
                };
                match value {
                    Some(value) => map.insert(name, value),
                    None => map.remove(&name),
                };
            }
            item
        },
    )
}

fn check(item: Item) -> Result<Answer, TestCaseError> {
    match stored_from_item(item) {
        Stored::State(state) => {
            prop_assert_eq!(state.check(), Ok(()));
            let written: Item = serde_dynamo::to_item(&state).unwrap();
            prop_assert_eq!(stored_from_item(written), Stored::State(state.clone()));
            decides(&state)?;
            return Ok(Answer::Taken);
        }
        Stored::Unreadable(problem) => prop_assert!(problem.contains('`'), "no attribute is named: {problem}"),
        Stored::Newer(newer) => prop_assert!(newer.schema_version > 1),
        other => prop_assert!(false, "an item is not {other:?}"),
    }
    Ok(Answer::Refused)
}

/// Checks that every state that can be read can be decided on: no time and no number is too large.
fn decides(state: &SystemState) -> Result<(), TestCaseError> {
    for request in crate::commands::good() {
        let request = breaker::TransitionRequest::parse(request).unwrap();
        let _ = EvidenceQuery::new(state, &policy(), now());
        for draw in [0, DRAWS - 1] {
            prop_assert!(route(state, draw, true, now()).level.number().abs_diff(state.current_level.number()) <= 1);
        }
        let _ = state.recovery_allowed_at(&policy(), now());
        if let Ok(decision) = decide(state, &policy(), &request, &Evidence::default(), now()) {
            prop_assert!(decision.next().is_none_or(|next| next.version == state.version + 1));
        }
    }
    Ok(())
}

#[test]
fn any_item_is_a_state_or_refused_by_the_name_of_an_attribute() {
    fuzz(&hash_map(name(), attribute(), 0..8), check);
}

#[test]
fn a_mutated_state_item_is_read_or_refused_by_attribute() {
    fuzz_both(&changed(), check);
}
