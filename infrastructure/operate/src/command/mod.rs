//! The commands `look`, `force` and `release`.
//!
//! A command is tried as a dry run first, so that an invalid one is refused with its reason before anything happens,
//! and so that the operator sees whose hold would end. Then the state machine is started under a name of its own,
//! which the account's trail keeps, and the command's record in the state table proves its result. If the
//! outcome is unknown, the report says so.

mod report;
mod request;

use std::time::Duration;

use aws_edge::stores::state::CommandReader;
use breaker::{CommandRecord, Outcome};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::deployment::Place;
use crate::ports::{Confirm, Confirmation, Executed, StateMachine};

pub use report::{CommandReport, Verdict};
pub use request::{ExpectedHold, Order, Orders};

/// Pause between two reads of the command's record.
const PAUSE: Duration = Duration::from_millis(500);

/// Carries out commands on one deployment.
#[derive(Clone, Debug)]
pub struct Operator<M, R, C> {
    /// The deployment.
    pub place: Place,
    /// Its state machine.
    pub machine: M,
    /// Its table.
    pub records: R,
    /// The operator at the terminal.
    pub confirm: C,
    /// The log group of the state machine. Reports name it if only the log can show the result.
    pub log_group: String,
}

/// The result of the search for a command's record.
enum Found {
    Record(Box<CommandRecord>),
    /// No record was found until the deadline.
    Nothing,
    /// The last read failed, with its reason.
    Unreadable(String),
}

impl<M: StateMachine, R: CommandReader, C: Confirm> Operator<M, R, C> {
    /// Carries out the orders and returns the report.
    pub async fn carry_out(&self, orders: &Orders) -> CommandReport {
        let report = CommandReport::new(self.place.clone(), orders.order.name());
        let answer = match self.machine.dry_run(&orders.request(true, None)).await {
            Ok(Executed::Answered(answer)) => answer,
            Ok(Executed::Failed { error, cause }) => return report.refused(&error, &cause),
            Err(error) => return report.failed(format!("the state machine cannot be started: {error}")),
        };
        if orders.order.is_dry_run() {
            return report.dry_run(*answer);
        }
        if answer.outcome == Outcome::None {
            return report.nothing(*answer);
        }
        if !orders.yes {
            match self.confirm.confirm(&report::question(&self.place, orders, &answer, now())) {
                Confirmation::Yes => {}
                Confirmation::No => return report.failed("not confirmed".to_owned()),
                Confirmation::NotAsked => return report.not_asked(),
            }
        }
        self.start(orders, report, &answer).await
    }

    async fn start(&self, orders: &Orders, report: CommandReport, seen: &Answer) -> CommandReport {
        let name = format!("{}-{:032x}", orders.order.name(), rand::random::<u128>());
        let started = self.machine.start(&name, &orders.request(false, Some(seen))).await;
        let report = report.of_execution(&name);
        let answered = match started {
            Ok(()) => Ok(()),
            Err(error) if error.kind().is_rejection() => {
                return report.failed(format!("the state machine cannot be started: {error}"));
            }
            Err(error) => Err(error),
        };
        match (self.wait_for_record(&name, orders.wait).await, answered) {
            (Found::Record(record), _) => report.done(*record),
            (Found::Unreadable(problem), _) => report.unknown(format!("the table cannot be read: {problem}")),
            (Found::Nothing, Ok(())) => self.without_record(orders, report, &name, seen).await,
            (Found::Nothing, Err(error)) => report.unknown(format!(
                "the state machine did not say that it started: {error}; look at the state before you repeat the command"
            )),
        }
    }

    async fn wait_for_record(&self, name: &str, wait: Duration) -> Found {
        let deadline = Instant::now() + wait;
        loop {
            let found = self.look_for_record(name).await;
            if matches!(found, Found::Record(_)) || Instant::now() >= deadline {
                return found;
            }
            sleep(PAUSE).await;
        }
    }

    async fn look_for_record(&self, name: &str) -> Found {
        match self.records.command(name).await {
            Ok(Some(record)) => Found::Record(Box::new(record)),
            Ok(None) => Found::Nothing,
            Err(error) => Found::Unreadable(error.to_string()),
        }
    }

    /// Returns the report of a command that left no record: another operator may have done the same before, or may have
    /// made the command invalid.
    async fn without_record(&self, orders: &Orders, report: CommandReport, name: &str, seen: &Answer) -> CommandReport {
        let waited = format!("no record of it came within {} s", orders.wait.as_secs());
        let tried = self.machine.dry_run(&orders.request(true, Some(seen))).await;
        // The record may have come late. Then the command itself is why it would be refused now.
        match self.look_for_record(name).await {
            Found::Record(record) => return report.done(*record),
            Found::Unreadable(problem) => return report.unknown(format!("the table cannot be read: {problem}")),
            Found::Nothing => {}
        }
        match tried {
            Ok(Executed::Answered(answer)) if answer.outcome == Outcome::None => report.nothing(*answer),
            Ok(Executed::Answered(answer)) => report.unknown(format!(
                "{waited}: it failed or still waits, and there is still something to do ({}); look in the log group {} \
                 before you repeat it",
                answer.reason, self.log_group
            )),
            Ok(Executed::Failed { error, cause }) => report.refused_by_now(&waited, &error, &cause),
            Err(error) => report.unknown(format!("{waited}, and the state machine cannot be asked: {error}")),
        }
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests;
