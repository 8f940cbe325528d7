//! Tests a repair with corrupt records: a cause that corrupts the state item can corrupt records too.

use aws_edge::stores::state::last_known_of;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{LastKnown, Level, command_key, transition_key};

use crate::doubles::Item;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

/// Returns a record with the attributes that a repair reads.
fn record(key: &str, version: &str, epoch: &str, level: &str) -> Item {
    [("pk", text(key)), ("version", number(version)), ("epoch", number(epoch)), ("to", number(level))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn with(mut record: Item, attribute: &str, value: AttributeValue) -> Item {
    record.insert(attribute.to_owned(), value);
    record
}

fn without(mut record: Item, attribute: &str) -> Item {
    record.remove(attribute);
    record
}

/// Returns the newest valid records of each kind: epoch 4 at version 9, and a hold at version 11.
fn sound() -> Vec<Item> {
    vec![
        record(&transition_key(0), "0", "0", "1"),
        record(&transition_key(4), "9", "4", "2"),
        record(&command_key("hold"), "11", "4", "2"),
    ]
}

/// Returns records that a repair passes over, each with the attribute that the message names.
fn corrupt() -> Vec<(Item, &'static str)> {
    let transition = || record(&transition_key(5), "12", "5", "3");
    let command = || record(&command_key("force"), "12", "5", "3");
    vec![
        (without(transition(), "version"), "version"),
        (without(transition(), "to"), "to"),
        (with(transition(), "to", number("0")), "to"),
        (with(transition(), "to", number("4")), "to"),
        (with(transition(), "to", text("3")), "to"),
        (with(transition(), "version", number("4")), "epoch"),
        (with(transition(), "version", number("-1")), "version"),
        (with(transition(), "version", number("9007199254740991")), "version"),
        (with(transition(), "version", number("1e40")), "version"),
        (with(transition(), "version", AttributeValue::Null(true)), "version"),
        (with(transition(), "version", AttributeValue::L(vec![number("12")])), "version"),
        (with(transition(), "pk", text("transition#five")), "pk"),
        (with(transition(), "pk", text("transition#99999999999999999999")), "pk"),
        (with(transition(), "pk", text("transition#-5")), "pk"),
        (with(transition(), "pk", number("5")), "pk"),
        (without(transition(), "pk"), "pk"),
        (Item::new(), "pk"),
        (without(command(), "epoch"), "epoch"),
        (without(command(), "version"), "version"),
        (with(command(), "epoch", number("13")), "epoch"),
        (with(command(), "epoch", text("5")), "epoch"),
        (with(command(), "version", AttributeValue::Bool(true)), "version"),
        (with(command(), "version", number("18446744073709551615")), "version"),
        (with(command(), "to", number("1.5")), "to"),
        (with(command(), "to", AttributeValue::Ss(vec!["3".to_owned()])), "to"),
    ]
}

#[test]
fn a_corrupt_record_is_passed_over_and_epochs_continue() {
    for (item, attribute) in corrupt() {
        let begins_5 = item.get("pk") == Some(&text(&transition_key(5)));
        let expected = LastKnown { version: 11, epoch: if begins_5 { 5 } else { 4 }, level: Level::Degraded };
        let records = sound().into_iter().chain([item.clone()]);
        assert_eq!(last_known_of(records), Ok(Some(expected)), "{attribute}: {item:?}");
    }
}

#[test]
fn without_a_valid_record_the_failure_names_key_and_fix() {
    for (item, attribute) in corrupt() {
        let key = item.get("pk").and_then(|key| key.as_s().ok()).cloned().unwrap_or_else(|| "without a key".to_owned());
        let problem = last_known_of([item]).unwrap_err().to_string();
        for expected in [&key, &format!("`{attribute}`"), "restore the table's backup"] {
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
    }
    assert_eq!(last_known_of([]), Ok(None));
}

/// Later writes are conditional on the key, so the attribute `epoch` does not matter.
#[test]
fn a_transitions_key_decides_its_epoch() {
    for epoch in [number("2"), number("7"), text("five"), AttributeValue::Null(true)] {
        let item = with(record(&transition_key(5), "12", "5", "3"), "epoch", epoch);
        let expected = LastKnown { version: 12, epoch: 5, level: Level::Maintenance };
        assert_eq!(last_known_of(sound().into_iter().chain([item])), Ok(Some(expected)));
    }
    let item = without(record(&transition_key(5), "12", "5", "3"), "epoch");
    assert_eq!(last_known_of([item]).unwrap().unwrap().epoch, 5);
}
