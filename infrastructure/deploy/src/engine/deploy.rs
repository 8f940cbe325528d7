//! Deploys what a file describes.

use std::collections::BTreeMap;

use breaker::SCHEMA_VERSION;
use deployment_file::{Architecture, Effective};
use operate::check::CheckReport;
use operate::deployment::Deployment;
use operate::exit::Failure;
use operate::terminal::Line;
use stacks::{Code, Role, Stack};

use super::changes::{Batch, main};
use super::stack::Condition;
use super::{Engine, failed};
use crate::artifacts::{Binary, digest};
use crate::capacity::Capacity;
use crate::names::DataNames;
use crate::ports::{Bucket as _, BucketState, Check as _, Data as _, Ports, StackService as _, Talk as _};
use crate::release::{RELEASE_ID, RecordedStack, Release, Releases};
use crate::report::{DeployReport, Outcome, StackChanges};
use crate::settings;

/// A deployment whose account and stacks were checked. Its functions can be built and deployed.
#[derive(Clone, Debug)]
pub struct Begun {
    effective: Effective,
    capacity: Option<Capacity>,
    deployed: Option<String>,
}

impl<P: Ports + Sync> Engine<P> {
    /// Checks account and stacks before anything is built: shows where the deployment goes, warns, refuses what cannot be
    /// deployed, and removes what a failed first deployment left. Returns `None` if a dry run ends here.
    ///
    /// # Errors
    /// Names the obstacle, and what to do.
    pub async fn begin(&self, mut effective: Effective) -> Result<Option<Begun>, Failure> {
        let stacks = self.describe(&effective, &[]);
        let view = self.ports.stacks().stack(&self.names.deployment()).await.map_err(failed)?;
        let deployed = view.and_then(|view| view.parameters.get(RELEASE_ID).cloned());
        self.say(format!("Deployment {} in account {}, region {}", self.names.deployment(), self.account, self.region));
        self.refuse_single_stack().await?;
        let mut left = Vec::new();
        let mut first = true;
        for stack in &stacks {
            let (condition, _) = self.look(&stack.name).await?;
            match condition {
                Condition::FailedStart => left.push(stack),
                Condition::New if stack.role == Role::Data => self.refuse_leftovers().await?,
                Condition::New => {}
                Condition::Ready => first &= stack.role != Role::Main,
            }
        }
        for warning in settings::warnings(&effective, &self.names.environment, first) {
            self.warn(&warning);
        }
        let capacity = self.fit(&mut effective).await?;
        if !left.is_empty() && !self.remove_left(&left).await? {
            return Ok(None);
        }
        Ok(Some(Begun { effective, capacity, deployed }))
    }

    /// Deploys these binaries.
    ///
    /// # Errors
    /// Names the step and the resource that failed, and the reason.
    pub async fn deploy(
        &self,
        begun: Begun,
        binaries: &[Binary],
        architecture: Architecture,
    ) -> Result<DeployReport, Failure> {
        let Begun { effective, capacity, deployed } = begun;
        let stacks = self.describe(&effective, binaries);
        let release = Release {
            id: main(&stacks).and_then(|main| main.parameters.get(RELEASE_ID).cloned()).unwrap_or_default(),
            schema_version: SCHEMA_VERSION,
            architecture,
            stacks: stacks.iter().map(RecordedStack::from).collect(),
        };
        let (data, rest): (Vec<&Stack>, Vec<&Stack>) = stacks.iter().partition(|stack| stack.role == Role::Data);
        let (new_data, mut batch) = (self.conditions(&data).await?, self.conditions(&rest).await?);
        let (new_data, known_data): (Vec<_>, Vec<_>) =
            new_data.into_iter().partition(|(_, condition)| *condition == Condition::New);
        let is_first = !new_data.is_empty();
        if self.manner.dry_run && is_first {
            let shown: Result<Vec<_>, _> = stacks.iter().map(|stack| self.show_additions(stack)).collect();
            self.say("Nothing was changed (--dry-run).");
            return Ok(DeployReport { capacity, ..self.report(Outcome::DryRun, &release, shown?) });
        }
        self.ensure_bucket().await?;
        let releases = self.names.deployment();
        let releases = Releases::new(self.ports.bucket(), &releases);
        // Read before anything changes: credentials that cannot read the releases cannot record one.
        let history = releases.history().await?;
        if !self.manner.dry_run {
            self.upload(binaries).await?;
            // Before the stacks change, so that a deployment that stops half way is recognised and can be finished.
            releases.keep(&release).await?;
        }
        if let Some(text) = settings::gradual(&effective).filter(|_| deployed.is_some()) {
            self.say(format!("A gradual deployment: {text}."));
        }
        let mut report = Vec::new();
        if is_first {
            report.extend(self.create_data(new_data).await?);
        }
        batch.splice(0..0, known_data);
        let otherwise = if is_first {
            format!("not deployed; the stack {} is there and stays", names_of(&data))
        } else {
            "nothing was changed".to_owned()
        };
        let question = format!("Deploy release {} to {}", release.id, self.names.deployment());
        report.extend(self.change(Batch { stacks: batch, question, otherwise }).await?);
        if self.manner.dry_run {
            self.say("Nothing was changed (--dry-run).");
            return Ok(DeployReport { capacity, ..self.report(Outcome::DryRun, &release, report) });
        }
        let report = self.finish(&stacks, &release, history, report).await?;
        Ok(DeployReport { capacity, ..report })
    }

    /// Records the release as complete, checks it and returns the report.
    pub(super) async fn finish(
        &self,
        stacks: &[Stack],
        release: &Release,
        history: Vec<String>,
        changes: Vec<StackChanges>,
    ) -> Result<DeployReport, Failure> {
        let deployment = self.names.deployment();
        Releases::new(self.ports.bucket(), &deployment).complete(&release.id, history).await?;
        let differs = changes.iter().any(|stack| !stack.changes.is_empty());
        let outcome = if differs { Outcome::Changed } else { Outcome::Unchanged };
        let mut report = self.report(outcome, release, changes);
        report.outputs = self.outputs(stacks).await?;
        if differs && self.manner.check {
            report.check = Some(self.check(&report).await?);
        }
        Ok(report)
    }

    /// Checks what was deployed, as `breaker check` does.
    async fn check(&self, report: &DeployReport) -> Result<CheckReport, Failure> {
        self.say("Trying the deployment. It takes some minutes at most; --skip-check leaves it out.");
        let deployment = Deployment {
            place: self.place(),
            project: self.names.project.clone(),
            environment: self.names.environment.clone(),
            outputs: report.outputs.clone(),
        };
        let tried = self.ports.check().check(&deployment, self.begun_at, self.ports.talk()).await;
        let tried = tried.map_err(|failure| Failure {
            sentence: format!(
                "the release {} is deployed, but it cannot be tried: {}",
                report.release, failure.sentence
            ),
            ..failure
        })?;
        self.ports.talk().say(tried.summary());
        Ok(tried)
    }

    pub(super) fn report(&self, outcome: Outcome, release: &Release, changes: Vec<StackChanges>) -> DeployReport {
        DeployReport {
            outcome,
            place: self.place(),
            release: release.id.clone(),
            changes,
            outputs: BTreeMap::new(),
            capacity: None,
            check: None,
        }
    }

    /// Returns the stacks with the code of these binaries.
    fn describe(&self, effective: &Effective, binaries: &[Binary]) -> Vec<Stack> {
        let code = Code {
            bucket: self.ports.bucket().name().to_owned(),
            functions: binaries.iter().map(|binary| (binary.function, binary.key())).collect(),
            state_machine: state_machine_key(),
        };
        stacks::stacks(effective, &self.names, &code)
    }

    pub(super) async fn conditions<'a>(&self, stacks: &[&'a Stack]) -> Result<Vec<(&'a Stack, Condition)>, Failure> {
        let mut conditions = Vec::new();
        for stack in stacks {
            conditions.push((*stack, self.look(&stack.name).await?.0));
        }
        Ok(conditions)
    }

    /// Refuses a deployment of an earlier release, which had everything in one stack.
    async fn refuse_single_stack(&self) -> Result<(), Failure> {
        let name = self.names.deployment();
        let table = self.ports.stacks().resource(&name, "StateTable").await.map_err(failed)?;
        if table.is_none_or(|table| table.kind != "AWS::DynamoDB::Table") {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "the stack {name} is of an earlier release, which had the table and its key in the same stack: this release \
             keeps them in a stack of their own and cannot take them over. Remove it with `breaker destroy --delete-data` \
             (back the records up first if you need them), or deploy under another deployment.project beside it"
        )))
    }

    /// Refuses if a table or a key has a name that the new data stack needs.
    async fn refuse_leftovers(&self) -> Result<(), Failure> {
        let (table, alias) = (self.names.table(), self.names.key_alias());
        let data = self.ports.data();
        let has_table = data.has_table(&table).await.map_err(failed)?;
        let has_key = data.key(&alias).await.map_err(failed)?.is_some();
        let left = match (has_table, has_key) {
            (false, false) => return Ok(()),
            (true, false) => format!("the table {table} is"),
            (false, true) => format!("the key {alias} is"),
            (true, true) => format!("the table {table} and the key {alias} are"),
        };
        Err(Failure::failed(format!(
            "{left} there, and no stack {} owns what has these names: remove them with `breaker destroy --delete-data`, or \
             deploy under another deployment.project",
            self.names.stack(Role::Data)
        )))
    }

    /// Removes what failed first deployments left. Returns whether the deployment continues.
    async fn remove_left(&self, left: &[&Stack]) -> Result<bool, Failure> {
        let names = names_of(left);
        self.say(format!("The first deployment of {names} failed. What is left of it goes first."));
        if self.manner.dry_run {
            self.say("Nothing was changed (--dry-run).");
            return Ok(false);
        }
        self.agree(&format!("Remove what is left of {names}?"), "yes", "nothing was changed")?;
        for stack in left.iter().rev() {
            self.remove_failed_start(stack).await?;
        }
        Ok(true)
    }

    /// Creates the data stack. Without it the changes of the other stacks cannot be computed.
    async fn create_data(&self, new: Vec<(&Stack, Condition)>) -> Result<Vec<StackChanges>, Failure> {
        self.say("The data stack comes first: table, index, key. It stays when everything else is removed.");
        let stacks: Vec<_> = new.iter().map(|(stack, _)| *stack).collect();
        let question = format!("Create {}", names_of(&stacks));
        self.change(Batch { stacks: new, question, otherwise: "nothing was changed".to_owned() }).await
    }

    pub(super) async fn ensure_bucket(&self) -> Result<(), Failure> {
        let bucket = self.ports.bucket();
        let state = bucket.state().await.map_err(failed)?;
        if state == BucketState::Ready {
            return Ok(());
        }
        if self.manner.dry_run {
            return Err(Failure::failed(format!(
                "the bucket {} is missing or not finished, and a change set needs it for the templates: deploy without \
                 --dry-run, or give the bucket that the deployment has with --bucket",
                bucket.name()
            )));
        }
        if state == BucketState::Missing {
            self.say(format!("Creating the bucket {} ...", bucket.name()));
            bucket.create().await.map_err(failed)?;
        }
        bucket.secure().await.map_err(failed)
    }

    /// Uploads what the bucket does not have.
    async fn upload(&self, binaries: &[Binary]) -> Result<(), Failure> {
        let mut new = Vec::new();
        for binary in binaries {
            if self.upload_binary(binary).await? {
                new.push(binary.function);
            }
        }
        self.upload_new(&state_machine_key(), stacks::STATE_MACHINE.as_bytes().to_vec()).await?;
        if !new.is_empty() {
            self.ports.talk().say(Line::from(format!(
                "Uploaded to {}: {}",
                self.ports.bucket().name(),
                new.join(", ")
            )));
        }
        Ok(())
    }

    pub(super) async fn upload_binary(&self, binary: &Binary) -> Result<bool, Failure> {
        let key = binary.key();
        if self.ports.bucket().has(&key).await.map_err(failed)? {
            return Ok(false);
        }
        self.ports.bucket().put(&key, binary.archive()?).await.map_err(failed)?;
        Ok(true)
    }

    /// Returns the release of the main stack, or `None` if there is no main stack.
    pub(super) async fn deployed_release(&self) -> Result<Option<String>, Failure> {
        let (condition, view) = self.look(&self.names.deployment()).await?;
        match condition {
            Condition::New => Ok(None),
            Condition::FailedStart => Err(Failure::failed(format!(
                "the first deployment of {} failed ({}): deploy all of it first",
                self.names.deployment(),
                view.status
            ))),
            Condition::Ready => Ok(view.parameters.get(RELEASE_ID).cloned()),
        }
    }
}

fn state_machine_key() -> String {
    format!("state-machine/level-transition-{}.asl.json", digest(stacks::STATE_MACHINE.as_bytes()))
}

fn names_of(stacks: &[&Stack]) -> String {
    stacks.iter().map(|stack| stack.name.as_str()).collect::<Vec<_>>().join(" and ")
}

/// Whether one of these is a main stack. A rollback needs one.
pub(super) fn has_main(stacks: &[Stack]) -> bool {
    main(stacks).is_some()
}
