//! A stack, and its purpose.

use std::collections::BTreeMap;

/// The purpose of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The table and the key, which outlive the other stacks.
    Data,
    /// The request path and the control plane.
    Main,
    /// The level alarms, the alarms for people and the dashboard.
    Monitoring,
}

/// A stack with everything that its deployment needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The stack's purpose.
    pub role: Role,
    /// The stack's name.
    pub name: String,
    /// The template's text.
    pub template: String,
    /// The value of every parameter of the template.
    pub parameters: BTreeMap<String, String>,
    /// Whether the stack is protected from deletion and left unchanged by a rollback or a removal of the deployment.
    pub retained: bool,
}
