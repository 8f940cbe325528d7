//! The stacks of a deployment, put together in the order of their creation.

use std::collections::BTreeMap;

use deployment_file::Effective;

use crate::code::Code;
use crate::identifier::identifier;
use crate::names::Names;
use crate::stack::{Role, Stack};
use crate::{monitoring, parameters};

const DATA: &str = include_str!("../../circuit-breaker-data.yaml");
/// The template of the main stack.
pub const MAIN: &str = include_str!("../../circuit-breaker-infrastructure.yaml");
/// Path of that template's file, below the project's folder.
pub const MAIN_FILE: &str = "infrastructure/circuit-breaker-infrastructure.yaml";

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

/// Returns the identifier of the release: a hash of its code keys, templates and parameters.
#[must_use]
pub fn release(deployment: &Effective, names: &Names, code: &Code) -> String {
    identifier(&unreleased(deployment, names, code))
}

/// Returns the stacks without the release's identifier, because the identifier is derived from them.
fn unreleased(deployment: &Effective, names: &Names, code: &Code) -> Vec<Stack> {
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
