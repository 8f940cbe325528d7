//! Checks on the deployed system itself whether the circuit breaker works.
//!
//! No test shows what AWS does in a bank's account: whether alarms may publish, whether log delivery may decrypt, and how
//! late metrics arrive. A check changes only the state of one alarm, and sets it back.

mod report;
mod steps;

use std::time::Duration;

use aws_edge::stores::state::StateReader;
use jiff::Timestamp;

use crate::deployment::{Deployment, Place};
use crate::exit::Failure;
use crate::ports::{AlarmActions, AlarmState, Alarms, AsksStatus, Logs, MetricSums, StateMachine, Subscriptions};

pub use report::{Check, CheckReport, Finding, Verdict};

/// The names of the log groups and of the alarm that the checks use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The log group of the state machine's executions.
    pub execution_log: String,
    /// The log group of the alarm processor.
    pub processor_log: String,
    /// The alarm that is set by hand.
    pub alarm: String,
}

/// How long the checks wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Whether it is a local AWS, which cannot show everything.
    pub local: bool,
    /// Pause between two reads.
    pub pause: Duration,
    /// Maximum wait for each expected result.
    pub patience: Duration,
}

/// The checks, with the parts of the deployment that they use.
#[derive(Clone, Debug)]
pub struct Checks<M, T, A, P> {
    /// The state machine.
    pub machine: M,
    /// The state table.
    pub table: T,
    /// The alarms.
    pub alarms: A,
    /// The other parts.
    pub probe: P,
    /// The names of log groups and alarm.
    pub names: Names,
    /// How long the checks wait.
    pub pace: Pace,
    /// Time of the deployment that this check ends (UTC). Earlier results of alarm actions belong to the release before.
    pub deployed_at: Option<Timestamp>,
}

impl Names {
    /// Returns the names in the outputs of a stack.
    ///
    /// # Errors
    /// The stack lacks one of them.
    pub fn new(deployment: &Deployment) -> Result<Self, Failure> {
        let output = |name| deployment.output(name).map(str::to_owned);
        Ok(Self {
            execution_log: output("StateMachineLogGroupName")?,
            processor_log: output("AlarmProcessorLogGroupName")?,
            alarm: output("CanaryAlarmName")?,
        })
    }
}

impl Pace {
    /// Returns the pace for AWS, or for a local AWS, which is quick.
    #[must_use]
    pub const fn new(local: bool) -> Self {
        let pause = if local { Duration::from_millis(300) } else { Duration::from_secs(3) };
        Self { local, pause, patience: Duration::from_mins(2) }
    }
}

/// Runs all checks, one after the other, and calls `seen` with each finding at once, because the checks take minutes.
/// Checks that need an execution are left out if a dry run of the state machine fails, because none would succeed.
pub async fn run<M, T, A, P>(checks: &Checks<M, T, A, P>, place: Place, mut seen: impl FnMut(&Finding)) -> CheckReport
where
    M: StateMachine,
    T: StateReader,
    A: Alarms,
    P: AsksStatus + Logs + AlarmState + AlarmActions + Subscriptions + MetricSums,
{
    let at = Timestamp::now();
    let mut findings = Vec::new();
    let mut keep = |finding: Finding| {
        seen(&finding);
        findings.push(finding);
    };
    keep(checks.request().await);
    let (dry_run, settle) = checks.dry_run().await;
    let executes = dry_run.verdict == Verdict::Passed;
    keep(dry_run);
    if executes {
        keep(checks.execution_log(at).await);
        let (alarm_path, counted) = checks.alarm_path().await;
        keep(alarm_path);
        keep(checks.metrics_delay(counted, settle).await);
        keep(checks.evaluations(at).await);
    } else {
        for check in [Check::ExecutionLog, Check::AlarmPath, Check::MetricsDelay, Check::Evaluations] {
            keep(Finding::not_tried(check, "it needs an execution that succeeds, and the dry run failed"));
        }
    }
    keep(checks.written_state().await);
    keep(checks.alarm_actions().await);
    keep(checks.action_results(at).await);
    keep(checks.subscriptions().await);
    keep(Finding::not_tried(Check::Services, "each call of a service would count as an outcome of its level"));
    CheckReport { deployment: place, at, findings }
}

#[cfg(test)]
mod tests;
