//! Deploys, rolls back and removes through the ports.

mod capacity;
mod changes;
mod deploy;
mod destroy;
mod rollback;
mod stack;

use std::time::Duration;

use aws_edge::call_error::CallError;
use jiff::Timestamp;
use operate::deployment::Place;
use operate::exit::{Exit, Failure};
use operate::ports::Confirmation;
use operate::terminal::{Line, Tone};
use stacks::Names;

use crate::names::DataNames;
use crate::ports::{Ports, Talk};

pub use deploy::Begun;
pub use rollback::Only;

/// How throttle and reservations are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// The file's values. Those that it does not set are fitted to the account's limit of concurrent executions.
    FittedToAccount,
    /// The file's values and the defaults.
    AsInFile,
}

/// The options of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Whether to ask nothing.
    pub yes: bool,
    /// Whether to change nothing.
    pub dry_run: bool,
    /// Whether to check the deployment at the end.
    pub check: bool,
    /// How throttle and reservations are chosen.
    pub limits: Limits,
    /// Pause between two reads of a stack that is changing.
    pub pause: Duration,
}

/// One deployment in one account and region.
#[derive(Clone, Debug)]
pub struct Engine<P> {
    ports: P,
    names: Names,
    account: String,
    region: String,
    manner: Manner,
    begun_at: Timestamp,
}

impl<P: Ports + Sync> Engine<P> {
    /// The deployment of these names.
    #[must_use]
    pub fn new(ports: P, names: Names, account: &str, region: &str, manner: Manner) -> Self {
        Self {
            ports,
            names,
            account: account.to_owned(),
            region: region.to_owned(),
            manner,
            begun_at: Timestamp::now(),
        }
    }

    /// The ports.
    #[must_use]
    pub const fn ports(&self) -> &P {
        &self.ports
    }

    /// Returns the deployment's stack, account and region.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { stack: self.names.deployment(), account: self.account.clone(), region: self.region.clone() }
    }

    /// Returns the command line of a subcommand for this deployment.
    fn command(&self, subcommand: &str) -> String {
        let Names { project, environment } = &self.names;
        format!("breaker {subcommand} --environment {environment} --project-name {project} --region {}", self.region)
    }

    fn say(&self, text: impl Into<String>) {
        self.ports.talk().say(Line::from(text.into()));
    }

    /// Shows a warning.
    pub fn warn(&self, text: &str) {
        self.ports.talk().say(Line::toned(Tone::Warning, "Warning: ").and(Tone::Plain, format!("{text}.")));
    }

    /// Asks the question, unless the run asks nothing. `otherwise` is the failure's sentence if the answer is no.
    fn agree(&self, question: &str, expected: &str, otherwise: &str) -> Result<(), Failure> {
        if self.manner.yes {
            return Ok(());
        }
        match self.ports.talk().confirm(question, expected) {
            Confirmation::Yes => Ok(()),
            Confirmation::No => Err(Failure::failed(otherwise)),
            Confirmation::NotAsked => Err(Failure::failed(format!(
                "{question} The input is no terminal, so the question cannot be asked: give --yes; {otherwise}"
            ))),
        }
    }
}

/// Returns the failure for a call that failed before anything was changed.
fn failed(error: CallError) -> Failure {
    error.into()
}

/// Returns the failure for a call that failed during a change. `CloudFormation` continues the change without this
/// command.
fn unknown(what: &str, error: &CallError) -> Failure {
    let sentence = format!("{what} goes on by itself, and can no longer be watched ({error}): run this command again");
    Failure { exit: Exit::Unknown, sentence }
}
