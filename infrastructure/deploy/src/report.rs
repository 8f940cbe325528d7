//! What `--json` prints of a deployment, a rollback or a removal.

use std::collections::BTreeMap;

use operate::check::{CheckReport, Verdict};
use operate::deployment::Place;
use operate::exit::Failure;
use schemars::JsonSchema;
use serde::Serialize;

use crate::capacity::Capacity;
use crate::plan::Change;

/// How a deployment or a rollback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The changes were carried out.
    Changed,
    /// Nothing differed.
    Unchanged,
    /// It was a dry run: nothing was changed.
    DryRun,
}

/// What changes in one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackChanges {
    /// The stack.
    pub stack: String,
    /// Whether there was no such stack.
    pub new: bool,
    /// What changes; empty if nothing does.
    pub changes: Vec<Change>,
}

/// A deployment or a rollback.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeployReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The deployment.
    pub place: Place,
    /// The release that is deployed, or would be deployed.
    pub release: String,
    /// What changed, or would change.
    pub changes: Vec<StackChanges>,
    /// The outputs of the main stack; empty after a dry run.
    pub outputs: BTreeMap<String, String>,
    /// The concurrent executions that the deployment needs; absent after a rollback and if the account's limit cannot be
    /// read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// The findings of the check at the end; absent if nothing was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckReport>,
}

impl DeployReport {
    /// Returns what the check at the end found to fail, and how to go back; None if nothing failed.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let failed =
            self.check.iter().flat_map(|check| &check.findings).filter(|found| found.verdict == Verdict::Failed);
        let failed: Vec<_> = failed.map(|found| format!("\n  {}: {}", found.check.title(), found.text)).collect();
        if failed.is_empty() {
            return None;
        }
        Some(Failure::failed(format!(
            "the release {} is deployed, and it does not work (back: breaker rollback). What failed:{}",
            self.release,
            failed.concat()
        )))
    }
}

/// A removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DestroyReport {
    /// The deployment that was removed.
    pub place: Place,
    /// Whether it was a dry run: nothing was changed.
    pub dry_run: bool,
    /// What was removed, or would be removed.
    pub removed: Vec<String>,
    /// What still exists, or would stay.
    pub kept: Vec<String>,
}
