//! A release: what was deployed together. It is kept in the bucket, so that a rollback deploys the previous one again
//! through `CloudFormation`, and does not move an alias without it.

use std::collections::BTreeMap;

use deployment_file::Architecture;
use operate::exit::Failure;
use serde::{Deserialize, Serialize};
use stacks::{Role, Stack};

use crate::ports::Bucket;

/// The parameter of the main stack that names the release.
pub const RELEASE_ID: &str = "ReleaseId";
/// The parameter of the main stack that has the keys of the functions' archives, in the order of [`stacks::FUNCTIONS`].
pub const CODE_KEYS: &str = "CodeKeys";
/// The parameter of the main stack that moves traffic to new versions step by step.
pub const GRADUAL: &str = "GradualDeployment";

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Its identifier, which is derived from its content.
    pub id: String,
    /// The schema of the state that its functions write. A rollback below the deployed one is refused.
    pub schema_version: u32,
    /// The processor that its functions are built for.
    pub architecture: Architecture,
    /// Its stacks, in the order of creation.
    pub stacks: Vec<RecordedStack>,
}

/// A stack of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedStack {
    role: RecordedRole,
    name: String,
    template: String,
    parameters: BTreeMap<String, String>,
    retained: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordedRole {
    Data,
    Main,
    Monitoring,
}

impl From<&Stack> for RecordedStack {
    fn from(stack: &Stack) -> Self {
        Self {
            role: match stack.role {
                Role::Data => RecordedRole::Data,
                Role::Main => RecordedRole::Main,
                Role::Monitoring => RecordedRole::Monitoring,
            },
            name: stack.name.clone(),
            template: stack.template.clone(),
            parameters: stack.parameters.clone(),
            retained: stack.retained,
        }
    }
}

impl From<&RecordedStack> for Stack {
    fn from(stack: &RecordedStack) -> Self {
        Self {
            role: match stack.role {
                RecordedRole::Data => Role::Data,
                RecordedRole::Main => Role::Main,
                RecordedRole::Monitoring => Role::Monitoring,
            },
            name: stack.name.clone(),
            template: stack.template.clone(),
            parameters: stack.parameters.clone(),
            retained: stack.retained,
        }
    }
}

impl Release {
    /// Returns its stacks.
    #[must_use]
    pub fn stacks(&self) -> Vec<Stack> {
        self.stacks.iter().map(Stack::from).collect()
    }

    /// Returns the release with other code of one function.
    ///
    /// # Errors
    /// The main stack has no such function.
    pub fn with_code(mut self, function: &str, key: &str) -> Result<Self, Failure> {
        let unknown =
            || Failure::failed(format!("release {} has no function {function} with code of its own", self.id));
        let place = stacks::FUNCTIONS.iter().position(|known| *known == function).ok_or_else(unknown)?;
        let mut stacks = self.stacks();
        let main = stacks.iter_mut().find(|stack| stack.role == Role::Main).ok_or_else(unknown)?;
        let keys = main.parameters.get_mut(CODE_KEYS).ok_or_else(unknown)?;
        let mut all: Vec<&str> = keys.split(',').collect();
        *all.get_mut(place).ok_or_else(unknown)? = key;
        *keys = all.join(",");
        // As the crate `stacks` does it: the identifier follows from everything else.
        main.parameters.remove(RELEASE_ID);
        let id = stacks::identifier(&stacks);
        if let Some(main) = stacks.iter_mut().find(|stack| stack.role == Role::Main) {
            main.parameters.insert(RELEASE_ID.to_owned(), id.clone());
        }
        self.stacks = stacks.iter().map(RecordedStack::from).collect();
        self.id = id;
        Ok(self)
    }
}

/// The releases of one deployment in the bucket.
pub struct Releases<'a, B> {
    bucket: &'a B,
    deployment: &'a str,
}

impl<'a, B: Bucket + Sync> Releases<'a, B> {
    /// The releases of `deployment`.
    #[must_use]
    pub const fn new(bucket: &'a B, deployment: &'a str) -> Self {
        Self { bucket, deployment }
    }

    /// Returns the beginning of all their keys.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("releases/{}/", self.deployment)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}.json", self.prefix())
    }

    /// Returns the releases that were deployed completely, oldest first.
    ///
    /// # Errors
    /// They cannot be read. No release at all is not an error.
    pub async fn history(&self) -> Result<Vec<String>, Failure> {
        let key = self.key("history");
        let kept = self.bucket.get(&key).await.map_err(|error| Failure::failed(error.to_string()))?;
        let Some(kept) = kept else { return Ok(Vec::new()) };
        serde_json::from_slice(&kept).map_err(|error| self.unreadable(&key, &error))
    }

    /// Returns a release that was deployed.
    ///
    /// # Errors
    /// The release is missing or cannot be read.
    pub async fn read(&self, id: &str) -> Result<Release, Failure> {
        let key = self.key(id);
        let kept = self.bucket.get(&key).await.map_err(|error| Failure::failed(error.to_string()))?;
        let Some(kept) = kept else {
            let bucket = self.bucket.name();
            return Err(Failure::failed(format!(
                "the release {id} is not in {bucket}: deploy all of it once (with the same --bucket as then)"
            )));
        };
        serde_json::from_slice(&kept).map_err(|error| self.unreadable(&key, &error))
    }

    /// Returns a release, or `None` if it is missing or cannot be read.
    pub async fn find(&self, id: &str) -> Option<Release> {
        self.read(id).await.ok()
    }

    /// Records the content of a release, before its stacks change.
    ///
    /// # Errors
    /// The release could not be recorded. Nothing was changed.
    pub async fn keep(&self, release: &Release) -> Result<(), Failure> {
        let failed = |text: String| {
            let bucket = self.bucket.name();
            Failure::failed(format!(
                "the release {} cannot be recorded in {bucket}, so nothing was changed: {text}",
                release.id
            ))
        };
        let text = serde_json::to_vec(release).map_err(|error| failed(error.to_string()))?;
        self.bucket.put(&self.key(&release.id), text).await.map_err(|error| failed(error.to_string()))
    }

    /// Records a release as complete, the newest after those of `history`.
    ///
    /// # Errors
    /// The record could not be written. The deployment is done, but a rollback would treat it as one that stopped half
    /// way.
    pub async fn complete(&self, id: &str, mut history: Vec<String>) -> Result<(), Failure> {
        if history.last().is_none_or(|newest| newest != id) {
            history.push(id.to_owned());
        }
        let failed = |text: String| {
            Failure::failed(format!(
                "the stacks are deployed, but {} does not record that the release is complete: deploy once more. {text}",
                self.bucket.name()
            ))
        };
        let list = serde_json::to_vec(&history).map_err(|error| failed(error.to_string()))?;
        self.bucket.put(&self.key("history"), list).await.map_err(|error| failed(error.to_string()))
    }

    fn unreadable(&self, key: &str, error: &serde_json::Error) -> Failure {
        Failure::failed(format!("s3://{}/{key} is no record of this command: {error}", self.bucket.name()))
    }
}
