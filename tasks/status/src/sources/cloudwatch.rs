//! Metrics and alarms in `CloudWatch`.

use aws_edge::metrics::{namespace, service_dimensions};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, HistoryItemType, Metric, MetricDataQuery, MetricStat, ScanBy, StateValue, StatusCode,
};
use jiff::Timestamp;

use super::{Alarm, AlarmChange, AlarmReader, SourceError, TrafficReader};
use crate::traffic::{Sample, Series, Traffic};

/// Length of a bucket in seconds.
const PERIOD_SECONDS: i32 = 60;
/// Maximum number of pages of the alarms' history that are read. The history is of the whole account, newest first.
const HISTORY_PAGES: usize = 3;
/// How `CloudWatch` ends the summary of a change into the state ALARM.
const INTO_ALARM: &str = " to ALARM";
/// What precedes the runbook's address in an alarm's description.
const RUNBOOK: &str = "Runbook: ";

/// Metrics and alarms of one deployment.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    client: Client,
    deployment: String,
    /// The beginning of the alarms' names.
    prefix: String,
    /// The end of the alarms' names.
    suffix: String,
}

impl CloudWatch {
    /// Metrics and alarms of `project` in `environment`.
    #[must_use]
    pub fn new(client: Client, project: &str, environment: &str) -> Self {
        Self {
            client,
            deployment: format!("{project}-{environment}"),
            prefix: format!("{project}-"),
            suffix: format!("-{environment}"),
        }
    }

    fn query(&self, series: Series) -> MetricDataQuery {
        let (namespace, name, statistic) = series.metric();
        let dimensions = match series.level() {
            Some(level) => service_dimensions(&self.deployment, level),
            None => vec![("Deployment", self.deployment.clone())],
        };
        let dimensions =
            dimensions.into_iter().map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
        let metric = Metric::builder().namespace(namespace).metric_name(name).set_dimensions(Some(dimensions)).build();
        let stat = MetricStat::builder().metric(metric).period(PERIOD_SECONDS).stat(statistic).build();
        MetricDataQuery::builder().id(series.id()).metric_stat(stat).build()
    }

    /// Returns the part of an alarm's name between project and environment, if the alarm is this deployment's.
    fn short(&self, name: &str) -> Option<String> {
        name.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix).map(str::to_owned)
    }
}

impl TrafficReader for CloudWatch {
    async fn traffic(&self, from: Timestamp, until: Timestamp) -> Result<Traffic, SourceError> {
        let mut samples = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(Series::all().map(|series| self.query(series)).collect()))
                .start_time(DateTime::from_secs(from.as_second()))
                .end_time(DateTime::from_secs(until.as_second() + 1))
                .scan_by(ScanBy::TimestampAscending)
                .set_next_token(token)
                .send()
                .await?;
            for result in page.metric_data_results() {
                if !matches!(result.status_code(), Some(StatusCode::Complete | StatusCode::PartialData)) {
                    let status = result.status_code().map_or("missing", StatusCode::as_str);
                    return Err(SourceError::Incomplete(format!("a series has the status {status}")));
                }
                let Some(series) = result.id().and_then(Series::of_id) else { continue };
                let starts = result.timestamps().iter().filter_map(|time| Timestamp::from_second(time.secs()).ok());
                let values = starts.zip(result.values().iter().copied());
                samples.extend(values.map(|(start, value)| Sample { series, start, value }));
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(Traffic::new(from, until, samples));
            }
        }
    }
}

impl AlarmReader for CloudWatch {
    async fn alarms(&self) -> Result<Vec<Alarm>, SourceError> {
        let mut pages = self.client.describe_alarms().alarm_name_prefix(&self.prefix).into_paginator().send();
        let mut alarms = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?;
            alarms.extend(page.metric_alarms().iter().filter_map(|alarm| {
                let description = alarm.alarm_description().unwrap_or_default();
                let runbook = description.split_once(RUNBOOK).map(|(_, address)| address.trim().to_owned());
                let since = alarm.state_updated_timestamp().and_then(|time| Timestamp::from_second(time.secs()).ok());
                Some(Alarm {
                    name: self.short(alarm.alarm_name()?)?,
                    is_on: alarm.state_value() == Some(&StateValue::Alarm),
                    since,
                    runbook,
                })
            }));
        }
        Ok(alarms)
    }

    async fn changes(&self, from: Timestamp) -> Result<Vec<AlarmChange>, SourceError> {
        let call = self.client.describe_alarm_history().history_item_type(HistoryItemType::StateUpdate);
        let call = call.scan_by(ScanBy::TimestampDescending).start_date(DateTime::from_secs(from.as_second()));
        let mut pages = call.into_paginator().send();
        let mut changes = Vec::new();
        for _ in 0..HISTORY_PAGES {
            let Some(page) = pages.next().await else { break };
            changes.extend(page?.alarm_history_items().iter().filter_map(|item| {
                let at = item.timestamp().and_then(|time| Timestamp::from_second(time.secs()).ok())?;
                let is_on = item.history_summary()?.ends_with(INTO_ALARM);
                Some(AlarmChange { name: self.short(item.alarm_name()?)?, at, is_on })
            }));
        }
        changes.sort_by_key(|change| change.at);
        Ok(changes)
    }
}

impl Series {
    /// Returns namespace, name and statistic.
    const fn metric(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Successes(_) => (namespace::SERVICE, "Success", "Sum"),
            Self::Failures(_) => (namespace::SERVICE, "Error", "Sum"),
            Self::SlowCalls(_) => (namespace::SERVICE, "SlowCall", "Sum"),
            Self::Declined(_) => (namespace::SERVICE, "Declined", "Sum"),
            Self::Fallbacks(_) => (namespace::SERVICE, "Fallback", "Sum"),
            Self::LowestLevel => (namespace::CONTROLLER, "CurrentLevel", "Minimum"),
            Self::HighestLevel => (namespace::CONTROLLER, "CurrentLevel", "Maximum"),
            Self::OldestState => (namespace::CONTROLLER, "StateAgeSeconds", "Maximum"),
            Self::Evaluations => (namespace::TRANSITIONS, "Evaluation", "Sum"),
        }
    }
}
