//! Doubles of the ports, for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_edge::stores::state::{CommandReader, HistoryReader, StateReader, StoreError, Transitions};
use breaker::{
    CommandRecord, Hold, Level, Outcome, Policy, PolicySettings, Stored, SystemState, TransitionRecord,
    TransitionRequest,
};
use jiff::{SignedDuration, Timestamp};

use crate::answer::Answer;
use crate::deployment::{Deployment, Identity, Place};
use crate::ports::{
    Alarm, Alarms, CommandsOfEpoch, Confirm, Confirmation, Controllers, ControllersView, Executed, Records,
    RecordsByTime, Stacks, StartEvent, StateMachine, Trail,
};
use crate::terminal::Line;

pub const HOLDER: &str = "arn:aws:states:eu-central-1:1:express:bank:force-1:1";

pub fn at(second: i64) -> Timestamp {
    "2026-09-10T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub fn place() -> Place {
    Place { stack: "bank-prod".to_owned(), account: "111122223333".to_owned(), region: "eu-central-1".to_owned() }
}

pub fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

pub fn state(level: Level) -> SystemState {
    SystemState { current_level: level, version: 9, epoch: 4, ..SystemState::initial(&policy(), at(0)) }
}

/// Returns Bob's hold of level 3, in force for an hour from now.
pub fn hold() -> Hold {
    Hold {
        level: Level::Maintenance,
        reason: "while the DB is restored".to_owned(),
        requested_by: "bob".to_owned(),
        expires_at: Timestamp::now() + SignedDuration::from_hours(1),
        execution: Some(HOLDER.to_owned()),
    }
}

/// Returns the answer to a force from level 3 to level 2.
pub fn answer(outcome: Outcome, ended_hold: Option<Hold>) -> Answer {
    let to = if outcome == Outcome::None { Level::Maintenance } else { Level::Degraded };
    Answer {
        outcome,
        dry_run: true,
        from: Level::Maintenance,
        to,
        prevented: None,
        ended_hold: ended_hold.clone(),
        recovery_allowed_at: Some(at(30)),
        policy: Some(policy()),
        reason: format!("{outcome:?} by alice: drill"),
        cause: None,
        evidence: None,
        old_state: SystemState { hold: ended_hold, ..state(Level::Maintenance) },
        new_state: state(to),
    }
}

/// Returns the record that a command under this name leaves.
pub fn record(name: &str, request: TransitionRequest, ended_hold: Option<Hold>) -> CommandRecord {
    CommandRecord {
        name: name.to_owned(),
        version: 10,
        epoch: 5,
        from: Level::Maintenance,
        to: Level::Degraded,
        at: at(0),
        outcome: Outcome::Transition,
        reason: "forced from level 3 to level 2 by alice: drill".to_owned(),
        cause: None,
        request,
        ended_hold,
        recovery_allowed_at: Some(at(30)),
        execution: format!("arn:aws:states:eu-central-1:1:express:bank:{name}:2"),
    }
}

pub fn refused(message: &str) -> CallError {
    CallError::new(ErrorKind::Denied, message).described(message)
}

pub fn unanswered(message: &str) -> CallError {
    CallError::new(ErrorKind::TimedOut, message).described(message)
}

/// A state machine that answers dry runs with these answers in order, then repeats the last one, and keeps what was
/// started.
pub struct TestMachine {
    pub answers: Vec<Result<Executed, CallError>>,
    pub start: Result<(), CallError>,
    pub dry_runs: AtomicUsize,
    pub started: Mutex<Vec<(String, TransitionRequest)>>,
}

impl TestMachine {
    pub fn answering(answers: Vec<Result<Executed, CallError>>) -> Self {
        Self { answers, start: Ok(()), dry_runs: AtomicUsize::new(0), started: Mutex::default() }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a port answers")]
pub fn answered(answer: Answer) -> Result<Executed, CallError> {
    Ok(Executed::Answered(Box::new(answer)))
}

impl StateMachine for TestMachine {
    async fn dry_run(&self, request: &TransitionRequest) -> Result<Executed, CallError> {
        assert!(request.dry_run(), "{request:?} would be carried out");
        let number = self.dry_runs.fetch_add(1, Ordering::Relaxed);
        self.answers.get(number).or(self.answers.last()).unwrap().clone()
    }

    async fn start(&self, name: &str, request: &TransitionRequest) -> Result<(), CallError> {
        assert!(!request.dry_run());
        self.started.lock().unwrap().push((name.to_owned(), request.clone()));
        self.start.clone()
    }
}

/// The result of a read of the command's record.
#[derive(Clone, Debug)]
pub enum Read {
    Record(Option<Hold>),
    Nothing,
    Unreadable,
}

/// A table that answers reads of a command's record with these results in order, then repeats the last one.
pub struct TestRecords {
    pub reads: Vec<Read>,
    pub read: AtomicUsize,
    pub request: TransitionRequest,
}

impl CommandReader for TestRecords {
    async fn command(&self, execution_name: &str) -> Result<Option<CommandRecord>, StoreError> {
        let number = self.read.fetch_add(1, Ordering::Relaxed);
        match self.reads.get(number).or(self.reads.last()).unwrap().clone() {
            Read::Record(hold) => Ok(Some(record(execution_name, self.request.clone(), hold))),
            Read::Nothing => Ok(None),
            Read::Unreadable => Err(StoreError::Invalid("the table is down".to_owned())),
        }
    }
}

/// An operator with this answer, and the lines that were shown.
pub struct TestConfirm(pub Confirmation, pub Mutex<Vec<String>>);

impl Confirm for TestConfirm {
    fn confirm(&self, lines: &[Line]) -> Confirmation {
        self.1.lock().unwrap().extend(lines.iter().map(Line::text));
        self.0
    }
}

/// A table with these contents.
pub struct TestTable {
    pub stored: Result<Stored, StoreError>,
    pub transitions: Vec<TransitionRecord>,
    pub commands: Vec<CommandRecord>,
    /// Epochs whose records are not in the index by time.
    pub unindexed: Vec<u64>,
}

impl StateReader for TestTable {
    async fn read(&self) -> Result<Stored, StoreError> {
        self.stored.clone()
    }
}

impl HistoryReader for TestTable {
    async fn transitions(&self, epoch: u64, count: u64) -> Result<Transitions, StoreError> {
        let wanted = (epoch + 1).saturating_sub(count)..=epoch;
        let mut records: Vec<_> =
            self.transitions.iter().filter(|record| wanted.contains(&record.epoch)).cloned().collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.epoch));
        Ok(Transitions { records, left_out: 0 })
    }
}

impl TestTable {
    /// Returns the records that the index has, newest first. `of` returns the epoch and the time of a record.
    fn indexed<T: Clone>(
        &self,
        records: &[T],
        of: impl Fn(&T) -> (u64, Timestamp),
        since: Option<Timestamp>,
        count: usize,
    ) -> Records<T> {
        let is_listed = |record: &&T| {
            let (epoch, at) = of(record);
            !self.unindexed.contains(&epoch) && since.is_none_or(|since| at >= since)
        };
        let mut records: Vec<T> = records.iter().filter(is_listed).cloned().collect();
        records.sort_by_key(|record| std::cmp::Reverse(of(record).1));
        records.truncate(count);
        Records { records, left_out: 0 }
    }
}

impl RecordsByTime for TestTable {
    async fn transitions(
        &self,
        since: Option<Timestamp>,
        count: usize,
    ) -> Result<Records<TransitionRecord>, CallError> {
        Ok(self.indexed(&self.transitions, |record| (record.epoch, record.at), since, count))
    }

    async fn commands(&self, since: Option<Timestamp>, count: usize) -> Result<Records<CommandRecord>, CallError> {
        Ok(self.indexed(&self.commands, |record| (record.epoch, record.at), since, count))
    }
}

impl CommandsOfEpoch for TestTable {
    async fn commands_of(&self, epoch: u64) -> Result<Records<CommandRecord>, CallError> {
        let records = self.commands.iter().filter(|record| record.epoch == epoch).cloned().collect();
        Ok(Records { records, left_out: 0 })
    }
}

/// A trail with these events, or one that cannot be read.
pub struct TestTrail(pub Result<Vec<StartEvent>, CallError>);

impl Trail for TestTrail {
    async fn starts(&self, _: Timestamp, _: Timestamp) -> Result<Vec<StartEvent>, CallError> {
        self.0.clone()
    }
}

/// Controllers that report these metrics.
pub struct TestControllers(pub Result<ControllersView, CallError>);

impl Controllers for TestControllers {
    async fn view(&self, _: Timestamp) -> Result<ControllersView, CallError> {
        self.0.clone()
    }
}

/// A deployment with these alarms.
pub struct TestAlarms(pub Result<Vec<Alarm>, CallError>);

impl Alarms for TestAlarms {
    async fn alarms(&self) -> Result<Vec<Alarm>, CallError> {
        self.0.clone()
    }
}

/// An account with these stacks, all of this project.
pub struct TestAccount(pub Vec<&'static str>);

impl Stacks for TestAccount {
    async fn deployment(&self, name: &str) -> Result<Option<Deployment>, CallError> {
        let found = self.0.contains(&name);
        let outputs = BTreeMap::from([("StateTableName".to_owned(), "table".to_owned())]);
        let (project, environment) = ("bank".to_owned(), "prod".to_owned());
        Ok(found.then(|| Deployment { place: place(), project, environment, outputs }))
    }

    async fn names(&self) -> Result<Vec<String>, CallError> {
        Ok(self.0.iter().map(|name| (*name).to_owned()).collect())
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        Ok(Identity { account: "111122223333".to_owned(), arn: "arn:aws:iam::111122223333:user/alice".to_owned() })
    }
}
