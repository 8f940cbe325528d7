//! The contents of a release, and its identifier.

use std::collections::BTreeMap;

use deployment_file::Effective;
use sha2::{Digest, Sha256};

use crate::stack::unreleased;
use crate::{Names, Stack};

/// The functions of a release, in the order of the parameter `CodeKeys`.
pub const FUNCTIONS: [&str; 8] = [
    "controller",
    "full-service",
    "degraded-service",
    "maintenance-service",
    "alarm-processor",
    "evaluate-thresholds",
    "write-state",
    "emit-metrics",
];

/// The definition of the state machine in the Amazon States Language.
pub const STATE_MACHINE: &str = include_str!("../../../statemachines/level-transition.asl.json");

/// Length of a release's identifier, in hexadecimal digits.
const DIGITS: usize = 10;

/// The uploaded code of a release. Each key contains a hash of the content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// The bucket that contains the archives and the definition.
    pub bucket: String,
    /// The key of each function's archive, by the function's name in [`FUNCTIONS`].
    pub functions: BTreeMap<&'static str, String>,
    /// The key of the state machine's definition.
    pub state_machine: String,
}

impl Code {
    /// Returns the keys of all archives in the order of [`FUNCTIONS`], separated by commas. A function without a key
    /// leaves its place empty, which `CloudFormation` refuses.
    pub(crate) fn keys(&self) -> String {
        FUNCTIONS.map(|function| self.functions.get(function).map_or("", String::as_str)).join(",")
    }
}

/// Returns the identifier of the release: a hash of its code keys, templates and parameters.
#[must_use]
pub fn release(deployment: &Effective, names: &Names, code: &Code) -> String {
    identifier(&unreleased(deployment, names, code))
}

/// Returns the identifier of a release with these stacks. They must not have the parameter `ReleaseId` yet, whose value
/// is this identifier.
#[must_use]
pub fn identifier(stacks: &[Stack]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        // The length separates neighbouring texts, so that "ab", "c" and "a", "bc" have different hashes.
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    };
    for stack in stacks {
        add(&stack.name);
        add(&stack.template);
        for (name, value) in &stack.parameters {
            add(name);
            add(value);
        }
    }
    let number = hash.finalize().iter().take(DIGITS / 2).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:0DIGITS$x}")
}
