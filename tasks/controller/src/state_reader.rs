//! What the table says about where to route: less than the tasks of the state machine need of it.
//!
//! Routing needs the level alone. A state item with a newer layout is therefore routed by its level even
//! where this version cannot make sense of the rest, so that a roll-out can go either way. An item with the
//! layout of this version must make sense as a whole: where part of it is garbage, so may the level be.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{Level, SCHEMA_VERSION, SystemState};
use platform::state_store::{STATE_KEY, StoreError, record_key, state_from_item};

type Item = HashMap<String, AttributeValue>;

/// What the table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredLevel {
    /// A level, and the state around it where this version understands it.
    Known(Level, Option<Arc<SystemState>>),
    /// Nothing at all: a first start.
    Nothing,
    /// No state, but a history: the state was lost.
    Lost,
}

/// Reads where to route.
pub trait LevelReader {
    /// What the table holds now, give or take a moment.
    fn read(&self) -> impl Future<Output = Result<StoredLevel, StoreError>> + Send;
}

/// The state table in `DynamoDB`, as the controller reads it.
#[derive(Clone, Debug)]
pub struct LevelTable {
    /// A client with the timeouts of routing.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

impl LevelTable {
    async fn item(&self, key: &str) -> Result<Option<Item>, StoreError> {
        // Eventually consistent: half the price, and a moment late at worst.
        self.client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(key.to_owned()))
            .send()
            .await
            .map(|answer| answer.item)
            .map_err(|error| StoreError(format!("the state table cannot be read: {}", DisplayErrorContext(&error))))
    }
}

impl LevelReader for LevelTable {
    async fn read(&self) -> Result<StoredLevel, StoreError> {
        if let Some(item) = self.item(STATE_KEY).await? {
            return level_from_item(item);
        }
        let history = self.item(&record_key(0)).await?;
        Ok(if history.is_some() { StoredLevel::Lost } else { StoredLevel::Nothing })
    }
}

/// Reads the state item.
///
/// # Errors
/// The level makes no sense, or another attribute of a layout that this version knows.
pub fn level_from_item(item: Item) -> Result<StoredLevel, StoreError> {
    let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok());
    let newer = number("schemaVersion")
        .and_then(|version| version.parse::<u64>().ok())
        .is_some_and(|version| version > SCHEMA_VERSION.into());
    let level =
        number("currentLevel").and_then(|level| level.parse::<u8>().ok()).and_then(|level| Level::try_from(level).ok());
    match (state_from_item(item), level) {
        (Ok(state), _) => Ok(StoredLevel::Known(state.current_level, Some(Arc::new(state)))),
        (Err(_), Some(level)) if newer => Ok(StoredLevel::Known(level, None)),
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use breaker::{Policy, PolicySettings};
    use jiff::Timestamp;

    use super::*;

    fn state() -> SystemState {
        let policy = Policy::new(PolicySettings::default()).unwrap();
        SystemState { current_level: Level::Degraded, ..SystemState::initial(&policy, Timestamp::UNIX_EPOCH) }
    }

    fn number(number: &str) -> AttributeValue {
        AttributeValue::N(number.to_owned())
    }

    fn item_with(attributes: &[(&str, AttributeValue)]) -> Item {
        let mut item: Item = serde_dynamo::to_item(state()).unwrap();
        item.extend(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        item
    }

    #[test]
    fn a_state_is_read_whole() {
        let known = StoredLevel::Known(Level::Degraded, Some(Arc::new(state())));
        assert_eq!(level_from_item(item_with(&[])), Ok(known));
    }

    #[test]
    fn a_newer_layout_is_routed_by_its_level_whatever_the_rest_looks_like() {
        let future = AttributeValue::L(vec![AttributeValue::Bool(true)]);
        for odd in ["hold", "version", "evidenceSince", "execution", "transitionReason"] {
            let item = item_with(&[("schemaVersion", number("2")), (odd, future.clone())]);
            assert_eq!(level_from_item(item), Ok(StoredLevel::Known(Level::Degraded, None)), "{odd}");
        }
        let alone = Item::from([("currentLevel".to_owned(), number("3")), ("schemaVersion".to_owned(), number("9"))]);
        assert_eq!(level_from_item(alone), Ok(StoredLevel::Known(Level::Maintenance, None)));
    }

    #[test]
    fn a_newer_layout_that_this_version_understands_keeps_its_state() {
        let item = item_with(&[("schemaVersion", number("2")), ("fromTheFuture", number("1"))]);
        let expected = SystemState { schema_version: 2, ..state() };
        assert_eq!(level_from_item(item), Ok(StoredLevel::Known(Level::Degraded, Some(Arc::new(expected)))));
    }

    #[test]
    fn garbage_is_never_routed_by() {
        let text = AttributeValue::S("two".to_owned());
        for attributes in [
            vec![("currentLevel", number("4"))],
            vec![("currentLevel", text.clone())],
            vec![("currentLevel", number("4")), ("schemaVersion", number("2"))],
            vec![("currentLevel", text.clone()), ("schemaVersion", number("2"))],
            vec![("version", text.clone())],
            vec![("version", text.clone()), ("schemaVersion", text)],
        ] {
            assert!(level_from_item(item_with(&attributes)).is_err(), "{attributes:?}");
        }
    }
}
