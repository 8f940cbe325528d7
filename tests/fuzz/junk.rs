//! Generates input: JSON of any kind, difficult texts, and valid input with changes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Number, Value, json};

/// Generates texts of any kind, often texts that a parser treats specially.
pub fn text() -> impl Strategy<Value = String> {
    let telling = select(vec![
        "",
        " ",
        "force",
        "ALARM",
        "Notification",
        "1",
        "null",
        "2026-09-10T14:06:12Z",
        "2026-09-10T14:06:12.5+0000",
        "2026-02-30T00:00:00Z",
        "9999-12-30T22:00:00Z",
        "\u{202e}",
        "\u{feff}",
        "\u{2028}",
        "\u{0}",
        "a\nb",
        "{",
        "[]",
    ]);
    prop_oneof![
        4 => telling.prop_map(str::to_owned),
        4 => any::<String>(),
        1 => (0..700_usize).prop_map(|length| "ü".repeat(length)),
    ]
}

/// Generates numbers, often at the bound of a range.
pub fn number() -> impl Strategy<Value = Number> {
    let edges = select(vec![0_u64, 1, 2, 3, 4, 255, 4320, 4321, 1 << 32, (1 << 53) - 1, 1 << 53, u64::MAX]);
    prop_oneof![
        4 => edges.prop_map(Number::from),
        1 => any::<u64>().prop_map(Number::from),
        2 => any::<i64>().prop_map(Number::from),
        1 => any::<f64>().prop_filter_map("JSON has no infinity", Number::from_f64),
    ]
}

/// Generates JSON that is neither a list nor an object.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => number().prop_map(Value::Number),
        2 => text().prop_map(Value::String),
    ]
}

/// Generates any JSON.
pub fn json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((name(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Generates names of members, mostly names that a parser knows.
pub fn name() -> impl Strategy<Value = String> {
    let known = select(vec![
        "trigger",
        "alarm",
        "name",
        "arn",
        "stateChangeTime",
        "targetLevel",
        "reason",
        "requestedBy",
        "holdMinutes",
        "expectedEpoch",
        "expectedHold",
        "repair",
        "dryRun",
        "Type",
        "Message",
        "AlarmName",
        "AlarmArn",
        "NewStateValue",
        "StateChangeTime",
        "Trigger",
        "MetricName",
        "statusCode",
        "headers",
        "rawPath",
        "requestContext",
        "http",
        "method",
        "level",
        "expiresAt",
        "doublings",
        "recoveredAt",
        "version",
        "epoch",
        "currentLevel",
        "kind",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => text()]
}

/// A change at one place of a JSON value.
#[derive(Clone, Debug)]
pub enum Change {
    Remove,
    Replace(Value),
    Add(String, Value),
    Wrap,
}

/// Generates one of `good` with up to three changes.
pub fn mutated(good: Vec<Value>) -> impl Strategy<Value = Value> {
    let change = prop_oneof![
        1 => Just(Change::Remove),
        5 => scalar().prop_map(Change::Replace),
        1 => json().prop_map(Change::Replace),
        1 => (name(), json()).prop_map(|(name, value)| Change::Add(name, value)),
        1 => Just(Change::Wrap),
    ];
    (select(good), vec((any::<Index>(), change), 0..=3)).prop_map(|(mut value, changes)| {
        for (place, change) in changes {
            let mut places = Vec::new();
            collect_places(&value, String::new(), &mut places);
            apply(&mut value, place.get(places.as_slice()).as_str(), change);
        }
        value
    })
}

fn collect_places(value: &Value, at: String, places: &mut Vec<String>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inside {
        collect_places(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), places);
    }
    places.push(at);
}

fn apply(value: &mut Value, at: &str, change: Change) {
    match change {
        Change::Remove => {
            let Some((parent, name)) = at.rsplit_once('/') else { return };
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.remove(&name.replace("~1", "/").replace("~0", "~"));
            }
        }
        Change::Replace(new) => *value.pointer_mut(at).unwrap() = new,
        Change::Add(name, new) => {
            if let Some(Value::Object(members)) = value.pointer_mut(at) {
                members.insert(name, new);
            }
        }
        // An object becomes the list of its members' values, anything else a list of itself.
        Change::Wrap => {
            let place = value.pointer_mut(at).unwrap();
            *place = match place.take() {
                Value::Object(members) => members.into_iter().map(|(_, value)| value).collect(),
                plain => json!([plain]),
            };
        }
    }
}

/// Generates texts in which a few characters are replaced, removed or added.
pub fn corrupted(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), 0..8_usize, prop_oneof![Just(String::new()), "[\\x00-\\x7f]{1,3}", any::<String>()]);
    (text, vec(edit, 0..=2)).prop_map(|(mut text, edits)| {
        for (place, length, new) in edits {
            let from = text.floor_char_boundary(place.index(text.len() + 1));
            let to = text.ceil_char_boundary((from + length).min(text.len()));
            text.replace_range(from..to, &new);
        }
        text
    })
}
