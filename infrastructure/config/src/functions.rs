//! The settings that the functions get: the variable `BREAKER_CONFIG`.

use breaker::{FUNCTION_KEYS, NUMBERS, PolicySettings, Preset};
use serde_json::{Map, Value};

use crate::file::DeploymentFile;
use crate::keys::at;
use crate::policy::PolicySection;
use crate::problem::Problem;
use crate::source::Source;

/// Maximum length of the variable in bytes. Lambda takes 4,096 bytes for all variables of a function.
pub const MAXIMUM_CONFIG_BYTES: usize = 3_000;

/// Returns the value of the variable: the settings that differ from the defaults, and those of the policy that differ
/// from its preset, as a JSON object with the keys of the file.
pub(crate) fn breaker_config(file: &DeploymentFile) -> String {
    let preset = file.policy.settings().preset;
    let settings = PolicySettings { preset: Preset::default(), ..PolicySettings::of(preset) };
    let usual = DeploymentFile { policy: PolicySection::from(settings), ..DeploymentFile::default() };
    let (set, usual) =
        (serde_json::to_value(file).unwrap_or_default(), serde_json::to_value(usual).unwrap_or_default());
    let numbers = NUMBERS.iter().map(|number| format!("policy.{}", number.key));
    let keys = FUNCTION_KEYS.into_iter().map(str::to_owned).chain(numbers);
    let told: Map<String, Value> = keys
        .map(|key| (at(&set, &key), at(&usual, &key), key))
        .filter(|(set, usual, _)| set != usual)
        .map(|(set, _, key)| (key, set))
        .collect();
    Value::from(told).to_string()
}

/// Refuses settings that are too long for the variable.
pub(crate) fn too_long(source: &Source, file: &DeploymentFile) -> Option<Problem> {
    refusal(source, breaker_config(file).len())
}

fn refusal(source: &Source, length: usize) -> Option<Problem> {
    (length > MAXIMUM_CONFIG_BYTES).then(|| {
        let text = format!(
            "the settings that differ from the defaults make {length} bytes for the functions, and at most \
             {MAXIMUM_CONFIG_BYTES} are allowed"
        );
        source.problem("", text)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use super::*;

    /// No file of today reaches the limit, so the length is given.
    #[test]
    fn more_bytes_than_lambda_takes_are_refused_with_their_number() {
        let source = Source::read("a file", "", &[]).unwrap();
        assert_eq!(refusal(&source, MAXIMUM_CONFIG_BYTES), None);
        let refused = refusal(&source, MAXIMUM_CONFIG_BYTES + 1).unwrap().to_string();
        assert!(refused.contains("3001 bytes") && refused.contains("at most 3000"), "{refused}");
    }
}
