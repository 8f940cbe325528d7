//! The settings in force, each with its source.

use std::time::Duration;

use breaker::{Policy, Preset};
use serde::Serialize;
use serde_json::Value;

use crate::file::DeploymentFile;
use crate::keys::at;
use crate::origin::Origin;
use crate::policy::PolicySection;
use crate::problem::{Problem, Problems};
use crate::schema::keys;
use crate::source::{Override, Source};
use crate::{check, functions};

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// The key, dotted from the top of the file.
    pub key: String,
    /// The value; null if it is not set and has no default.
    pub value: Value,
    /// Its source.
    pub origin: Origin,
}

/// A checked file: every value is allowed, and all of them fit together.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The file, defaults included.
    pub file: DeploymentFile,
    /// The policy that the file describes.
    pub policy: Policy,
    /// Every setting, in the order of the schema.
    pub settings: Vec<Setting>,
}

impl Effective {
    /// Returns how long a call for a GET or HEAD may take; `None`: as long as the service.
    #[must_use]
    pub fn read_timeout(&self) -> Option<Duration> {
        self.file.read_timeout()
    }

    /// Returns the settings that the functions get: those that differ from the defaults, and those of the policy that
    /// differ from its preset, as a JSON object with the keys of the file.
    #[must_use]
    pub fn breaker_config(&self) -> String {
        functions::breaker_config(&self.file)
    }

    /// Reads the text of a file, whose name is `place`, with the overrides of one run.
    ///
    /// # Errors
    /// Every problem, with place, key, value and allowed values. Contradictions between values are reported only if
    /// each value alone is valid.
    pub fn read(place: &str, text: &str, overrides: &[Override]) -> Result<Self, Problems> {
        let source = Source::read(place, text, overrides).map_err(|problem| Problems(vec![problem]))?;
        let problems = check::values(&source);
        if !problems.is_empty() {
            return Err(sorted(problems));
        }
        let file: DeploymentFile = serde_json::from_value(source.value.clone())
            .map_err(|error| Problems(vec![source.problem("", error.to_string())]))?;
        let problems = check::combinations(&source, &file);
        match file.policy.policy() {
            Ok(policy) if problems.is_empty() => {
                let settings = settings(&source, &file);
                Ok(Self { file, policy, settings })
            }
            _ => Err(sorted(problems)),
        }
    }
}

fn sorted(mut problems: Vec<Problem>) -> Problems {
    problems.sort();
    problems.dedup();
    Problems(problems)
}

fn settings(source: &Source, file: &DeploymentFile) -> Vec<Setting> {
    let whole = serde_json::to_value(file).unwrap_or_default();
    let of_preset = serde_json::to_value(PolicySection::from(file.policy.settings().preset)).unwrap_or_default();
    let of_classic = serde_json::to_value(PolicySection::from(Preset::Classic)).unwrap_or_default();
    let origin = |key: &str| {
        source.origin(key).unwrap_or_else(|| match key.strip_prefix("policy.") {
            Some(key) if at(&of_preset, key) != at(&of_classic, key) => Origin::Preset,
            _ => Origin::Default,
        })
    };
    keys().into_iter().map(|key| Setting { value: at(&whole, &key), origin: origin(&key), key }).collect()
}
