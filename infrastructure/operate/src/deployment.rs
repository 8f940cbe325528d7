//! The deployment that is operated, and its account and region.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Failure;

/// A deployment, as its stack describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its stack, account and region.
    pub place: Place,
    /// The first part of every resource's name.
    pub project: String,
    /// The last part of every resource's name.
    pub environment: String,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
}

/// The stack, account and region of a deployment; every answer names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The `CloudFormation` stack.
    pub stack: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
}

/// The identity of the caller's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The ARN of the caller.
    pub arn: String,
}

impl Deployment {
    /// Returns the value of the dimension `Deployment`, which every metric has.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.project, self.environment)
    }

    /// Returns an output of the stack.
    ///
    /// # Errors
    /// The stack has no output of this name, because it belongs to another project or another release.
    pub fn output(&self, name: &str) -> Result<&str, Failure> {
        self.outputs.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
            Failure::failed(format!("the stack {} has no output {name}: is it this project's?", self.place))
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in account {}, region {}", self.stack, self.account, self.region)
    }
}
