//! The schema of the section `policy`: bounds and descriptions of its numbers.

use breaker::{NUMBERS, Number, PolicySettings, Preset};
use schemars::Schema;
use serde_json::{Map, Value, json};

/// Gives each number the bounds and the description that it has in [`NUMBERS`], and the values of the presets.
pub(super) fn with_numbers(schema: &mut Schema) {
    let Some(groups) = properties(schema.as_object_mut()) else { return };
    // A key that is not set has the preset's value, so no key is required.
    for group in groups.values_mut().filter_map(Value::as_object_mut) {
        group.remove("required");
    }
    for (number, (group, name)) in NUMBERS.iter().filter_map(|number| Some((number, number.key.split_once('.')?))) {
        let numbers = properties(groups.get_mut(group).and_then(Value::as_object_mut));
        if let Some(node) = numbers.and_then(|numbers| numbers.get_mut(name)) {
            *node = described(number);
        }
    }
    schema.remove("required");
}

fn properties(schema: Option<&mut Map<String, Value>>) -> Option<&mut Map<String, Value>> {
    schema?.get_mut("properties")?.as_object_mut()
}

fn described(number: &Number) -> Value {
    let [classic, production] =
        [Preset::Classic, Preset::Production].map(|preset| number.of(&PolicySettings::of(preset)));
    let default = if classic == production {
        format!("Default: {classic}.")
    } else {
        format!("Default: {classic} in classic, {production} in production.")
    };
    json!({
        "description": format!("{}. {default}", sentence(number.description)),
        "type": "integer",
        "minimum": number.minimum,
        "maximum": number.maximum,
    })
}

/// Returns the description with an upper-case letter first.
pub(crate) fn sentence(description: &str) -> String {
    let mut characters = description.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use crate::schema::{keys, node};

    use super::*;

    #[test]
    fn every_number_of_the_section_is_a_number_of_the_policy() {
        let mut of_file: Vec<_> = keys();
        of_file.retain(|key| node(key).is_some_and(|node| key.starts_with("policy.") && node["type"] == "integer"));
        let mut of_policy: Vec<_> = NUMBERS.iter().map(|number| format!("policy.{}", number.key)).collect();
        of_policy.sort();
        assert_eq!(of_file, of_policy);
        for number in NUMBERS {
            let node = node(&format!("policy.{}", number.key)).unwrap();
            let bounds = (node["minimum"].as_i64().unwrap(), node["maximum"].as_i64().unwrap());
            assert_eq!(bounds, (number.minimum, number.maximum), "{}", number.key);
        }
    }
}
