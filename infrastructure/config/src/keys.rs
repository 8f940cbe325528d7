//! Keys of the file, dotted from its top: `policy.rates.failure_percent`.

use serde_json::Value;

/// Returns the key of `name` in the section `prefix`, which is empty at the top of the file.
pub(crate) fn dotted(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Returns the value of `key` in `tree`; null if the tree does not have it.
pub(crate) fn at(tree: &Value, key: &str) -> Value {
    key.split('.').try_fold(tree, |node, name| node.get(name)).cloned().unwrap_or_default()
}
