//! Implements the stand-in's ports with the AWS SDK.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, anyhow, bail};
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_cloudwatch::types as cw;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde_json::Value;

use crate::definition::{Actions, AlarmDefinition, AlarmState, Comparison, MissingData};
use crate::embedded::EmbeddedDatum;
use crate::logs::{LogEvent, LogGroup, LogSource, MetricSink};
use crate::series::{Datapoint, Metric, Readings, SeriesKey, Statistic};
use crate::watch::{AlarmService, Described, Known, MetricSource, Notice, Publisher};
use crate::watched::{MetricMath, Watched};

/// Maximum number of events in one `FilterLogEvents` answer.
const EVENTS: usize = 10_000;

/// Number of an alarm's newest state changes that are read. Between two passes there are at most a few.
const CHANGES: i32 = 10;

/// Maximum number of queries in one `GetMetricData` call.
const QUERIES: usize = 500;

/// Filter for the log lines that can contain embedded metrics; the server does not send the others.
const EMBEDDED: &str = "CloudWatchMetrics";

/// The clients of the local AWS.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    metrics: aws_sdk_cloudwatch::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    topics: aws_sdk_sns::Client,
}

impl Aws {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self {
            metrics: aws_sdk_cloudwatch::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            topics: aws_sdk_sns::Client::new(config),
        }
    }
}

/// Returns the service's code and message without request ids, so that equal errors have equal texts. If the service
/// did not answer, returns the whole chain of causes.
fn told<E: std::error::Error + ProvideErrorMetadata>(call: &str, error: &E) -> anyhow::Error {
    match (error.code(), error.message()) {
        (Some(code), message) => anyhow!("{call}: {code}: {}", message.unwrap_or("no message")),
        (None, _) => anyhow!("{call}: {}", DisplayErrorContext(error)),
    }
}

impl LogSource for Aws {
    async fn groups(&self, prefix: &str) -> Result<Vec<LogGroup>> {
        let mut groups = Vec::new();
        let mut token = None;
        loop {
            let call = self.logs.describe_log_groups().log_group_name_prefix(prefix).set_next_token(token);
            let page = call.send().await.map_err(|error| told("DescribeLogGroups", &error))?;
            groups.extend(page.log_groups().iter().filter_map(|group| {
                let name = group.log_group_name()?.to_owned();
                Some(LogGroup { name, bytes: group.stored_bytes().unwrap_or_default() })
            }));
            token = page.next_token;
            if token.is_none() {
                return Ok(groups);
            }
        }
    }

    async fn events(&self, group: &str, from: i64) -> Result<Vec<LogEvent>> {
        let mut events: Vec<LogEvent> = Vec::new();
        let (mut from, mut token) = (from, None);
        loop {
            let call = self.logs.filter_log_events().log_group_name(group).filter_pattern(EMBEDDED).start_time(from);
            let page = call.set_next_token(token).send().await.map_err(|error| told("FilterLogEvents", &error))?;
            events.extend(page.events().iter().map(|event| LogEvent {
                stream: event.log_stream_name().unwrap_or_default().to_owned(),
                at: event.timestamp().unwrap_or_default(),
                message: event.message().unwrap_or_default().to_owned(),
            }));
            token = page.next_token;
            if token.is_some() {
                continue;
            }
            // The local server truncates a long answer without a token. Read on from its last millisecond, whose
            // events are then read twice.
            let last = events.last().map(|event| event.at).filter(|last| *last > from);
            match last.filter(|_| page.events.as_ref().is_some_and(|page| page.len() >= EVENTS)) {
                Some(last) => {
                    events.retain(|event| event.at < last);
                    from = last;
                }
                None => return Ok(events),
            }
        }
    }
}

impl MetricSink for Aws {
    async fn put(&self, namespace: &str, data: &[EmbeddedDatum]) -> Result<()> {
        let data = data.iter().map(datum).collect();
        let call = self.metrics.put_metric_data().namespace(namespace).set_metric_data(Some(data));
        call.send().await.map(drop).map_err(|error| told("PutMetricData", &error))
    }
}

fn datum(datum: &EmbeddedDatum) -> cw::MetricDatum {
    let builder = cw::MetricDatum::builder()
        .metric_name(&datum.name)
        .set_dimensions(Some(dimensions(datum.dimensions.iter())))
        .timestamp(date_time(datum.at))
        .unit(cw::StandardUnit::from(datum.unit.as_str()))
        .storage_resolution(datum.storage_resolution);
    match datum.values.as_slice() {
        [value] => builder.value(*value).build(),
        values => builder.set_values(Some(values.to_vec())).build(),
    }
}

fn dimensions<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<cw::Dimension> {
    pairs.map(|(name, value)| cw::Dimension::builder().name(name).value(value).build()).collect()
}

fn date_time(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}

impl AlarmService for Aws {
    async fn describe(&self) -> Result<Vec<Described>> {
        let mut alarms = Vec::new();
        let mut token = None;
        loop {
            let call = self.metrics.describe_alarms().alarm_types(cw::AlarmType::MetricAlarm).set_next_token(token);
            let page = call.send().await.map_err(|error| told("DescribeAlarms", &error))?;
            alarms.extend(page.metric_alarms().iter().filter_map(described));
            token = page.next_token;
            if token.is_none() {
                return Ok(alarms);
            }
        }
    }

    async fn show(&self, name: &str, state: AlarmState, reason: &str) -> Result<()> {
        let call =
            self.metrics.set_alarm_state().alarm_name(name).state_value(state.name().into()).state_reason(reason);
        call.send().await.map(drop).map_err(|error| told("SetAlarmState", &error))
    }

    async fn changed_from(&self, name: &str, reason: &str) -> Result<Option<AlarmState>> {
        let call = self.metrics.describe_alarm_history().alarm_name(name);
        let call = call.history_item_type(cw::HistoryItemType::StateUpdate).max_records(CHANGES);
        let page = call.send().await.map_err(|error| told("DescribeAlarmHistory", &error))?;
        let change = |item: &cw::AlarmHistoryItem| -> Option<Value> { serde_json::from_str(item.history_data()?).ok() };
        let of_reason =
            |change: &Value| change.pointer("/newState/stateReason").and_then(Value::as_str) == Some(reason);
        let newest = page.alarm_history_items().iter().filter_map(change).find(of_reason);
        Ok(newest.and_then(|change| Some(state(&change.pointer("/oldState/stateValue")?.as_str()?.into()))))
    }
}

fn state(value: &cw::StateValue) -> AlarmState {
    match value {
        cw::StateValue::Ok => AlarmState::Ok,
        cw::StateValue::Alarm => AlarmState::Alarm,
        _ => AlarmState::InsufficientData,
    }
}

fn described(alarm: &cw::MetricAlarm) -> Option<Described> {
    let name = alarm.alarm_name()?.to_owned();
    let watched = if alarm.metric_name().is_some_and(|name| !name.is_empty()) {
        series(alarm).map(Watched::Metric).context("the stand-in does not support its statistic")
    } else {
        math(alarm).map(Watched::Math)
    };
    let known = watched.and_then(|watched| {
        let unknown = "its definition has a property that the stand-in does not support";
        let definition = definition(alarm, watched).context(unknown)?;
        let shown = alarm.state_value().context("it has no state")?;
        let reason = alarm.state_reason().unwrap_or_default().to_owned();
        Ok(Known { definition, state: state(shown), reason })
    });
    Some(match known {
        Ok(known) => Described::Known(Box::new(known)),
        Err(error) => Described::Refused { name, problem: format!("{error:#}") },
    })
}

/// Returns the series of an alarm on one metric.
fn series(alarm: &cw::MetricAlarm) -> Option<SeriesKey> {
    if alarm.extended_statistic().is_some_and(|name| !name.is_empty()) {
        return None;
    }
    Some(SeriesKey {
        metric: metric(alarm.namespace()?, alarm.metric_name()?, alarm.dimensions()),
        statistic: statistic(alarm.statistic()?.as_str())?,
        period_seconds: positive(alarm.period()?)?,
    })
}

/// Returns the expression of a math alarm, with the series that it reads.
fn math(alarm: &cw::MetricAlarm) -> Result<MetricMath> {
    let (mut watched, mut operands) = (None, BTreeMap::new());
    for query in alarm.metrics() {
        let id = query.id().unwrap_or_default();
        match (query.expression(), query.metric_stat()) {
            (Some(text), None) if watched.is_none() => watched = Some((id, text)),
            (None, Some(stat)) => {
                let operand = operand(stat).with_context(|| format!("the stand-in does not support the query {id}"))?;
                operands.insert(id.to_owned(), operand);
            }
            _ => bail!("{id}: the stand-in supports exactly one expression besides the metrics"),
        }
    }
    let (id, text) = watched.context("it has no expression")?;
    MetricMath::new(id, text, operands)
}

fn operand(stat: &cw::MetricStat) -> Option<SeriesKey> {
    let known = stat.metric()?;
    Some(SeriesKey {
        metric: metric(known.namespace()?, known.metric_name()?, known.dimensions()),
        statistic: statistic(stat.stat()?)?,
        period_seconds: positive(stat.period()?)?,
    })
}

fn metric(namespace: &str, name: &str, dimensions: &[cw::Dimension]) -> Metric {
    let pairs = dimensions.iter().filter_map(|pair| Some((pair.name()?.to_owned(), pair.value()?.to_owned())));
    Metric { namespace: namespace.to_owned(), name: name.to_owned(), dimensions: pairs.collect() }
}

fn positive(number: i32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number > 0)
}

fn definition(alarm: &cw::MetricAlarm, watched: Watched) -> Option<AlarmDefinition> {
    Some(AlarmDefinition {
        name: alarm.alarm_name()?.to_owned(),
        arn: alarm.alarm_arn()?.to_owned(),
        description: alarm.alarm_description().filter(|text| !text.is_empty()).map(str::to_owned),
        watched,
        evaluation_periods: positive(alarm.evaluation_periods()?)?,
        datapoints_to_alarm: alarm.datapoints_to_alarm().and_then(positive),
        threshold: alarm.threshold()?,
        comparison: comparison(alarm.comparison_operator()?)?,
        missing_data: match alarm.treat_missing_data() {
            Some("breaching") => MissingData::Breaching,
            Some("notBreaching") => MissingData::NotBreaching,
            Some("ignore") => MissingData::Ignore,
            _ => MissingData::Missing,
        },
        actions: Actions {
            enabled: alarm.actions_enabled().unwrap_or(true),
            alarm: alarm.alarm_actions().to_vec(),
            ok: alarm.ok_actions().to_vec(),
            insufficient_data: alarm.insufficient_data_actions().to_vec(),
        },
        configured_at: alarm.alarm_configuration_updated_timestamp().and_then(timestamp),
    })
}

fn statistic(name: &str) -> Option<Statistic> {
    let known = [Statistic::Sum, Statistic::SampleCount, Statistic::Average, Statistic::Minimum, Statistic::Maximum];
    known.into_iter().find(|known| known.name() == name)
}

fn comparison(operator: &cw::ComparisonOperator) -> Option<Comparison> {
    match operator {
        cw::ComparisonOperator::GreaterThanOrEqualToThreshold => Some(Comparison::GreaterThanOrEqualToThreshold),
        cw::ComparisonOperator::GreaterThanThreshold => Some(Comparison::GreaterThanThreshold),
        cw::ComparisonOperator::LessThanOrEqualToThreshold => Some(Comparison::LessThanOrEqualToThreshold),
        cw::ComparisonOperator::LessThanThreshold => Some(Comparison::LessThanThreshold),
        _ => None,
    }
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    at.to_millis().ok().and_then(|at| Timestamp::from_millisecond(at).ok())
}

impl MetricSource for Aws {
    async fn read(&self, series: &[SeriesKey], from: Timestamp, to: Timestamp) -> Result<Readings> {
        let mut readings = HashMap::new();
        for chunk in series.chunks(QUERIES) {
            let queries: Vec<cw::MetricDataQuery> = chunk.iter().enumerate().map(|(n, key)| query(n, key)).collect();
            let mut token = None;
            loop {
                let call = self
                    .metrics
                    .get_metric_data()
                    .set_metric_data_queries(Some(queries.clone()))
                    .start_time(date_time(from))
                    // The end is exclusive; the extra second includes values measured in the current one.
                    .end_time(DateTime::from_secs(to.as_second() + 1))
                    .set_next_token(token);
                let page = call.send().await.map_err(|error| told("GetMetricData", &error))?;
                for result in page.metric_data_results() {
                    let key = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
                    let key =
                        key.and_then(|n| chunk.get(n)).context("GetMetricData answered a query that was not sent")?;
                    let times = result.timestamps().iter().filter_map(timestamp);
                    let points = times.zip(result.values()).map(|(at, value)| Datapoint { at, value: *value });
                    readings.entry(key.clone()).or_insert_with(Vec::new).extend(points);
                }
                token = page.next_token;
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(readings)
    }
}

fn query(number: usize, key: &SeriesKey) -> cw::MetricDataQuery {
    let metric = cw::Metric::builder()
        .namespace(&key.metric.namespace)
        .metric_name(&key.metric.name)
        .set_dimensions(Some(dimensions(key.metric.dimensions.iter())))
        .build();
    let period = i32::try_from(key.period_seconds).unwrap_or(i32::MAX);
    let stat = cw::MetricStat::builder().metric(metric).period(period).stat(key.statistic.name()).build();
    cw::MetricDataQuery::builder().id(format!("m{number}")).metric_stat(stat).build()
}

impl Publisher for Aws {
    async fn publish(&self, notice: &Notice) -> Result<()> {
        let call = self.topics.publish().topic_arn(&notice.topic).subject(&notice.subject).message(&notice.message);
        call.send().await.map(drop).map_err(|error| told("Publish", &error))
    }
}
