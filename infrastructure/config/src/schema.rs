//! The file's JSON Schema, and its description of a key.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::file::DeploymentFile;
use crate::keys::dotted;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<DeploymentFile>().to_value();
    // The descriptions contain the defaults; those of whole sections would repeat them.
    if let Some(sections) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for section in sections.values_mut().filter_map(Value::as_object_mut) {
            section.remove("default");
        }
    }
    schema
});

/// Returns the JSON Schema (draft 2020-12) of the file, for editors.
#[must_use]
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// Returns every key that holds a value, dotted from the top of the file, in the order of the schema.
pub(crate) fn keys() -> Vec<String> {
    keys_and_sections()
        .into_iter()
        .filter(|key| node(key).is_some_and(|node| node.get("properties").is_none()))
        .collect()
}

/// Returns every key and every section.
pub(crate) fn keys_and_sections() -> Vec<String> {
    fn collect(node: &Value, prefix: &str, keys: &mut Vec<String>) {
        if !prefix.is_empty() {
            keys.push(prefix.to_owned());
        }
        let Some(properties) = node.get("properties").and_then(Value::as_object) else { return };
        for (name, node) in properties {
            let key = dotted(prefix, name);
            collect(node, &key, keys);
        }
    }
    let mut keys = Vec::new();
    collect(&SCHEMA, "", &mut keys);
    keys
}

/// Returns the schema's description of `key`.
pub(crate) fn node(key: &str) -> Option<&'static Value> {
    key.split('.').try_fold(&*SCHEMA, |node, name| node.get("properties")?.get(name))
}

/// Returns the allowed values at `node` as a sentence.
pub(crate) fn allowed(node: &Value) -> String {
    let bound = |name: &str| node.get(name).map(ToString::to_string);
    let words = |options: &[Value]| {
        let words: Vec<_> = options.iter().map(ToString::to_string).collect();
        format!("one of {}", words.join(", "))
    };
    if let Some(text) = node.get("patternErrorMessage").and_then(Value::as_str) {
        return text.to_owned();
    }
    if let Some(options) = node.get("enum").and_then(Value::as_array) {
        return words(options);
    }
    if let Some(options) = node.get("oneOf").and_then(Value::as_array) {
        // An enum whose variants have descriptions: each a constant.
        return words(&options.iter().filter_map(|option| option.get("const").cloned()).collect::<Vec<_>>());
    }
    let number = |name: &str| match (bound("minimum"), bound("maximum")) {
        (Some(minimum), Some(maximum)) => format!("a {name} from {minimum} to {maximum}"),
        _ => format!("a {name}"),
    };
    match node.get("type").and_then(Value::as_str) {
        Some("integer") => number("whole number"),
        Some("number") => number("number"),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list of texts, such as [\"one\", \"two\"]".to_owned(),
        Some("object") => "a section with keys of its own".to_owned(),
        _ => match bound("maxLength") {
            Some(maximum) => format!("a text of 1 to {maximum} characters"),
            None => "a text".to_owned(),
        },
    }
}
