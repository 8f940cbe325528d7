//! What the engine needs of AWS and of the deployer: a trait for each need.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_edge::call_error::CallError;
use deployment_file::Architecture;
use jiff::Timestamp;
use operate::check::CheckReport;
use operate::deployment::{Deployment, Identity};
use operate::exit::Failure;
use operate::ports::Confirmation;
use operate::terminal::Line;

use crate::plan::{ChangeSet, Proposal};

/// A stack as `CloudFormation` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackView {
    /// Its status, as `CloudFormation` names it.
    pub status: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Whether it is protected against deletion.
    pub protected: bool,
}

/// One event of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its identifier.
    pub id: String,
    /// The logical name of the resource.
    pub resource: String,
    /// The type of the resource.
    pub kind: String,
    /// The new status of the resource.
    pub status: String,
    /// The reason; empty if `CloudFormation` gives none.
    pub reason: String,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    /// Its type.
    pub kind: String,
    /// Its status.
    pub status: String,
    /// Its own name or identifier.
    pub physical: String,
}

impl StackResource {
    /// Whether it is a function that exists.
    #[must_use]
    pub fn is_function(&self) -> bool {
        self.kind == "AWS::Lambda::Function" && !self.physical.is_empty() && self.status != "DELETE_COMPLETE"
    }
}

/// `CloudFormation`.
pub trait StackService {
    /// Returns the stack called `name`, or `None` if there is none.
    fn stack(&self, name: &str) -> impl Future<Output = Result<Option<StackView>, CallError>> + Send;

    /// Returns a resource of a stack by its logical name, or `None` if the stack has none.
    fn resource(
        &self,
        stack: &str,
        logical: &str,
    ) -> impl Future<Output = Result<Option<StackResource>, CallError>> + Send;

    /// Returns all resources of a stack, or none if there is no such stack.
    fn resources(&self, stack: &str) -> impl Future<Output = Result<Vec<StackResource>, CallError>> + Send;

    /// Computes what a template and its parameters would change. Returns `None` if they change nothing.
    fn propose(&self, proposal: &Proposal) -> impl Future<Output = Result<Option<ChangeSet>, CallError>> + Send;

    /// Begins to carry out a change set.
    fn execute(&self, change_set: &ChangeSet) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Deletes a change set, and the empty stack that was created for it.
    fn discard(&self, change_set: &ChangeSet) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Begins to delete a stack.
    fn delete(&self, stack: &str) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Switches a stack's protection against deletion on or off.
    fn protect(&self, stack: &str, on: bool) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Returns the newest events of a stack, newest first, without the event `after` and those before it.
    fn events(&self, stack: &str, after: Option<&str>) -> impl Future<Output = Result<Vec<Event>, CallError>> + Send;
}

/// The state of the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketState {
    /// The bucket does not exist.
    Missing,
    /// The bucket exists, and is not yet private, encrypted, versioned and TLS-only.
    Unfinished,
    /// The bucket can be used.
    Ready,
}

/// The bucket of artefacts and releases.
pub trait Bucket {
    /// Its name.
    fn name(&self) -> &str;

    /// The address under which `CloudFormation` reads an object.
    fn url(&self, key: &str) -> String;

    /// Returns the bucket's state.
    fn state(&self) -> impl Future<Output = Result<BucketState, CallError>> + Send;

    /// Creates the bucket.
    fn create(&self) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Makes the bucket private, encrypted, versioned and TLS-only.
    fn secure(&self) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Whether the bucket has an object with this key.
    fn has(&self, key: &str) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// Writes an object.
    fn put(&self, key: &str, content: Vec<u8>) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Reads an object, or returns `None` if it is missing. Every other answer is an error, because a history that seems
    /// missing would be begun anew.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, CallError>> + Send;

    /// Removes all objects whose keys begin with `prefix`.
    fn remove_all(&self, prefix: &str) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// The account.
pub trait Account {
    /// Returns the identity of the credentials.
    fn identity(&self) -> impl Future<Output = Result<Identity, CallError>> + Send;

    /// Returns the concurrent executions that no function of the account reserves.
    fn unreserved_concurrency(&self) -> impl Future<Output = Result<u64, CallError>> + Send;

    /// Returns the concurrent executions that a function reserves, or 0 if there is no such function.
    fn reserved_concurrency(&self, function: &str) -> impl Future<Output = Result<u64, CallError>> + Send;

    /// Returns the timeout of a function, in seconds.
    fn timeout_seconds(&self, function: &str) -> impl Future<Output = Result<u64, CallError>> + Send;
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey {
    /// Its identifier.
    pub id: String,
    /// Whether it is scheduled for deletion.
    pub ends: bool,
}

/// The table and its key, which outlive their stack.
pub trait Data {
    /// Whether there is a table called `name`. A missing right is an error, and not `false`.
    fn has_table(&self, name: &str) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// Returns the key with this alias or identifier, or `None` if there is none.
    fn key(&self, name: &str) -> impl Future<Output = Result<Option<DataKey>, CallError>> + Send;

    /// Deletes a table that may be protected against it, and waits for its end.
    fn delete_table(&self, name: &str) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Deletes an alias. A missing alias is no error.
    fn delete_alias(&self, alias: &str) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Schedules the deletion of a key in 30 days. If it is scheduled already, nothing changes.
    fn end_key(&self, id: &str) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Builds the functions.
pub trait Builder {
    /// Builds these functions and returns the folder with `<function>/bootstrap` in it.
    fn build(
        &self,
        functions: &[&str],
        architecture: Architecture,
    ) -> impl Future<Output = Result<PathBuf, Failure>> + Send;
}

/// Checks a deployed system.
pub trait Check {
    /// Checks the deployment that was changed at `since` (UTC), and shows each finding at once. The error is the reason
    /// why nothing could be checked.
    fn check(
        &self,
        deployment: &Deployment,
        since: Timestamp,
        talk: &(impl Talk + Sync),
    ) -> impl Future<Output = Result<CheckReport, Failure>> + Send;
}

/// The progress of a change of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The stack.
    pub stack: &'a str,
    /// Number of resources that are done.
    pub done: usize,
    /// Number of resources that are to be changed; 0 if it is unknown.
    pub of: usize,
    /// The newest event.
    pub event: &'a Event,
}

/// Shows messages to the deployer, a person or a pipeline, and asks.
pub trait Talk {
    /// Shows a line.
    fn say(&self, line: Line);

    /// Shows the progress of a change.
    fn step(&self, step: Step<'_>);

    /// Asks the question. The answer is yes if it is the word `expected`.
    fn confirm(&self, question: &str, expected: &str) -> Confirmation;
}

/// All that the engine needs.
pub trait Ports {
    /// `CloudFormation`.
    type Stacks: StackService + Sync;
    /// The bucket.
    type Bucket: Bucket + Sync;
    /// The account.
    type Account: Account + Sync;
    /// Table and key.
    type Data: Data + Sync;
    /// The check.
    type Check: Check + Sync;
    /// The person or the pipeline.
    type Talk: Talk + Sync;

    /// `CloudFormation`.
    fn stacks(&self) -> &Self::Stacks;
    /// The bucket.
    fn bucket(&self) -> &Self::Bucket;
    /// The account.
    fn account(&self) -> &Self::Account;
    /// Table and key.
    fn data(&self) -> &Self::Data;
    /// The check.
    fn check(&self) -> &Self::Check;
    /// The person or the pipeline.
    fn talk(&self) -> &Self::Talk;
}

/// The ports, each by itself.
#[derive(Clone, Debug)]
pub struct Parts<S, B, A, D, C, T> {
    /// `CloudFormation`.
    pub stacks: S,
    /// The bucket.
    pub bucket: B,
    /// The account.
    pub account: A,
    /// Table and key.
    pub data: D,
    /// The check.
    pub check: C,
    /// The person or the pipeline.
    pub talk: T,
}

impl<S, B, A, D, C, T> Ports for Parts<S, B, A, D, C, T>
where
    S: StackService + Sync,
    B: Bucket + Sync,
    A: Account + Sync,
    D: Data + Sync,
    C: Check + Sync,
    T: Talk + Sync,
{
    type Stacks = S;
    type Bucket = B;
    type Account = A;
    type Data = D;
    type Check = C;
    type Talk = T;

    fn stacks(&self) -> &S {
        &self.stacks
    }

    fn bucket(&self) -> &B {
        &self.bucket
    }

    fn account(&self) -> &A {
        &self.account
    }

    fn data(&self) -> &D {
        &self.data
    }

    fn check(&self) -> &C {
        &self.check
    }

    fn talk(&self) -> &T {
        &self.talk
    }
}
