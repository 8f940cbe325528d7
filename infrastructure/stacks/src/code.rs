//! The code of a release.

use std::collections::BTreeMap;

/// The functions of a release, in the order of the parameter `CodeKeys`.
pub const FUNCTIONS: [&str; 9] = [
    "controller",
    "full-service",
    "degraded-service",
    "maintenance-service",
    "alarm-processor",
    "evaluate-thresholds",
    "write-state",
    "emit-metrics",
    "status",
];

/// The definition of the state machine in the Amazon States Language.
pub const STATE_MACHINE: &str = include_str!("../../../statemachines/level-transition.asl.json");

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
