//! Items of the table are read as a state, or as a message that names the attribute.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::HashMap;

use aws_edge::stores::state::stored_from_item;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{
    CorruptState, Hold, InvalidAttribute, Level, NewerState, Policy, PolicySettings, Stored, SystemState, epoch_of_key,
    transition_key,
};
use jiff::Timestamp;

fn state() -> SystemState {
    let policy = Policy::new(PolicySettings::default()).unwrap();
    SystemState { version: 1, ..SystemState::initial(&policy, Timestamp::UNIX_EPOCH) }
}

fn item() -> HashMap<String, AttributeValue> {
    serde_dynamo::to_item(state()).unwrap()
}

#[test]
fn an_item_reads_back_as_the_state_that_was_written() {
    assert_eq!(stored_from_item(item()), Stored::State(Box::new(state())));
}

#[test]
fn unknown_attributes_are_ignored() {
    let mut item = item();
    item.insert("fromTheFuture".to_owned(), AttributeValue::S("x".to_owned()));
    assert_eq!(stored_from_item(item), Stored::State(Box::new(state())));
}

#[test]
fn a_hold_that_an_older_release_set_is_read() {
    let hold = Hold {
        level: Level::Full,
        reason: "a drill".to_owned(),
        requested_by: "alice".to_owned(),
        expires_at: Timestamp::UNIX_EPOCH,
        execution: None,
    };
    let expected = SystemState { hold: Some(hold), ..state() };
    let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&expected).unwrap();
    assert!(!item["hold"].as_m().unwrap().contains_key("execution"));
    assert_eq!(stored_from_item(item), Stored::State(Box::new(expected)));
}

#[test]
fn a_corrupt_item_is_refused_by_attribute() {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    for (attribute, invalid) in [
        ("currentLevel", number("4")),
        ("currentLevel", text("two")),
        ("version", number("-1")),
        ("version", AttributeValue::Bool(true)),
        ("evidenceSince", text("yesterday")),
        ("lastTransition", number("5")),
        ("transitionReason", AttributeValue::Null(true)),
    ] {
        let mut item = item();
        item.insert(attribute.to_owned(), invalid);
        let Stored::Unreadable(corrupt) = stored_from_item(item) else { panic!("{attribute} was taken") };
        assert_eq!(corrupt.0.attribute, attribute);
    }
    let mut without = item();
    without.remove("epoch");
    let corrupt = CorruptState(InvalidAttribute::new("epoch", "is missing"));
    assert_eq!(stored_from_item(without), Stored::Unreadable(corrupt));
}

#[test]
fn an_invalid_level_is_quoted_with_what_is_allowed() {
    let mut item = item();
    item.insert("currentLevel".to_owned(), AttributeValue::N("7".to_owned()));
    let Stored::Unreadable(CorruptState(invalid)) = stored_from_item(item) else { panic!("level 7 was taken") };
    assert_eq!(invalid.attribute, "currentLevel");
    assert!(invalid.problem.contains('7') && invalid.problem.contains('3'), "{invalid}");
}

#[test]
fn a_newer_layout_is_read_for_routing_only() {
    let mut item = item();
    item.insert("schemaVersion".to_owned(), AttributeValue::N("2".to_owned()));
    item.insert("currentLevel".to_owned(), AttributeValue::N("2".to_owned()));
    item.insert("hold".to_owned(), AttributeValue::S("in another shape".to_owned()));
    let expected = NewerState { schema_version: 2, current_level: Level::Degraded };
    assert_eq!(stored_from_item(item), Stored::Newer(expected));
}

#[test]
fn transition_keys_sort_as_epochs_do() {
    assert_eq!(transition_key(7), "transition#0000000007");
    assert!(transition_key(99) < transition_key(100));
    assert_eq!(epoch_of_key(&transition_key(7)), Some(7));
    for other in ["command#7", "transition#", "transition#-1", "transition#9007199254740991", "system-state"] {
        assert_eq!(epoch_of_key(other), None, "{other}");
    }
}
