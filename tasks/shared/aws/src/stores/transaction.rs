//! The items of a write as `DynamoDB` takes them.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use breaker::{Condition, Content, ItemWrite, SystemState};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::stores::store_error::StoreError;

type Item = HashMap<String, AttributeValue>;

/// The index of the records by kind and time. The state item is not in the index, and neither are records of releases
/// that did not have the index.
pub const BY_TIME: &str = "by-time";
/// The attribute of the index that has the kind of a record: [`TRANSITION`] or [`COMMAND`].
pub const KIND: &str = "kind";
/// The attribute of the index that has the time of the record (UTC), as [`indexed_time`] writes it.
pub const TIME: &str = "time";
/// The kind of transition records.
pub const TRANSITION: &str = "transition";
/// The kind of command records.
pub const COMMAND: &str = "command";

/// Returns a time as the index has it: always with three digits after the point, because texts of different lengths
/// would not sort as times do.
#[must_use]
pub fn indexed_time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Returns one item of the transaction for the table `table`. New records expire after `retention`.
pub(crate) fn transaction_item(
    table: &str,
    retention: SignedDuration,
    write: ItemWrite<'_>,
) -> Result<TransactWriteItem, StoreError> {
    let ItemWrite { key, content, condition } = write;
    let mut item = to_item(&key, &content)?;
    match &content {
        Content::State(_) => {}
        // Record 0 marks that there is a history, so it never expires.
        Content::FirstStart(record) => index(&mut item, TRANSITION, record.at),
        Content::Transition(record) => {
            index(&mut item, TRANSITION, record.at);
            expire(&mut item, record.at, retention);
        }
        Content::Command(record) => {
            index(&mut item, COMMAND, record.at);
            expire(&mut item, record.at, retention);
        }
    }
    let built = match condition {
        Condition::StateAt { version, epoch } => update(table, key, item, version, epoch),
        Condition::Absent => put(table, key, item, Some("attribute_not_exists(pk)")),
        Condition::Anything => put(table, key, item, None),
    };
    built.map_err(|error| StoreError::Invalid(format!("an item cannot be written: {error}")))
}

fn to_item(key: &str, content: &Content<'_>) -> Result<Item, StoreError> {
    match content {
        Content::State(state) => item_of(key, state),
        Content::FirstStart(record) => item_of(key, record),
        Content::Transition(record) => item_of(key, record),
        Content::Command(record) => item_of(key, record),
    }
}

fn item_of(key: &str, content: &impl Serialize) -> Result<Item, StoreError> {
    serde_dynamo::to_item(content)
        .map_err(|error| StoreError::Invalid(format!("{key} cannot be written as an item: {error}")))
}

fn index(item: &mut Item, kind: &str, at: Timestamp) {
    item.insert(KIND.to_owned(), AttributeValue::S(kind.to_owned()));
    item.insert(TIME.to_owned(), AttributeValue::S(indexed_time(at)));
}

fn expire(item: &mut Item, at: Timestamp, retention: SignedDuration) {
    let expires = at.as_second().saturating_add(retention.as_secs());
    item.insert("ttl".to_owned(), AttributeValue::N(expires.to_string()));
}

fn put(table: &str, key: String, mut item: Item, condition: Option<&str>) -> Result<TransactWriteItem, BuildError> {
    item.insert("pk".to_owned(), AttributeValue::S(key));
    let put = Put::builder().table_name(table).set_item(Some(item));
    let put = put.set_condition_expression(condition.map(str::to_owned)).build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Replaces the known attributes of the stored state and keeps the others: a newer release may have written them, and
/// goes on from them after a rollback and a second deployment.
fn update(table: &str, key: String, item: Item, version: u64, epoch: u64) -> Result<TransactWriteItem, BuildError> {
    let number = |number: u64| AttributeValue::N(number.to_string());
    let absent: Vec<_> = SystemState::OPTIONAL.into_iter().filter(|name| !item.contains_key(*name)).collect();
    let names = item.keys().map(String::as_str).chain(absent.iter().copied());
    let names = names.map(|name| (format!("#{name}"), name.to_owned())).collect();
    let set: Vec<_> = item.keys().map(|name| format!("#{name} = :{name}")).collect();
    let mut expression = format!("SET {}", set.join(", "));
    if !absent.is_empty() {
        let removed: Vec<_> = absent.iter().map(|name| format!("#{name}")).collect();
        expression = format!("{expression} REMOVE {}", removed.join(", "));
    }
    let update = Update::builder()
        .table_name(table)
        .key("pk", AttributeValue::S(key))
        .update_expression(expression)
        .condition_expression("#version = :expectedVersion AND #epoch = :expectedEpoch")
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(
            item.into_iter().map(|(name, value)| (format!(":{name}"), value)).collect(),
        ))
        .expression_attribute_values(":expectedVersion", number(version))
        .expression_attribute_values(":expectedEpoch", number(epoch))
        .build()?;
    Ok(TransactWriteItem::builder().update(update).build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

    use breaker::{Level, Policy, PolicySettings, STATE_KEY, TransitionRecord, transition_key};

    use super::*;

    fn state() -> SystemState {
        let policy = Policy::new(PolicySettings::default()).unwrap();
        SystemState { version: 8, epoch: 3, ..SystemState::initial(&policy, Timestamp::UNIX_EPOCH) }
    }

    fn written(content: Content<'_>, condition: Condition) -> TransactWriteItem {
        let write = ItemWrite { key: STATE_KEY.to_owned(), content, condition };
        transaction_item("states", SignedDuration::from_hours(24), write).unwrap()
    }

    #[test]
    fn a_known_state_is_updated_attribute_by_attribute() {
        let state = SystemState { prevented: Some(Level::Degraded), ..state() };
        let item = written(Content::State(&state), Condition::StateAt { version: 7, epoch: 3 });
        let update = item.update().unwrap();
        let expression = update.update_expression();
        let (set, removed) = expression.strip_prefix("SET ").unwrap().split_once(" REMOVE ").unwrap();
        assert_eq!(removed, "#hold, #probing, #ramp");
        let names = update.expression_attribute_names().unwrap();
        let values = update.expression_attribute_values().unwrap();
        for assignment in set.split(", ") {
            let (name, value) = assignment.split_once(" = ").unwrap();
            assert_eq!((&name[1..], &value[1..]), (names[name].as_str(), names[name].as_str()));
            assert!(values.contains_key(value), "{assignment}");
        }
        assert_eq!(values[":prevented"], AttributeValue::N("2".to_owned()));
        // DynamoDB refuses a name or a value that no expression uses.
        assert_eq!(names.len(), set.split(", ").count() + 3);
        assert_eq!(values.len(), set.split(", ").count() + 2);
        assert!(!names.contains_key("#kind"), "the state is no record");
    }

    #[test]
    fn a_state_that_replaces_an_unknown_one_is_put_whole() {
        let state = state();
        for condition in [Condition::Absent, Condition::Anything] {
            let item = written(Content::State(&state), condition);
            let put = item.put().unwrap();
            assert_eq!(put.item()["pk"], AttributeValue::S(STATE_KEY.to_owned()));
            assert_eq!(put.condition_expression().is_some(), condition == Condition::Absent);
        }
    }

    #[test]
    fn records_are_in_the_index_by_time() {
        let time = |at: &str| {
            let record = TransitionRecord { epoch: 4, ..TransitionRecord::first_start(at.parse().unwrap(), "one") };
            let write = ItemWrite {
                key: transition_key(4),
                content: Content::Transition(&record),
                condition: Condition::Absent,
            };
            let item = transaction_item("states", SignedDuration::from_hours(24), write).unwrap();
            let item = item.put().unwrap().item().clone();
            assert_eq!(item[KIND], AttributeValue::S("transition".to_owned()));
            item[TIME].as_s().unwrap().clone()
        };
        let times = ["2026-11-30T15:06:50Z", "2026-11-30T15:06:50.1Z", "2026-11-30T15:06:50.123456789Z"].map(time);
        assert_eq!(times, ["2026-11-30T15:06:50.000Z", "2026-11-30T15:06:50.100Z", "2026-11-30T15:06:50.123Z"]);
        assert!(times.is_sorted());
    }
}
