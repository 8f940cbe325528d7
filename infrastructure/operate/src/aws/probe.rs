//! The calls to AWS by which `breaker check` tries a deployment. They have nothing to do with probes of the better
//! level.

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_edge::stores::state::StateTable;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmHistoryItem, Dimension, HistoryItemType, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    StateValue,
};
use aws_sdk_lambda::primitives::Blob;
use jiff::Timestamp;
use serde::Deserialize;

use super::errors::{call_error, failure};
use super::{AlarmsOf, Machine};
use crate::check::{Checks, Names, Pace};
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::ports::{
    ActionTaken, AlarmActions, AlarmState, AsksStatus, LogEvent, Logs, MetricSums, Series, StatusAnswer, Subscription,
    Subscriptions,
};

/// The alias that the API calls.
const LIVE: &str = "live";
/// Beginning of an ARN. A subscription that is not confirmed has words in its place.
const ARN: &str = "arn:";
/// Beginning of `CloudWatch`'s summary of an action that failed.
const FAILED: &str = "Failed";

/// An event that is no request. The controller refuses it without calling a service, so that no outcome is counted, and
/// its answer has the source of its level.
const NO_REQUEST: &str = "{}";

/// An answer of a Lambda proxy integration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proxied {
    status_code: u16,
    #[serde(default)]
    headers: Headers,
}

/// The headers that are read.
#[derive(Default, Deserialize)]
struct Headers {
    #[serde(rename = "X-Circuit-Breaker-State-Source", default)]
    state_source: String,
}

/// The parts of a deployment that the checks use.
#[derive(Clone, Debug)]
pub struct Probe {
    lambda: aws_sdk_lambda::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    sns: aws_sdk_sns::Client,
    controller: String,
    alert_topic: String,
    project: String,
    environment: String,
    deployment: String,
}

impl Probe {
    /// Returns the parts of this deployment.
    ///
    /// # Errors
    /// The stack lacks an output that names one of them.
    pub fn new(config: &SdkConfig, deployment: &Deployment) -> Result<Self, Failure> {
        Ok(Self {
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            controller: deployment.output("ControllerFunctionName")?.to_owned(),
            alert_topic: deployment.output("AlertTopicArn")?.to_owned(),
            project: deployment.project.clone(),
            environment: deployment.environment.clone(),
            deployment: deployment.name(),
        })
    }
}

/// Returns the checks of a deployment. AWS has no endpoint without encryption, so an `http` endpoint is a local AWS.
///
/// # Errors
/// The stack lacks an output that is needed.
pub fn checks(
    config: &SdkConfig,
    deployment: &Deployment,
) -> Result<Checks<Machine, StateTable, AlarmsOf, Probe>, Failure> {
    let table = deployment.output("StateTableName")?.to_owned();
    Ok(Checks {
        machine: Machine::new(config, deployment.output("StateMachineArn")?),
        table: StateTable::new(aws_sdk_dynamodb::Client::new(config), table),
        alarms: AlarmsOf::new(config, &deployment.project, &deployment.environment),
        probe: Probe::new(config, deployment)?,
        names: Names::new(deployment)?,
        pace: Pace::new(config.endpoint_url().is_some_and(|url| url.starts_with("http://"))),
        deployed_at: None,
    })
}

/// Returns the error of an answer that is not valid.
fn invalid(sentence: String) -> CallError {
    failure(ErrorKind::Invalid, sentence)
}

fn time(of: Timestamp) -> DateTime {
    DateTime::from_secs(of.as_second())
}

impl AsksStatus for Probe {
    async fn status(&self) -> Result<StatusAnswer, CallError> {
        let call = self.lambda.invoke().function_name(&self.controller).qualifier(LIVE);
        let answer = call.payload(Blob::new(NO_REQUEST.as_bytes())).send().await;
        let answer = answer.map_err(|error| call_error("the controller cannot be invoked", error))?;
        let payload = answer.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        let payload = payload.unwrap_or_default();
        if let Some(error) = answer.function_error() {
            return Err(invalid(format!("the controller ended with an error ({error}): {payload}")));
        }
        let Ok(Proxied { status_code: status, headers }) = serde_json::from_str(&payload) else {
            return Err(invalid(format!("the controller's answer has no status: {payload}")));
        };
        Ok(StatusAnswer { status, state_source: headers.state_source })
    }
}

impl Logs for Probe {
    async fn events(&self, group: &str, since: Timestamp, word: &str) -> Result<Vec<LogEvent>, CallError> {
        let call = self.logs.filter_log_events().log_group_name(group).filter_pattern(format!("\"{word}\""));
        let mut pages = call.start_time(since.as_millisecond()).into_paginator().send();
        let mut events = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error(&format!("the log group {group} cannot be read"), error))?;
            events.extend(page.events().iter().filter_map(|event| {
                let at = Timestamp::from_millisecond(event.timestamp()?).ok()?;
                Some(LogEvent { at, message: event.message()?.to_owned() })
            }));
        }
        Ok(events)
    }
}

impl AlarmState for Probe {
    async fn state(&self, alarm: &str) -> Result<String, CallError> {
        let answer = self.cloudwatch.describe_alarms().alarm_names(alarm).send().await;
        let answer = answer.map_err(|error| call_error(&format!("the alarm {alarm} cannot be read"), error))?;
        let state = answer.metric_alarms().first().and_then(|alarm| alarm.state_value());
        state.map(|state| state.as_str().to_owned()).ok_or_else(|| invalid(format!("there is no alarm {alarm}")))
    }

    async fn set_state(&self, alarm: &str, state: &str) -> Result<(), CallError> {
        let call = self.cloudwatch.set_alarm_state().alarm_name(alarm).state_value(StateValue::from(state));
        let sent = call.state_reason("breaker check").send().await;
        sent.map(drop).map_err(|error| call_error(&format!("the alarm {alarm} cannot be set to {state}"), error))
    }
}

impl AlarmActions for Probe {
    async fn actions(&self, since: Timestamp) -> Result<Vec<ActionTaken>, CallError> {
        let call = self.cloudwatch.describe_alarm_history().history_item_type(HistoryItemType::Action);
        let call = call.scan_by(ScanBy::TimestampDescending).start_date(time(since));
        let mut pages = call.into_paginator().send();
        let mut actions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("the alarms' history cannot be read", error))?;
            actions.extend(page.alarm_history_items().iter().filter_map(|item| self.action(item)));
        }
        Ok(actions)
    }
}

impl Probe {
    /// Returns the action; `None` if the alarm belongs to another deployment.
    fn action(&self, item: &AlarmHistoryItem) -> Option<ActionTaken> {
        let (alarm, summary) = (item.alarm_name()?, item.history_summary()?);
        let ours =
            alarm.starts_with(&format!("{}-", self.project)) && alarm.ends_with(&format!("-{}", self.environment));
        ours.then(|| ActionTaken {
            alarm: alarm.to_owned(),
            succeeded: !summary.starts_with(FAILED),
            summary: summary.to_owned(),
        })
    }
}

impl Subscriptions for Probe {
    async fn subscriptions(&self) -> Result<Vec<Subscription>, CallError> {
        let call = self.sns.list_subscriptions_by_topic().topic_arn(&self.alert_topic);
        let found = call.into_paginator().items().send().try_collect().await;
        let found = found.map_err(|error| call_error("the subscriptions of the alerts cannot be read", error))?;
        let read = found.iter().map(|subscription| Subscription {
            protocol: subscription.protocol().unwrap_or_default().to_owned(),
            endpoint: subscription.endpoint().unwrap_or_default().to_owned(),
            confirmed: subscription.subscription_arn().is_some_and(|arn| arn.starts_with(ARN)),
        });
        Ok(read.collect())
    }
}

impl MetricSums for Probe {
    async fn sum(&self, series: Series, from: Timestamp, until: Timestamp) -> Result<f64, CallError> {
        let Series { namespace, metric, period_seconds } = series;
        let deployment = Dimension::builder().name("Deployment").value(&self.deployment).build();
        let read = Metric::builder().namespace(namespace).metric_name(metric).dimensions(deployment).build();
        let stat = MetricStat::builder().metric(read).period(period_seconds).stat("Sum").build();
        let query = MetricDataQuery::builder().id("sum").metric_stat(stat).build();
        let call = self.cloudwatch.get_metric_data().metric_data_queries(query);
        let answer = call.start_time(time(from)).end_time(time(until)).send().await;
        let answer = answer.map_err(|error| call_error(&format!("the metric {metric} cannot be read"), error))?;
        Ok(answer.metric_data_results().iter().flat_map(MetricDataResult::values).sum())
    }
}
