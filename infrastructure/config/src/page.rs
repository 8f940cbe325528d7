//! The tables of the configuration page, from the type: a key, its default, what is allowed, and what it does.

use breaker::{NUMBERS, Preset};
use serde_json::Value;

use crate::file::DeploymentFile;
use crate::keys::at;
use crate::policy::{PolicySection, sentence};
use crate::schema::{allowed, keys, node};

/// Returns one table for each section of the file, in Markdown.
#[must_use]
pub fn tables() -> String {
    let keys = keys();
    let defaults = serde_json::to_value(DeploymentFile::default()).unwrap_or_default();
    let section = |key: &str| key.split_once('.').map(|(section, _)| section.to_owned()).unwrap_or_default();
    let mut sections: Vec<String> = keys.iter().map(|key| section(key)).collect();
    sections.dedup();
    let text_of = |section: &String| {
        let rows = keys.iter().filter(|key| key.starts_with(&format!("{section}.")));
        let rows: Vec<String> = rows.map(|key| row(key, &defaults)).collect();
        let title = node(section).and_then(|node| node.get("description")).and_then(Value::as_str).unwrap_or_default();
        let default = if section == "policy" { "classic | production" } else { "default" };
        let rule = if section == "policy" { "---|---" } else { "---" };
        format!(
            "### {section}\n\n{title}\n\n| key | {default} | allowed | what it does |\n|---|{rule}|---|---|\n{}",
            rows.concat()
        )
    };
    sections.iter().map(text_of).collect::<Vec<_>>().join("\n")
}

fn row(key: &str, defaults: &Value) -> String {
    let node = node(key).cloned().unwrap_or_default();
    let number = key.strip_prefix("policy.").and_then(|key| NUMBERS.iter().find(|number| number.key == key));
    let description = match number {
        // The schema's description repeats the presets' values, which have columns of their own here.
        Some(number) => format!("{}.", sentence(number.description)),
        None => node.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    let default = match key.strip_prefix("policy.") {
        Some(key) => [Preset::Classic, Preset::Production].map(|preset| of_preset(key, preset)).join(" | "),
        None => shown(&at(defaults, key)),
    };
    format!("| `{key}` | {default} | {} | {} |\n", cell(&allowed(&node)), cell(&description))
}

fn of_preset(key: &str, preset: Preset) -> String {
    shown(&at(&serde_json::to_value(PolicySection::from(preset)).unwrap_or_default(), key))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        value => cell(&format!("`{value}`")),
    }
}

/// Returns a text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
