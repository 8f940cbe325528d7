//! The names of a deployment and of its stacks.

use std::fmt;

use crate::stack::Role;

/// The names of a deployment. [`fmt::Display`] writes the deployment's name, `{project}-{environment}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// First part of every resource's name.
    pub project: String,
    /// Last part of every resource's name.
    pub environment: String,
}

impl Names {
    /// Returns the name of a stack.
    #[must_use]
    pub fn stack(&self, role: Role) -> String {
        match role {
            Role::Data => format!("{self}-data"),
            Role::Main => self.to_string(),
            Role::Monitoring => format!("{self}-monitoring"),
        }
    }

    /// Returns the name of a resource: `{project}-{name}-{environment}`.
    #[must_use]
    pub fn resource(&self, name: &str) -> String {
        format!("{}-{name}-{}", self.project, self.environment)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project, self.environment)
    }
}
