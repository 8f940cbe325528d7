//! Rollback to the previous release, and the update of one function. Neither changes the data stack.

use operate::exit::Failure;
use stacks::{Role, Stack};

use super::Engine;
use super::changes::Batch;
use super::deploy::has_main;
use super::stack::Condition;
use crate::artifacts::Binary;
use crate::names::DataNames;
use crate::ports::Ports;
use crate::release::{GRADUAL, Release, Releases};
use crate::report::{DeployReport, Outcome};

/// The deployed release, one function of which gets other code.
#[derive(Clone, Debug)]
pub struct Only {
    /// The release that is deployed.
    pub current: Release,
    history: Vec<String>,
}

impl<P: Ports + Sync> Engine<P> {
    /// Deploys the previous release: its templates, its parameters, its code.
    ///
    /// # Errors
    /// There is no previous release, its schema of the state is too old, or a stack could not be changed.
    pub async fn rollback(&self) -> Result<DeployReport, Failure> {
        let deployment = self.names.deployment();
        let Some(current) = self.deployed_release().await? else {
            return Err(Failure::failed(format!(
                "there is no stack {deployment} to roll back in account {}, region {}",
                self.account, self.region
            )));
        };
        self.ensure_bucket().await?;
        let releases = Releases::new(self.ports().bucket(), &deployment);
        let mut history = releases.history().await?;
        let Some(place) = target(&history, &current) else {
            return Err(Failure::failed(format!(
                "there is no release before {current}; releases are recorded at each deployment"
            )));
        };
        history.truncate(place + 1);
        let previous = history.last().cloned().unwrap_or_default();
        let release = releases.read(&previous).await?;
        refuse_older_schema(&release, releases.find(&current).await.as_ref())?;
        self.say(format!("Rolling {} back from release {current} to {previous}", self.place()));
        // All at once, because a gradual shift would stop at the alarms that the rollback is to end. The record keeps the
        // release's own setting.
        let all_at_once = release.stacks().into_iter().filter(|stack| !stack.retained).map(at_once).collect();
        let question = format!("Roll {deployment} back to release {previous}");
        self.redeploy(release, all_at_once, history, question).await
    }

    /// Checks the deployed release before one function is built.
    ///
    /// # Errors
    /// Nothing is deployed yet, or a deployment stopped half way. Names what is missing and the command that finishes it.
    pub async fn begin_only(&self) -> Result<Only, Failure> {
        let deployment = self.names.deployment();
        let Some(current) = self.deployed_release().await? else {
            let finish = self.command("deploy");
            return Err(Failure::failed(format!(
                "there is no stack {deployment} yet: deploy all of it first: {finish}"
            )));
        };
        self.ensure_bucket().await?;
        let releases = Releases::new(self.ports().bucket(), &deployment);
        let history = releases.history().await?;
        let current = releases.read(&current).await?;
        if history.last() != Some(&current.id) {
            return Err(self.half_deployed(&current, history.is_empty()).await?);
        }
        Ok(Only { current, history })
    }

    /// Returns the failure for a release whose deployment stopped half way.
    async fn half_deployed(&self, release: &Release, is_first: bool) -> Result<Failure, Failure> {
        let mut missing = Vec::new();
        for stack in release.stacks() {
            let (condition, view) = self.look(&stack.name).await?;
            match condition {
                Condition::New => missing.push(format!("there is no stack {}", stack.name)),
                Condition::FailedStart => {
                    missing.push(format!("the first deployment of the stack {} failed ({})", stack.name, view.status));
                }
                Condition::Ready if self.differs(&stack).await? => {
                    missing.push(format!("the stack {} is not at this release", stack.name));
                }
                Condition::Ready => {}
            }
        }
        if missing.is_empty() {
            missing.push("all stacks are at this release, but its end is not recorded".to_owned());
        }
        let back = if is_first { String::new() } else { format!(", or go back with: {}", self.command("rollback")) };
        Ok(Failure::failed(format!(
            "the deployment of release {} stopped half way: {}. Finish it with the same options as then: {}{back}",
            release.id,
            missing.join("; "),
            self.command("deploy"),
        )))
    }

    /// Deploys other code of one function. Everything else stays unchanged.
    ///
    /// # Errors
    /// The release has no such function, or the stack could not be changed.
    pub async fn only(&self, only: Only, binary: &Binary) -> Result<DeployReport, Failure> {
        let Only { current, history } = only;
        if !self.manner.dry_run {
            self.upload_binary(binary).await?;
        }
        let release = current.with_code(binary.function, &binary.key())?;
        let main = release.stacks().into_iter().filter(|stack| stack.role == Role::Main).collect();
        let question =
            format!("Deploy the function {} as release {} to {}", binary.function, release.id, self.names.deployment());
        self.redeploy(release, main, history, question).await
    }

    async fn redeploy(
        &self,
        release: Release,
        stacks: Vec<Stack>,
        history: Vec<String>,
        question: String,
    ) -> Result<DeployReport, Failure> {
        if !has_main(&stacks) {
            return Err(Failure::failed(format!("the release {} has no main stack", release.id)));
        }
        let all: Vec<&Stack> = stacks.iter().collect();
        let batch = self.conditions(&all).await?;
        if !self.manner.dry_run {
            Releases::new(self.ports().bucket(), &self.names.deployment()).keep(&release).await?;
        }
        let otherwise = "nothing was changed".to_owned();
        let changes = self.change(Batch { stacks: batch, question, otherwise }).await?;
        if self.manner.dry_run {
            self.say("Nothing was changed (--dry-run).");
            return Ok(self.report(Outcome::DryRun, &release, changes));
        }
        self.finish(&stacks, &release, history, changes).await
    }
}

/// Returns the place in the history of the release to go back to; `None` if there is none.
///
/// After each complete change the newest recorded release is the deployed one. If the deployed one is an older one, a
/// rollback to it was interrupted, and is to be finished. If it is not recorded, its deployment was interrupted, and the
/// newest recorded one is the last that was complete.
fn target(history: &[String], current: &str) -> Option<usize> {
    let newest = history.len().checked_sub(1)?;
    match history.iter().rposition(|id| id == current) {
        Some(place) if place == newest => place.checked_sub(1),
        Some(place) => Some(place),
        None => Some(newest),
    }
}

fn at_once(mut stack: Stack) -> Stack {
    if let Some(gradual) = stack.parameters.get_mut(GRADUAL) {
        "false".clone_into(gradual);
    }
    stack
}

/// Refuses a release of an older schema, because its functions cannot write a newer state.
fn refuse_older_schema(release: &Release, current: Option<&Release>) -> Result<(), Failure> {
    let (older, newer) =
        (release.schema_version, current.map_or(release.schema_version, |current| current.schema_version));
    if older >= newer {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the release {} writes the state in schema {older}, and the deployed one in schema {newer}, which the older \
         functions refuse to write: the level could no longer move. Deploy a release that knows schema {newer}",
        release.id
    )))
}
