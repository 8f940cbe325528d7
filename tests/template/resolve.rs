//! Resolves a template's conditions, references and substitutions for given parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Template, list};

/// A template with parameters.
pub struct Resolved<'a> {
    template: &'a Template,
    parameters: BTreeMap<String, String>,
}

impl<'a> Resolved<'a> {
    /// The template with these parameters; the others have their defaults.
    pub fn new(template: &'a Template, overrides: &[(&str, &str)]) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let defaults = template.section("Parameters").into_iter();
        let mut parameters: BTreeMap<_, _> =
            defaults.map(|(name, parameter)| (name.to_owned(), text(&parameter["Default"]))).collect();
        for (name, value) in overrides {
            assert!(parameters.insert((*name).to_owned(), (*value).to_owned()).is_some(), "no parameter {name}");
        }
        Self { template, parameters }
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> &str {
        &self.parameters[name]
    }

    /// The properties of the resources of a type that exist with these parameters.
    pub fn of_type(&self, kind: &str) -> Vec<Value> {
        let resources = self.template.of_type(kind).into_values();
        let exists = |resource: &&Value| resource["Condition"].as_str().is_none_or(|name| self.condition(name));
        resources.filter(exists).map(|resource| self.value(&resource["Properties"])).collect()
    }

    fn condition(&self, name: &str) -> bool {
        self.holds(self.template.section("Conditions")[name])
    }

    fn holds(&self, condition: &Value) -> bool {
        let (function, argument) = condition.as_object().unwrap().iter().next().unwrap();
        let arguments = list(argument);
        match function.as_str() {
            "Condition" => self.condition(argument.as_str().unwrap()),
            "Fn::Equals" => self.value(arguments[0]) == self.value(arguments[1]),
            "Fn::Not" => !self.holds(arguments[0]),
            "Fn::And" => arguments.into_iter().all(|one| self.holds(one)),
            "Fn::Or" => arguments.into_iter().any(|one| self.holds(one)),
            other => panic!("the condition {other} is not known here"),
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(values) => values.iter().map(|value| self.value(value)).collect(),
            Value::Object(map) => self.object(map),
            plain => plain.clone(),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Value {
        let only = map.iter().next().filter(|_| map.len() == 1);
        match only.map(|(key, value)| (key.as_str(), value)) {
            Some(("Ref", Value::String(name))) if self.parameters.contains_key(name) => self.parameter(name).into(),
            Some(("Fn::If", Value::Array(parts))) => {
                let chosen = if self.condition(parts[0].as_str().unwrap()) { &parts[1] } else { &parts[2] };
                self.value(chosen)
            }
            Some(("Fn::Sub", Value::String(text))) => self.substituted(text, &Map::new()),
            Some(("Fn::Sub", Value::Array(parts))) => {
                self.substituted(parts[0].as_str().unwrap(), parts[1].as_object().unwrap())
            }
            _ => map.iter().map(|(key, value)| (key.clone(), self.value(value))).collect::<Map<_, _>>().into(),
        }
    }

    fn substituted(&self, text: &str, values: &Map<String, Value>) -> Value {
        let mut text = text.to_owned();
        for (name, value) in values {
            let value = self.value(value);
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("${{{name}}}"), &value);
        }
        for (name, value) in &self.parameters {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text.into()
    }
}
