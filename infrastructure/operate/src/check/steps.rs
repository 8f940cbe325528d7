//! The checks, one by one.

use aws_edge::call_error::CallError;
use aws_edge::metrics::namespace;
use aws_edge::stores::state::StateReader;
use breaker::{Policy, ScheduleRequest, Stored, TransitionRequest};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Check, Checks, Finding, Verdict};
use crate::ports::{
    AlarmActions, AlarmState, Alarms, AsksStatus, Executed, LogEvent, Logs, MetricSums, Series, StateMachine,
    Subscriptions,
};

/// The alarm processor's count of recovery alarms whose execution succeeded.
const PROCESSED: Series =
    Series { namespace: namespace::ALARM_PROCESSOR, metric: "RecoveryAlarmProcessed", period_seconds: 1 };
/// The count of evaluations by emit-metrics.
const EVALUATED: Series = Series { namespace: namespace::TRANSITIONS, metric: "Evaluation", period_seconds: 60 };
/// Type of the last event in the log of an execution that succeeded.
const SUCCEEDED: &str = "ExecutionSucceeded";
const ALARM: &str = "ALARM";
const OK: &str = "OK";
/// Time range in which evaluations are searched for. The schedule starts one each minute.
const EVALUATIONS_REACH: SignedDuration = SignedDuration::from_mins(5);
/// Time range of the alarms' actions if the time of the deployment is not known.
const ACTIONS_REACH: SignedDuration = SignedDuration::from_hours(24);

impl<M, T, A, P> Checks<M, T, A, P>
where
    M: StateMachine,
    T: StateReader,
    A: Alarms,
    P: AsksStatus + Logs + AlarmState + AlarmActions + Subscriptions + MetricSums,
{
    pub(super) async fn request(&self) -> Finding {
        let check = Check::Request;
        match self.probe.status().await {
            Ok(answer) if answer.state_source.is_empty() => Finding::failed(
                check,
                format!("the controller's answer, status {}, does not have the source of its level", answer.status),
            ),
            Ok(answer) if ["table", "firstStart"].contains(&answer.state_source.as_str()) => Finding::passed(
                check,
                format!("the controller answers through its alias; source of its level: {}", answer.state_source),
            ),
            Ok(answer) => Finding::failed(
                check,
                format!("the controller cannot read the state table; source of its level: {}", answer.state_source),
            ),
            Err(error) => Finding::failed(check, error.to_string()),
        }
    }

    /// Returns the finding, and the policy's time after which evidence counts as complete.
    pub(super) async fn dry_run(&self) -> (Finding, Option<SignedDuration>) {
        let check = Check::DryRun;
        let look = TransitionRequest::Schedule(ScheduleRequest { looks: None, dry_run: true });
        match self.machine.dry_run(&look).await {
            Ok(Executed::Answered(answer)) => {
                let text = format!("evaluate-thresholds read the state and the metrics: {}", answer.reason);
                (Finding::passed(check, text), answer.policy.as_ref().map(Policy::settle))
            }
            Ok(Executed::Failed { error, cause }) => (Finding::failed(check, format!("{error}: {cause}")), None),
            Err(error) => (Finding::failed(check, error.to_string()), None),
        }
    }

    pub(super) async fn execution_log(&self, since: Timestamp) -> Finding {
        let (check, group) = (Check::ExecutionLog, &self.names.execution_log);
        if self.pace.local {
            return Finding::not_tried(check, "a local AWS keeps no log of Express executions");
        }
        let begun = Instant::now();
        let logged = self.arrived(|| async move { Ok(self.probe.events(group, since, SUCCEEDED).await?.pop()) }).await;
        match logged {
            Ok(Some(_)) => {
                let seconds = begun.elapsed().as_secs_f64();
                Finding::passed(check, format!("an execution is in {group} after {seconds:.0} s")).measured(seconds)
            }
            Ok(None) => Finding::failed(
                check,
                format!("no execution is in {group} after {} s: may log delivery use the key?", self.patience()),
            ),
            Err(error) => Finding::failed(check, error.to_string()),
        }
    }

    /// Returns the finding, and the alarm processor's log line about the alarm.
    pub(super) async fn alarm_path(&self) -> (Finding, Option<LogEvent>) {
        let (check, alarm) = (Check::AlarmPath, &self.names.alarm);
        let before = match self.probe.state(alarm).await {
            Ok(before) => before,
            Err(error) => return (Finding::failed(check, error.to_string()), None),
        };
        let begun = Instant::now();
        let followed = self.follow_alarm(&before).await;
        let seconds = begun.elapsed().as_secs_f64();
        // Set back in any case. CloudWatch does so, too, with the alarm's next evaluation.
        let restored = self.probe.set_state(alarm, &before).await;
        let finding = match &followed {
            Ok(Some(_)) => {
                let text = format!("{alarm} started an execution through topic and queue after {seconds:.0} s");
                Finding::passed(check, text).measured(seconds)
            }
            Ok(None) => Finding::failed(
                check,
                format!(
                    "{alarm} was set to {ALARM}, and the alarm processor's log {} has no execution for it after {} s: \
                     see the alarm's history, NumberOfNotificationsFailed of the topic, and the dead-letter queue",
                    self.names.processor_log,
                    self.patience()
                ),
            ),
            Err(error) => Finding::failed(check, error.to_string()),
        };
        let finding = match restored {
            Ok(()) => finding,
            Err(error) => Finding::failed(
                check,
                format!(
                    "{}; {alarm} could not be set back to {before}, which its next evaluation does: {error}",
                    finding.text
                ),
            ),
        };
        (finding, followed.ok().flatten())
    }

    async fn follow_alarm(&self, before: &str) -> Result<Option<LogEvent>, CallError> {
        let alarm = &self.names.alarm;
        let since = Timestamp::now();
        // CloudWatch notifies the topic only of a change.
        if before == ALARM {
            self.probe.set_state(alarm, OK).await?;
        }
        self.probe.set_state(alarm, ALARM).await?;
        let group = &self.names.processor_log;
        self.arrived(|| async move {
            let events = self.probe.events(group, since, PROCESSED.metric).await?;
            Ok(events.into_iter().find(|event| counts(&event.message)))
        })
        .await
    }

    pub(super) async fn metrics_delay(&self, counted: Option<LogEvent>, settle: Option<SignedDuration>) -> Finding {
        let check = Check::MetricsDelay;
        if self.pace.local {
            return Finding::not_tried(check, "the metrics of a local AWS are made by the runner");
        }
        let Some(LogEvent { at, .. }) = counted else {
            return Finding::not_tried(check, "no value is on its way, because no alarm arrived");
        };
        let from = at - SignedDuration::from_secs(1);
        let found = self
            .arrived(|| async move {
                let now = Timestamp::now();
                let sum = self.probe.sum(PROCESSED, from, now + SignedDuration::from_secs(1)).await?;
                Ok((sum >= 1.0).then_some(now))
            })
            .await;
        let seen = match found {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                let text = format!("{} has no data point after {} s", PROCESSED.metric, self.patience());
                return Finding::failed(check, text);
            }
            Err(error) => return Finding::failed(check, error.to_string()),
        };
        let seconds = seen.duration_since(at).as_secs_f64();
        let text = format!("a value of a log line was a data point after {seconds:.0} s");
        match settle.map(|settle| settle.as_secs_f64()) {
            Some(settle) if seconds > settle => Finding::new(
                check,
                Verdict::Warning,
                format!("{text}, and evaluations rely on {settle:.0} s: raise the policy's settling time"),
            ),
            _ => Finding::passed(check, text),
        }
        .measured(seconds)
    }

    pub(super) async fn evaluations(&self, began: Timestamp) -> Finding {
        let check = Check::Evaluations;
        let seen = || async move {
            let until = Timestamp::now() + SignedDuration::from_secs(1);
            let sum = self.probe.sum(EVALUATED, began - EVALUATIONS_REACH, until).await?;
            Ok((sum >= 1.0).then_some(sum))
        };
        // A local AWS may run without its schedule.
        let found = if self.pace.local { seen().await } else { self.arrived(seen).await };
        match found {
            Ok(Some(sum)) => Finding::passed(check, format!("emit-metrics reported {sum:.0} in the last minutes")),
            Ok(None) if self.pace.local => Finding::not_tried(check, "this local AWS starts no evaluations by itself"),
            Ok(None) => Finding::failed(
                check,
                "none in the last minutes: does the schedule start the state machine, and may emit-metrics put metrics?",
            ),
            Err(error) => Finding::failed(check, error.to_string()),
        }
    }

    pub(super) async fn written_state(&self) -> Finding {
        let check = Check::WrittenState;
        match self.table.read().await {
            Ok(Stored::State(state)) => {
                Finding::passed(check, format!("write-state wrote version {} at {}", state.version, state.last_updated))
            }
            Ok(Stored::Newer(newer)) => {
                Finding::passed(check, format!("a newer release wrote schemaVersion {}", newer.schema_version))
            }
            Ok(Stored::Nothing) => Finding::not_tried(check, "nothing was written yet: the first evaluation does it"),
            Ok(Stored::Lost) => {
                Finding::failed(check, "the state item is missing, but there is a history: force a level with --repair")
            }
            Ok(Stored::Unreadable(problem)) => {
                Finding::failed(check, format!("{problem}: force a level with --repair"))
            }
            Err(error) => Finding::failed(check, error.to_string()),
        }
    }

    pub(super) async fn alarm_actions(&self) -> Finding {
        let check = Check::AlarmActions;
        let alarms = match self.alarms.alarms().await {
            Ok(alarms) => alarms,
            Err(error) => return Finding::failed(check, error.to_string()),
        };
        let off: Vec<&str> =
            alarms.iter().filter(|alarm| !alarm.actions_enabled).map(|alarm| alarm.name.as_str()).collect();
        if off.is_empty() {
            return Finding::passed(check, format!("enabled on all {} alarms", alarms.len()));
        }
        Finding::failed(check, format!("disabled on {}: aws cloudwatch enable-alarm-actions", off.join(", ")))
    }

    pub(super) async fn action_results(&self, now: Timestamp) -> Finding {
        let check = Check::ActionResults;
        if self.pace.local {
            return Finding::not_tried(check, "a local AWS keeps no history of actions");
        }
        let since = self.deployed_at.unwrap_or(now - ACTIONS_REACH);
        let actions = match self.probe.actions(since).await {
            Ok(actions) => actions,
            Err(error) => return Finding::failed(check, error.to_string()),
        };
        // An alarm whose action failed and succeeded later has been repaired.
        let mut alarms: Vec<&str> = Vec::new();
        let newest = actions.iter().filter(|action| {
            let first = !alarms.contains(&action.alarm.as_str());
            alarms.push(&action.alarm);
            first
        });
        let failed: Vec<String> = newest
            .filter(|action| !action.succeeded)
            .map(|action| format!("{}: {}", action.alarm, action.summary))
            .collect();
        match (failed.is_empty(), actions.len()) {
            (true, count) => {
                let since = self.deployed_at.map_or("in 24 hours", |_| "since the deployment");
                Finding::passed(check, format!("{count} actions {since}; the newest action of each alarm succeeded"))
            }
            (false, _) => Finding::failed(check, failed.join("; ")),
        }
    }

    pub(super) async fn subscriptions(&self) -> Finding {
        let check = Check::Subscriptions;
        let subscriptions = match self.probe.subscriptions().await {
            Ok(subscriptions) => subscriptions,
            Err(error) => return Finding::failed(check, error.to_string()),
        };
        let pending: Vec<&str> = subscriptions
            .iter()
            .filter(|subscription| !subscription.confirmed)
            .map(|subscription| subscription.endpoint.as_str())
            .collect();
        if subscriptions.is_empty() {
            let text = "no address is subscribed to the alerts: set an e-mail address, or subscribe to AlertTopicArn";
            return Finding::new(check, Verdict::Warning, text);
        }
        if !pending.is_empty() {
            let text = format!("not confirmed yet, so no alert is sent to: {}", pending.join(", "));
            return Finding::new(check, Verdict::Warning, text);
        }
        Finding::passed(check, format!("{} confirmed", subscriptions.len()))
    }

    /// Reads until there is a result, or until the maximum wait is over.
    async fn arrived<V, F>(&self, mut look: impl FnMut() -> F) -> Result<Option<V>, CallError>
    where
        F: Future<Output = Result<Option<V>, CallError>>,
    {
        let deadline = Instant::now() + self.pace.patience;
        loop {
            let found = look().await?;
            if found.is_some() || Instant::now() >= deadline {
                return Ok(found);
            }
            sleep(self.pace.pause).await;
        }
    }

    const fn patience(&self) -> u64 {
        self.pace.patience.as_secs()
    }
}

/// Whether a line of the alarm processor counts an alarm whose execution succeeded.
fn counts(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    line.get(PROCESSED.metric).and_then(Value::as_f64).is_some_and(|count| count >= 1.0)
}
