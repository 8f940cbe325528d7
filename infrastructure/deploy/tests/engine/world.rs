//! An account in memory: it answers all ports, keeps what was done, and fails where a test wants it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use deploy::artifacts::Binary;
use deploy::engine::{Engine, Limits, Manner};
use deploy::plan::{Change, ChangeSet, Proposal};
use deploy::ports::{
    Account, Bucket, BucketState, Check, Data, DataKey, Event, Parts, StackResource, StackService, StackView, Step,
    Talk,
};
use deploy::report::DeployReport;
use deployment_file::{Architecture, Effective};
use jiff::Timestamp;
use operate::aws::errors::failure;
use operate::check::{CheckReport, Finding, Verdict};
use operate::deployment::{Deployment, Identity};
use operate::exit::Failure;
use operate::ports::Confirmation;
use operate::terminal::Line;
use stacks::{FUNCTIONS, Names};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-central-1";

/// What is in the account, and what happened.
#[derive(Default)]
pub struct Inner {
    pub stacks: BTreeMap<String, StackView>,
    /// Templates and parameters as they were deployed.
    deployed: BTreeMap<String, Proposal>,
    proposed: BTreeMap<String, Proposal>,
    proposals: usize,
    pub resources: BTreeMap<(String, String), StackResource>,
    events: BTreeMap<String, Vec<Event>>,
    /// How the next changes end, by stack: a status and a reason. A change that is not named here ends well.
    pub endings: VecDeque<(String, &'static str, &'static str)>,
    pub bucket: Option<BucketState>,
    pub objects: BTreeMap<String, Vec<u8>>,
    pub tables: BTreeSet<String>,
    pub keys: BTreeMap<String, DataKey>,
    pub unreserved: u64,
    /// What functions reserve, by their names.
    pub reserved: BTreeMap<String, u64>,
    /// Timeouts of functions in seconds, by their names.
    pub timeouts: BTreeMap<String, u64>,
    /// Stacks whose exports others import: their deletion is refused, and they go back to their status.
    pub imported: BTreeSet<String>,
    /// Calls that are refused, by their names here.
    pub refused: BTreeSet<&'static str>,
    /// Calls that time out, by their names here.
    pub slow: BTreeSet<&'static str>,
    /// What was changed, in order.
    pub done: Vec<String>,
    pub said: Vec<String>,
    /// Answers to questions; each is refused otherwise.
    pub answers: VecDeque<Confirmation>,
    pub questions: Vec<String>,
    pub checked: usize,
}

/// An account. Clones are the same one.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inner>>);

impl World {
    pub fn new() -> Self {
        let world = Self::default();
        world.inner().unreserved = 1_000;
        world
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn engine(&self, manner: Manner) -> Engine<Parts<Self, Self, Self, Self, Self, Self>> {
        let world = || self.clone();
        let parts =
            Parts { stacks: world(), bucket: world(), account: world(), data: world(), check: world(), talk: world() };
        Engine::new(parts, names(), ACCOUNT, REGION, manner)
    }

    /// A whole deployment of this file.
    pub async fn deploy(&self, text: &str, manner: Manner) -> Result<Option<DeployReport>, Failure> {
        let engine = self.engine(manner);
        match engine.begin(effective(text)).await? {
            Some(begun) => engine.deploy(begun, &binaries(""), Architecture::Arm64).await.map(Some),
            None => Ok(None),
        }
    }

    fn refuse(&self, call: &'static str) -> Result<(), CallError> {
        if self.inner().refused.contains(call) {
            return Err(failure(ErrorKind::Denied, format!("{call} is not authorized")));
        }
        if self.inner().slow.contains(call) {
            return Err(failure(ErrorKind::TimedOut, format!("{call} timed out")));
        }
        Ok(())
    }

    fn did(&self, what: String) {
        self.inner().done.push(what);
    }

    pub fn said(&self) -> String {
        self.inner().said.join("\n")
    }
}

pub fn names() -> Names {
    Names { project: "bank".to_owned(), environment: "test".to_owned() }
}

pub fn effective(text: &str) -> Effective {
    Effective::read("test.toml", text, &[]).unwrap()
}

/// The functions, as a build of this name made them.
pub fn binaries(build: &str) -> Vec<Binary> {
    let folder = tempfile::tempdir().unwrap();
    for function in FUNCTIONS {
        std::fs::create_dir(folder.path().join(function)).unwrap();
        std::fs::write(folder.path().join(function).join("bootstrap"), format!("#!/bin/sh\n{function} {build}"))
            .unwrap();
    }
    Binary::read_all(folder.path(), &FUNCTIONS).unwrap()
}

/// Asks nothing, tries everything.
pub const QUIETLY: Manner =
    Manner { yes: true, dry_run: false, check: true, limits: Limits::FittedToAccount, pause: Duration::from_millis(1) };
/// Asks.
pub const ASKING: Manner = Manner { yes: false, ..QUIETLY };
/// Changes nothing.
pub const DRY_RUN: Manner = Manner { dry_run: true, ..QUIETLY };

impl StackService for World {
    async fn stack(&self, name: &str) -> Result<Option<StackView>, CallError> {
        self.refuse("stack")?;
        Ok(self.inner().stacks.get(name).cloned())
    }

    async fn resource(&self, stack: &str, logical: &str) -> Result<Option<StackResource>, CallError> {
        Ok(self.inner().resources.get(&(stack.to_owned(), logical.to_owned())).cloned())
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, CallError> {
        let inner = self.inner();
        Ok(inner.resources.iter().filter(|((of, _), _)| of == stack).map(|(_, resource)| resource.clone()).collect())
    }

    async fn propose(&self, proposal: &Proposal) -> Result<Option<ChangeSet>, CallError> {
        self.refuse("propose")?;
        let mut inner = self.inner();
        if !proposal.new
            && inner.deployed.get(&proposal.stack).is_some_and(|old| {
                (&old.template_url, &old.parameters) == (&proposal.template_url, &proposal.parameters)
            })
        {
            return Ok(None);
        }
        inner.proposals += 1;
        let id = format!("{}-{}", proposal.stack, inner.proposals);
        inner.proposed.insert(id.clone(), proposal.clone());
        if proposal.new {
            let empty = StackView { status: "REVIEW_IN_PROGRESS".to_owned(), ..StackView::default() };
            inner.stacks.insert(proposal.stack.clone(), empty);
        }
        let change = Change {
            action: if proposal.new { "Add" } else { "Modify" }.to_owned(),
            resource: "ControllerFunction".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            replaced: false,
        };
        Ok(Some(ChangeSet { id, stack: proposal.stack.clone(), new: proposal.new, changes: vec![change] }))
    }

    async fn execute(&self, set: &ChangeSet) -> Result<(), CallError> {
        self.refuse("execute")?;
        let mut inner = self.inner();
        let proposal = inner.proposed.remove(&set.id).unwrap();
        let ending = match inner.endings.front() {
            Some((stack, ..)) if *stack == set.stack => inner.endings.pop_front(),
            _ => None,
        };
        let verb = if set.new { "create" } else { "update" };
        inner.done.push(format!("{verb} {}", set.stack));
        let event = |id: &str, resource: &str, status: &str, reason: &str| Event {
            id: format!("{}-{id}", set.id),
            resource: resource.to_owned(),
            kind: "AWS::StepFunctions::StateMachine".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
        };
        let mut events = vec![event("0", &set.stack, "CREATE_IN_PROGRESS", "User Initiated")];
        let status = if let Some((_, status, reason)) = ending {
            events.insert(0, event("1", "LevelTransitionStateMachine", "CREATE_FAILED", reason));
            events.insert(0, event("2", "ControllerFunction", "CREATE_FAILED", "Resource creation cancelled"));
            status
        } else {
            events.insert(0, event("1", "LevelTransitionStateMachine", "CREATE_COMPLETE", ""));
            inner.deployed.insert(set.stack.clone(), proposal.clone());
            if set.new { "CREATE_COMPLETE" } else { "UPDATE_COMPLETE" }
        };
        events.extend(inner.events.remove(&set.stack).unwrap_or_default());
        inner.events.insert(set.stack.clone(), events);
        let parameters = if status.contains("ROLLBACK") {
            inner.stacks.get(&set.stack).map(|view| view.parameters.clone()).unwrap_or_default()
        } else {
            proposal.parameters.clone()
        };
        let outputs = BTreeMap::from([("ApiId".to_owned(), "api".to_owned())]);
        let protected = inner.stacks.get(&set.stack).is_some_and(|view| view.protected);
        let view = StackView { status: status.to_owned(), parameters, outputs, protected };
        inner.stacks.insert(set.stack.clone(), view);
        Ok(())
    }

    async fn discard(&self, set: &ChangeSet) -> Result<(), CallError> {
        let mut inner = self.inner();
        inner.proposed.remove(&set.id);
        if set.new {
            inner.stacks.remove(&set.stack);
        }
        Ok(())
    }

    async fn delete(&self, stack: &str) -> Result<(), CallError> {
        self.refuse("delete")?;
        let mut inner = self.inner();
        if inner.stacks.get(stack).is_some_and(|view| view.protected) {
            let message = format!("the stack {stack} is protected");
            return Err(failure(ErrorKind::Refused, message));
        }
        inner.done.push(format!("delete {stack}"));
        if inner.imported.contains(stack) {
            return Ok(());
        }
        inner.stacks.remove(stack);
        inner.deployed.remove(stack);
        Ok(())
    }

    async fn protect(&self, stack: &str, on: bool) -> Result<(), CallError> {
        if let Some(view) = self.inner().stacks.get_mut(stack) {
            view.protected = on;
        }
        Ok(())
    }

    async fn events(&self, stack: &str, after: Option<&str>) -> Result<Vec<Event>, CallError> {
        let events = self.inner().events.get(stack).cloned().unwrap_or_default();
        Ok(events.into_iter().take_while(|event| Some(event.id.as_str()) != after).collect())
    }
}

impl Bucket for World {
    fn name(&self) -> &'static str {
        "bank-artifacts"
    }

    fn url(&self, key: &str) -> String {
        format!("https://bank-artifacts/{key}")
    }

    async fn state(&self) -> Result<BucketState, CallError> {
        self.refuse("bucket state")?;
        Ok(self.inner().bucket.unwrap_or(BucketState::Missing))
    }

    async fn create(&self) -> Result<(), CallError> {
        self.did("create bucket".to_owned());
        self.inner().bucket = Some(BucketState::Unfinished);
        Ok(())
    }

    async fn secure(&self) -> Result<(), CallError> {
        self.did("secure bucket".to_owned());
        self.inner().bucket = Some(BucketState::Ready);
        Ok(())
    }

    async fn has(&self, key: &str) -> Result<bool, CallError> {
        Ok(self.inner().objects.contains_key(key))
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), CallError> {
        self.refuse("put")?;
        if key.ends_with("/history.json") {
            self.refuse("put history")?;
        }
        self.inner().objects.insert(key.to_owned(), content);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CallError> {
        self.refuse("get")?;
        Ok(self.inner().objects.get(key).cloned())
    }

    async fn remove_all(&self, prefix: &str) -> Result<(), CallError> {
        self.refuse("remove all")?;
        self.inner().objects.retain(|key, _| !key.starts_with(prefix));
        Ok(())
    }
}

impl Account for World {
    async fn identity(&self) -> Result<Identity, CallError> {
        Ok(Identity { account: ACCOUNT.to_owned(), arn: format!("arn:aws:iam::{ACCOUNT}:user/alice") })
    }

    async fn unreserved_concurrency(&self) -> Result<u64, CallError> {
        self.refuse("account settings")?;
        Ok(self.inner().unreserved)
    }

    async fn reserved_concurrency(&self, function: &str) -> Result<u64, CallError> {
        self.refuse("function concurrency")?;
        Ok(self.inner().reserved.get(function).copied().unwrap_or_default())
    }

    async fn timeout_seconds(&self, function: &str) -> Result<u64, CallError> {
        self.refuse("function configuration")?;
        Ok(self.inner().timeouts[function])
    }
}

impl Data for World {
    async fn has_table(&self, name: &str) -> Result<bool, CallError> {
        self.refuse("describe table")?;
        Ok(self.inner().tables.contains(name))
    }

    async fn key(&self, name: &str) -> Result<Option<DataKey>, CallError> {
        self.refuse("describe key")?;
        Ok(self.inner().keys.get(name).cloned())
    }

    async fn delete_table(&self, name: &str) -> Result<(), CallError> {
        self.did(format!("delete table {name}"));
        self.inner().tables.remove(name);
        Ok(())
    }

    async fn delete_alias(&self, alias: &str) -> Result<(), CallError> {
        self.did(format!("delete {alias}"));
        self.inner().keys.remove(alias);
        Ok(())
    }

    async fn end_key(&self, id: &str) -> Result<(), CallError> {
        self.did(format!("end key {id}"));
        Ok(())
    }
}

impl Check for World {
    async fn check(
        &self,
        deployment: &Deployment,
        since: Timestamp,
        talk: &(impl Talk + Sync),
    ) -> Result<CheckReport, Failure> {
        assert!(since <= Timestamp::now() && deployment.name() == "bank-test");
        self.inner().checked += 1;
        let verdict = if self.inner().refused.contains("check") { Verdict::Failed } else { Verdict::Warning };
        let text = "the controller answers 500 to the status".to_owned();
        let finding = Finding { check: operate::check::Check::Request, verdict, text, seconds: None };
        talk.say(finding.line());
        Ok(CheckReport { deployment: deployment.place.clone(), at: since, findings: vec![finding] })
    }
}

impl Talk for World {
    fn say(&self, line: Line) {
        self.inner().said.push(line.text());
    }

    fn step(&self, step: Step<'_>) {
        assert!(step.done <= step.of, "{step:?}");
    }

    fn confirm(&self, question: &str, expected: &str) -> Confirmation {
        let mut inner = self.inner();
        inner.questions.push(format!("{question} [{expected}]"));
        inner.answers.pop_front().unwrap_or(Confirmation::No)
    }
}
