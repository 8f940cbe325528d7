//! The source of a setting.

use std::fmt;

use serde::Serialize;

/// The source of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Origin {
    /// The file sets it.
    File {
        /// The line, from 1.
        line: usize,
    },
    /// `--set` sets it for this run.
    Override,
    /// The preset of the policy sets it.
    Preset,
    /// It is the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line } => write!(f, "line {line}"),
            Self::Override => f.write_str("--set"),
            Self::Preset => f.write_str("preset"),
            Self::Default => f.write_str("default"),
        }
    }
}
