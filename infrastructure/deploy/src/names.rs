//! Names that follow from project and environment.

use stacks::{Names, Role};

/// Names of things that are looked for outside of their stacks.
pub trait DataNames {
    /// The deployment, which is the main stack's name too.
    fn deployment(&self) -> String;
    /// The table.
    fn table(&self) -> String;
    /// The alias of the key.
    fn key_alias(&self) -> String;
    /// The bucket of artefacts and releases.
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
