//! The refusal of an item.

/// An attribute that is not consistent with the others, as in no item that was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{attribute}` {problem}")]
pub struct InvalidAttribute {
    /// The path of the attribute, with dots.
    pub attribute: String,
    /// The problem, as the words after the attribute in a sentence: the value and what would fit.
    pub problem: String,
}

impl InvalidAttribute {
    pub(crate) fn new(attribute: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), problem: problem.into() }
    }

    /// Returns the problem with its path below `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { attribute: format!("{outer}.{}", self.attribute), ..self }
    }
}
