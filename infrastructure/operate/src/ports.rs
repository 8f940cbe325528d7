//! The ports through which the commands use AWS: one trait for each need, and the types that it answers with. The ports
//! of the state table are those of the Lambdas: `StateReader`, `CommandReader` and `HistoryReader` of the crate
//! `aws-edge`.

use aws_edge::call_error::CallError;
use breaker::{CommandRecord, TransitionRecord, TransitionRequest};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Answer;
use crate::deployment::{Deployment, Identity};
use crate::terminal::Line;

/// An execution of the state machine that has ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Executed {
    /// The execution succeeded.
    Answered(Box<Answer>),
    /// The execution failed.
    Failed {
        /// The error's name, or the execution's status if it has none.
        error: String,
        /// The cause, for people.
        cause: String,
    },
}

/// Starts the state machine.
pub trait StateMachine {
    /// Runs the state machine to its end with a request that changes nothing.
    fn dry_run(&self, request: &TransitionRequest) -> impl Future<Output = Result<Executed, CallError>> + Send;

    /// Starts the state machine under `name`. The result is in the record that the command leaves.
    fn start(&self, name: &str, request: &TransitionRequest) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Records of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records<T> {
    /// The valid records.
    pub records: Vec<T>,
    /// Number of records that are invalid and left out.
    pub left_out: u64,
}

/// Reads the table's index by time. Records that a release without the index wrote are not in it.
pub trait RecordsByTime {
    /// Returns at most `count` transitions, newest first and none before `since`.
    fn transitions(
        &self,
        since: Option<Timestamp>,
        count: usize,
    ) -> impl Future<Output = Result<Records<TransitionRecord>, CallError>> + Send;

    /// Returns at most `count` commands, newest first and none before `since`.
    fn commands(
        &self,
        since: Option<Timestamp>,
        count: usize,
    ) -> impl Future<Output = Result<Records<CommandRecord>, CallError>> + Send;
}

/// Reads the commands of one epoch, whichever release wrote them.
pub trait CommandsOfEpoch {
    /// Returns the commands after which the state had this epoch, in any order.
    fn commands_of(&self, epoch: u64) -> impl Future<Output = Result<Records<CommandRecord>, CallError>> + Send;
}

/// The controllers' metrics of the last five minutes; empty if no controller reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControllersView {
    /// The lowest level number that any controller routed by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowest_level: Option<f64>,
    /// The highest level number that any controller routed by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highest_level: Option<f64>,
    /// The greatest age of the state that any controller routed by (seconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_state_seconds: Option<f64>,
}

/// Reads the controllers' metrics.
pub trait Controllers {
    /// Returns the metrics of the last minutes before `now`.
    fn view(&self, now: Timestamp) -> impl Future<Output = Result<ControllersView, CallError>> + Send;
}

/// One alarm of the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub is_on: bool,
    /// Whether it notifies and acts when it goes on.
    pub actions_enabled: bool,
    /// Time of its newest change of state (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Reads the deployment's alarms.
pub trait Alarms {
    /// Returns all alarms of the deployment.
    fn alarms(&self) -> impl Future<Output = Result<Vec<Alarm>, CallError>> + Send;
}

/// An answer of the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Source of the controller's level; empty if the answer does not have it.
    pub state_source: String,
}

/// Asks the controller for the source of its level, through its alias, as the API does. The controller calls no service,
/// so no outcome is counted.
pub trait AsksStatus {
    /// Returns the controller's answer.
    fn status(&self) -> impl Future<Output = Result<StatusAnswer, CallError>> + Send;
}

/// An event of a log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Time of the event (UTC).
    pub at: Timestamp,
    /// The line.
    pub message: String,
}

/// Reads log groups.
pub trait Logs {
    /// Returns the events of `group` since `since` that contain `word`.
    fn events(
        &self,
        group: &str,
        since: Timestamp,
        word: &str,
    ) -> impl Future<Output = Result<Vec<LogEvent>, CallError>> + Send;
}

/// Sets the state of an alarm by hand.
pub trait AlarmState {
    /// Returns the state: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    fn state(&self, alarm: &str) -> impl Future<Output = Result<String, CallError>> + Send;

    /// Sets the state until the next evaluation of the alarm.
    fn set_state(&self, alarm: &str, state: &str) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// An action that an alarm took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTaken {
    /// The alarm.
    pub alarm: String,
    /// Whether the action succeeded.
    pub succeeded: bool,
    /// The text of `CloudWatch` about the action.
    pub summary: String,
}

/// Reads the results of the alarms' actions.
pub trait AlarmActions {
    /// Returns the actions of the deployment's alarms since `since`, newest first.
    fn actions(&self, since: Timestamp) -> impl Future<Output = Result<Vec<ActionTaken>, CallError>> + Send;
}

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The protocol, such as `email`.
    pub protocol: String,
    /// The address.
    pub endpoint: String,
    /// Whether its owner confirmed it.
    pub confirmed: bool,
}

/// Reads the receivers of alerts.
pub trait Subscriptions {
    /// Returns the subscriptions of the alerts topic.
    fn subscriptions(&self) -> impl Future<Output = Result<Vec<Subscription>, CallError>> + Send;
}

/// A metric with no other dimension than the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// The namespace.
    pub namespace: &'static str,
    /// The metric.
    pub metric: &'static str,
    /// The shortest period by which `CloudWatch` keeps it (seconds).
    pub period_seconds: i32,
}

/// Reads sums of the deployment's metrics.
pub trait MetricSums {
    /// Returns the sum of a series from one time to another.
    fn sum(
        &self,
        series: Series,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<f64, CallError>> + Send;
}

/// The start of an execution in the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartEvent {
    /// The name that the caller gave the execution, if any.
    pub name: Option<String>,
    /// The ARN of the execution.
    pub execution: Option<String>,
    /// The ARN of the caller.
    pub principal: String,
}

/// Reads the account's trail.
pub trait Trail {
    /// Returns the starts of executions between two times.
    fn starts(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<StartEvent>, CallError>> + Send;
}

/// Finds deployments.
pub trait Stacks {
    /// Returns the deployment of the stack `name`; `None` if there is no such stack.
    fn deployment(&self, name: &str) -> impl Future<Output = Result<Option<Deployment>, CallError>> + Send;

    /// Returns the names of this project's stacks.
    fn names(&self) -> impl Future<Output = Result<Vec<String>, CallError>> + Send;

    /// Returns the identity of the credentials.
    fn identity(&self) -> impl Future<Output = Result<Identity, CallError>> + Send;
}

/// An operator's answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Continue.
    Yes,
    /// Stop.
    No,
    /// The input is not a terminal, so the question cannot be asked.
    NotAsked,
}

/// Asks the operator.
pub trait Confirm {
    /// Shows the lines, and asks whether to go on.
    fn confirm(&self, lines: &[Line]) -> Confirmation;
}
