//! Names that follow from project and environment.

use stacks::{Names, Role};

/// Names of resources that are also searched for outside of their stacks.
pub trait DataNames {
    /// Returns the deployment's name, which is the main stack's name, too.
    fn deployment(&self) -> String;
    /// Returns the table's name.
    fn table(&self) -> String;
    /// Returns the alias of the key.
    fn key_alias(&self) -> String;
    /// Returns the name of the bucket for artefacts and releases.
    fn bucket(&self, account: &str, region: &str) -> String;
}

impl DataNames for Names {
    fn deployment(&self) -> String {
        self.stack(Role::Main)
    }

    fn table(&self) -> String {
        self.resource("circuit-breaker-state")
    }

    fn key_alias(&self) -> String {
        format!("alias/{}", self.resource("circuit-breaker"))
    }

    fn bucket(&self, account: &str, region: &str) -> String {
        format!("{}-artifacts-{account}-{region}", self.project)
    }
}
