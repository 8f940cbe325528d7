//! The end of a deployment: does it work? The controller is asked through its alias, as the API asks it.
//! `CloudWatch` does not check that an alarm's action can be carried out, so one alarm is set by hand and followed to the
//! alarm processor's log. And the state machine must reach its log: an Express execution has no other history.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::StateValue;
use aws_sdk_sfn::types::SyncExecutionStatus;
use jiff::Timestamp;
use operate::aws::errors::call_error;
use operate::exit::Failure;
use operate::ports::CallError;
use operate::terminal::Line;
use serde_json::{Value, json};

use crate::ports::{Check, Talk};

/// Logs arrive within seconds; on a busy account within a minute.
const DEADLINE: Duration = Duration::from_mins(2);

/// The header of the controller's answer that says where its level is from.
const STATE_SOURCE: &str = "/headers/X-Circuit-Breaker-State-Source";

/// Tries a deployment once.
#[derive(Clone, Debug)]
pub struct Canary {
    functions: aws_sdk_lambda::Client,
    machines: aws_sdk_sfn::Client,
    alarms: aws_sdk_cloudwatch::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    is_local: bool,
}

impl Canary {
    /// The canary with these clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            functions: aws_sdk_lambda::Client::new(config),
            machines: aws_edge::clients::step_functions(config),
            alarms: aws_sdk_cloudwatch::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            is_local: config.endpoint_url().is_some(),
        }
    }

    /// Asks the controller with an event that is no request: no service is invoked, so no outcome is made up. The answer
    /// says where the level is from.
    async fn ask_controller(&self, function: &str) -> Result<(), String> {
        let call = self.functions.invoke().function_name(function).qualifier("live");
        let sent = call.payload(b"{}".to_vec().into()).send().await;
        let answer = sent.map_err(|error| call_error("it cannot be invoked", &error).message)?;
        let payload = answer.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        let payload = payload.unwrap_or_default();
        let answered = serde_json::from_str::<Value>(&payload).unwrap_or_default();
        let source = answered.pointer(STATE_SOURCE).and_then(Value::as_str);
        if answer.function_error().is_some() || source.is_none() {
            return Err(format!("it said {payload}"));
        }
        Ok(())
    }

    async fn dry_run(&self, machine: &str) -> Result<(), String> {
        let call = self.machines.start_sync_execution().state_machine_arn(machine);
        let sent = call.input(json!({"trigger": "schedule", "dryRun": true}).to_string()).send().await;
        let answer = sent.map_err(|error| call_error("it cannot be started", &error).message)?;
        // The call succeeds even when the execution failed.
        if *answer.status() == SyncExecutionStatus::Succeeded {
            return Ok(());
        }
        let (error, cause) = (answer.error().unwrap_or("no error"), answer.cause().unwrap_or("no cause was given"));
        Err(format!("{} ({error}): {cause}", answer.status().as_str()))
    }

    async fn follow_alarm(&self, alarm: &str, group: &str, release: &str) -> Result<(), String> {
        let said = |error: CallError| error.message;
        let before = self.alarm_state(alarm).await.map_err(said)?;
        let since = Timestamp::now();
        let reason = format!("canary of release {release}");
        // Only a change is told to the topic.
        if before == StateValue::Alarm {
            self.set_alarm(alarm, StateValue::Ok, &reason).await.map_err(said)?;
        }
        self.set_alarm(alarm, StateValue::Alarm, &reason).await.map_err(said)?;
        let processed = |line: &str| {
            let line = serde_json::from_str::<Value>(line).unwrap_or_default();
            line.get("RecoveryAlarmProcessed").and_then(Value::as_f64).is_some_and(|count| count >= 1.0)
        };
        let arrived = self.await_log(group, since, "RecoveryAlarmProcessed", processed).await;
        self.set_alarm(alarm, before, &reason).await.map_err(said)?;
        arrived.map_err(|text| format!("{text} after {alarm} was set to ALARM"))
    }

    async fn alarm_state(&self, alarm: &str) -> Result<StateValue, CallError> {
        let sent = self.alarms.describe_alarms().alarm_names(alarm).send().await;
        let answer = sent.map_err(|error| call_error(&format!("the alarm {alarm} cannot be read"), &error))?;
        let state = answer.metric_alarms().first().and_then(|alarm| alarm.state_value().cloned());
        Ok(state.unwrap_or(StateValue::InsufficientData))
    }

    async fn set_alarm(&self, alarm: &str, state: StateValue, reason: &str) -> Result<(), CallError> {
        let call = self.alarms.set_alarm_state().alarm_name(alarm).state_value(state).state_reason(reason);
        let what = format!("the state of the alarm {alarm} cannot be set");
        call.send().await.map(drop).map_err(|error| call_error(&what, &error))
    }

    /// Waits for a line of a log group.
    async fn await_log(
        &self,
        group: &str,
        since: Timestamp,
        filter: &str,
        expected: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let pause = Duration::from_millis(if self.is_local { 300 } else { 3_000 });
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while tokio::time::Instant::now() < deadline {
            tokio::time::sleep(pause).await;
            let call = self.logs.filter_log_events().log_group_name(group).start_time(since.as_millisecond());
            let mut pages = call.filter_pattern(format!("\"{filter}\"")).into_paginator().send();
            while let Some(Ok(page)) = pages.next().await {
                if page.events().iter().filter_map(|event| event.message()).any(&expected) {
                    return Ok(());
                }
            }
        }
        Err(format!("nothing in {group} within {} s", DEADLINE.as_secs()))
    }
}

impl Check for Canary {
    async fn check(
        &self,
        outputs: &BTreeMap<String, String>,
        release: &str,
        talk: &(impl Talk + Sync),
    ) -> Result<(), Failure> {
        let say = |text: &str| talk.say(Line::from(format!("Canary: {text}")));
        let output = |name: &str| outputs.get(name).map_or("", String::as_str);
        let failed = |what: &str| {
            let what = what.to_owned();
            move |text: String| Failure::failed(format!("{what}: {text}"))
        };
        let since = Timestamp::now();
        say("a request through the controller ...");
        let asked = self.ask_controller(output("ControllerFunctionName")).await;
        asked.map_err(failed("the controller does not answer"))?;
        say("a dry run of the state machine ...");
        let tried = self.dry_run(output("StateMachineArn")).await;
        tried.map_err(failed("a dry run of the state machine failed"))?;
        // A local AWS keeps no log of Express executions.
        if !self.is_local {
            say("the execution's way to its log ...");
            let group = output("StateMachineLogGroupName");
            let arrived = |line: &str| line.contains("ExecutionSucceeded");
            let found = self.await_log(group, since, "ExecutionSucceeded", arrived).await;
            found.map_err(failed("the state machine does not reach its log"))?;
        }
        say("an alarm on its way to the alarm processor ...");
        let (alarm, group) = (output("CanaryAlarmName"), output("AlarmProcessorLogGroupName"));
        let followed = self.follow_alarm(alarm, group, release).await;
        followed.map_err(failed("an alarm does not reach the alarm processor"))?;
        say("all is well.");
        Ok(())
    }
}
