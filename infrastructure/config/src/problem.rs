//! The problems of a file.

use std::fmt;

/// One mistake: its place, the value, and the allowed values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as it was named, or the option that set the value.
    pub place: String,
    /// The line in the file, from 1; None for an option, and for a mistake that concerns no single line.
    pub line: Option<usize>,
    /// The key, dotted from the top of the file; empty if the file cannot be read at all.
    pub key: String,
    /// The problem, and the allowed values.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.key.is_empty() { write!(f, ": {}", self.text) } else { write!(f, ": {} {}", self.key, self.text) }
    }
}

/// Every mistake of a file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
