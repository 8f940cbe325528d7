//! Checks the templates after the SAM transform for what a bank's reviewer looks for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod alarms;
mod api;
mod dashboard;
mod encryption;
mod functions;
mod hints;
mod parameters;
mod policy;
mod resolve;
mod roles;
mod stacks;

use std::collections::BTreeMap;
use std::fs;

use local::folders;
use local::python::Python;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The path of the main stack's template in the project.
const MAIN: &str = "infrastructure/circuit-breaker-infrastructure.yaml";
/// The path of the data stack's template in the project.
const DATA: &str = "infrastructure/circuit-breaker-data.yaml";

/// The text of the main stack's template as it is written, comments included.
fn source() -> String {
    fs::read_to_string(folders::project().join(MAIN)).unwrap()
}

/// A template after the SAM transform.
struct Template(Value);

impl Template {
    /// The main stack's template with the parameters' defaults.
    async fn plain() -> &'static Self {
        static PLAIN: OnceCell<Template> = OnceCell::const_new();
        PLAIN.get_or_init(|| Self::with(&[])).await
    }

    /// The data stack's template.
    async fn data() -> &'static Self {
        static DATA_STACK: OnceCell<Template> = OnceCell::const_new();
        DATA_STACK.get_or_init(|| Self::transformed(DATA, &[])).await
    }

    /// The main stack's template with these parameters.
    async fn with(parameters: &[&str]) -> Self {
        Self::transformed(MAIN, parameters).await
    }

    async fn transformed(path: &str, parameters: &[&str]) -> Self {
        let python = Python::for_tests().await.unwrap();
        let mut command = Command::new(python.program("python"));
        command
            .arg(folders::project().join("infrastructure/local/transform.py"))
            .arg(folders::project().join(path))
            .args(parameters);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn section(&self, name: &str) -> BTreeMap<&str, &Value> {
        self.0[name].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// The resources of a type by logical name. Fails if there are none, so that no test passes without checking any.
    fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let found: BTreeMap<_, _> =
            self.section("Resources").into_iter().filter(|(_, resource)| resource["Type"] == kind).collect();
        assert!(!found.is_empty(), "the template has no {kind}");
        found
    }

    fn resource(&self, name: &str) -> &Value {
        self.section("Resources").get(name).unwrap_or_else(|| panic!("the template has no resource {name}"))
    }
}

/// The elements of a list; a value that is no list is its only element.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// Whether a value names this resource, at any depth.
fn names(value: &Value, resource: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| match (key.as_str(), value) {
            ("Ref", Value::String(name)) => name == resource,
            ("Fn::GetAtt", Value::Array(parts)) => parts.first().is_some_and(|name| name == resource),
            (_, value) => names(value, resource),
        }),
        Value::Array(values) => values.iter().any(|value| names(value, resource)),
        _ => false,
    }
}
