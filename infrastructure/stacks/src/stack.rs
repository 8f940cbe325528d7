//! The stacks of a deployment, in the order of their creation.

use std::collections::BTreeMap;

use deployment_file::Effective;

use crate::release::identifier;
use crate::{Code, Names, monitoring, parameters};

const DATA: &str = include_str!("../../circuit-breaker-data.yaml");
/// The template of the main stack.
pub const MAIN: &str = include_str!("../../circuit-breaker-infrastructure.yaml");
/// Path of that template's file, below the project's folder.
pub const MAIN_FILE: &str = "infrastructure/circuit-breaker-infrastructure.yaml";

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

/// Returns the stacks of a deployment, in the order of their creation.
#[must_use]
pub fn stacks(deployment: &Effective, names: &Names, code: &Code) -> Vec<Stack> {
    let mut stacks = unreleased(deployment, names, code);
    let release = identifier(&stacks);
    for stack in stacks.iter_mut().filter(|stack| stack.role == Role::Main) {
        stack.parameters.insert("ReleaseId".to_owned(), release.clone());
    }
    stacks
}

/// Returns the stacks without the release's identifier, because the identifier is derived from them.
pub(crate) fn unreleased(deployment: &Effective, names: &Names, code: &Code) -> Vec<Stack> {
    let stack = |role, template: String, parameters| Stack {
        role,
        name: names.stack(role),
        template,
        parameters,
        retained: role == Role::Data,
    };
    vec![
        stack(Role::Data, DATA.to_owned(), parameters::of_data(deployment, names)),
        stack(Role::Main, MAIN.to_owned(), parameters::of_main(deployment, names, code)),
        stack(Role::Monitoring, monitoring::template(deployment, names), BTreeMap::new()),
    ]
}
