//! The section `policy`: a preset and what differs from it, in groups.

use std::borrow::Cow;
use std::str::FromStr;

use breaker::{Mode, NUMBERS, Number, Policy, PolicySettings, Preset, RecoveryEvidence, TripWhen, UnknownWord};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// When the level falls and when it recovers: the preset `classic` or `production`, and every setting that differs
/// from it. The numbers, their keys and their bounds are those of [`breaker::NUMBERS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicySection(PolicySettings);

impl PolicySection {
    /// Checks the combination of the settings with the rules that the Lambdas use.
    ///
    /// # Errors
    /// Returns the key, below `policy.`, of a setting that does not fit the others, and why.
    pub fn policy(&self) -> Result<Policy, (String, String)> {
        Policy::new(self.0).map_err(|error| (error.setting.to_owned(), with_keys(&error.problem)))
    }

    /// Returns the settings, the preset's included.
    #[must_use]
    pub const fn settings(&self) -> &PolicySettings {
        &self.0
    }

    /// Reads a section that the schema has accepted.
    fn from_object(object: &Map<String, Value>) -> Result<Self, String> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let told = |error: UnknownWord| error.to_string();
        let preset = text("preset").map(Preset::from_str).transpose().map_err(told)?.unwrap_or_default();
        let mut settings = PolicySettings::of(preset);
        if let Some(mode) = text("mode") {
            settings.mode = mode.parse().map_err(told)?;
        }
        if let Some(evidence) = text("recovery_evidence") {
            settings.recovery_evidence = evidence.parse().map_err(told)?;
        }
        if let Some(together) = text("trip_when") {
            settings.trip_when = together.parse().map_err(told)?;
        }
        for number in NUMBERS {
            if let Some(value) = find(object, number) {
                number
                    .set(&mut settings, value.as_i64().ok_or_else(|| format!("{} is not a whole number", number.key))?);
            }
        }
        Ok(Self(settings))
    }
}

fn find<'a>(object: &'a Map<String, Value>, number: &Number) -> Option<&'a Value> {
    let (group, name) = number.key.split_once('.')?;
    object.get(group)?.get(name)
}

/// The sentence with the keys as they stand in the file.
fn with_keys(problem: &str) -> String {
    let mut names: Vec<_> = NUMBERS.iter().map(|number| number.key).collect();
    names.extend(["recovery_evidence", "trip_when"]);
    names.iter().fold(problem.to_owned(), |text, name| text.replace(name, &format!("policy.{name}")))
}

impl From<PolicySettings> for PolicySection {
    fn from(settings: PolicySettings) -> Self {
        Self(settings)
    }
}

impl Serialize for PolicySection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let settings = &self.0;
        let mut object = json!({
            "preset": settings.preset.word(),
            "mode": settings.mode.word(),
            "recovery_evidence": settings.recovery_evidence.word(),
            "trip_when": settings.trip_when.word(),
        });
        for (number, (group, name)) in NUMBERS.iter().filter_map(|number| Some((number, number.key.split_once('.')?))) {
            if let Some(members) = object.as_object_mut() {
                let group = members.entry(group).or_insert_with(|| json!({}));
                if let Some(group) = group.as_object_mut() {
                    group.insert(name.to_owned(), number.of(settings).into());
                }
            }
        }
        object.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PolicySection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_object(&Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for PolicySection {
    fn schema_name() -> Cow<'static, str> {
        "PolicySection".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = |description: &str, words: Vec<&str>| json!({ "description": description, "type": "string", "enum": words });
        let mut properties = json!({
            "preset": words("The rules to start from: classic counts failures, production goes by rates and recovers by probes.", Preset::ALL.iter().map(|word| word.word()).collect()),
            "mode": words("observe-only tells what automation would do and leaves the level to operators.", Mode::ALL.iter().map(|word| word.word()).collect()),
            "recovery_evidence": words("What a recovery rests on: successes at the current level, or probes of the better one. Default: the preset's.", RecoveryEvidence::ALL.iter().map(|word| word.word()).collect()),
            "trip_when": words("Whether any rule is enough for a fall, or count and rate only together. Default: the preset's.", TripWhen::ALL.iter().map(|word| word.word()).collect()),
        });
        let (classic, production) = (PolicySettings::classic(), PolicySettings::production());
        for (number, (group, name)) in NUMBERS.iter().filter_map(|number| Some((number, number.key.split_once('.')?))) {
            let (of_classic, of_production) = (number.of(&classic), number.of(&production));
            let default = if of_classic == of_production {
                format!("Default: {of_classic}.")
            } else {
                format!("Default: {of_classic} in classic, {of_production} in production.")
            };
            if let Some(properties) = properties.as_object_mut() {
                let group = properties
                    .entry(group)
                    .or_insert_with(|| json!({ "type": "object", "additionalProperties": false, "properties": {} }));
                if let Some(members) = group.get_mut("properties").and_then(Value::as_object_mut) {
                    members.insert(
                        name.to_owned(),
                        json!({
                            "description": format!("{}. {default}", sentence(number.description)),
                            "type": "integer",
                            "minimum": number.minimum,
                            "maximum": number.maximum,
                        }),
                    );
                }
            }
        }
        json_schema!({
            "description": "When the level falls and when it recovers.",
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// The description with an upper-case letter first.
fn sentence(description: &str) -> String {
    let mut characters = description.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
