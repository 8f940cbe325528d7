//! Reads the evidence from `CloudWatch`.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode};
use breaker::contract::ErrorName;
use breaker::{Bucket, Evidence, EvidenceQuery, Level, Range};
use futures::future::try_join_all;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::call_error::CallError;
use crate::clients::EVIDENCE_TIMEOUTS;
use crate::error_kind::ErrorKind;
use crate::metrics::{namespace, service_dimensions};
use crate::task_error::TaskError;

/// The evidence cannot be read completely. A decision on a part of it could be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// A call failed.
    #[error("the metrics cannot be read completely: {0}")]
    Call(#[from] CallError),
    /// Reading all pages took too long.
    #[error("the metrics cannot be read completely: CloudWatch took too long for all pages")]
    TimedOut,
    /// CloudWatch answered without all of the data.
    #[error("the metrics cannot be read completely: {id:?} {problem}")]
    Incomplete {
        /// The series.
        id: SeriesId,
        /// The problem with it.
        problem: Gap,
    },
}

/// Why a series is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// A part is missing.
    #[error("is partial, and no page follows")]
    Partial,
    /// The series failed, with the service's status code.
    #[error("has status {0}")]
    Failed(String),
    /// The answer does not have the series.
    #[error("was not answered at all")]
    Unanswered,
}

impl MetricsError {
    /// The kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Call(error) => error.kind(),
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Incomplete { .. } => ErrorKind::Invalid,
        }
    }
}

/// Advice to an operator if the metrics cannot be read.
pub const METRICS_REMEDY: &str = "evaluations go on when CloudWatch answers; \"trigger\": \"force\" needs no metrics and \
                              works meanwhile";

impl From<MetricsError> for TaskError {
    fn from(error: MetricsError) -> Self {
        Self::new(ErrorName::MetricsUnavailable, format!("{error}: {METRICS_REMEDY}")).of_kind(error.kind())
    }
}

/// Reads evidence.
pub trait EvidenceReader {
    /// Returns the outcomes that the query asks for.
    fn read(&self, query: &EvidenceQuery) -> impl Future<Output = Result<Evidence, MetricsError>> + Send;
}

/// One page of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The series on the page.
    pub series: Vec<Series>,
    /// Token of the next page; `None` on the last page.
    pub next_token: Option<String>,
}

/// A part of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The series.
    pub id: SeriesId,
    /// Completeness of the series.
    pub status: SeriesStatus,
    /// Start of a bucket and the sum in it.
    pub sums: Vec<(Timestamp, f64)>,
}

/// The content of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeriesId {
    /// `Success` of the current level.
    Success,
    /// `Error` of the current level.
    Error,
    /// `SlowCall` of the current level.
    SlowCall,
    /// `Success` of the level that is probed.
    ProbeSuccess,
    /// `Error` of the level that is probed.
    ProbeError,
    /// `ProbeRefused` of the level that is probed.
    ProbeRefused,
}

impl SeriesId {
    const ALL: [Self; 6] =
        [Self::Success, Self::Error, Self::SlowCall, Self::ProbeSuccess, Self::ProbeError, Self::ProbeRefused];
    const OF_PROBES: [Self; 3] = [Self::ProbeSuccess, Self::ProbeError, Self::ProbeRefused];

    /// Returns the name in a query, and the metric's name.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Success => ("success", "Success"),
            Self::Error => ("error", "Error"),
            Self::SlowCall => ("slow_call", "SlowCall"),
            Self::ProbeSuccess => ("probe_success", "Success"),
            Self::ProbeError => ("probe_error", "Error"),
            Self::ProbeRefused => ("probe_refused", "ProbeRefused"),
        }
    }

    /// Returns the series that a query needs, each with its level.
    fn wanted(query: &EvidenceQuery) -> Vec<(Self, Level)> {
        let slow_calls = query.slow_calls.then_some((Self::SlowCall, query.level));
        let probes = query.probed.map(|level| Self::OF_PROBES.map(|id| (id, level)));
        [(Self::Success, query.level), (Self::Error, query.level)]
            .into_iter()
            .chain(slow_calls)
            .chain(probes.into_iter().flatten())
            .collect()
    }

    fn is_of_probes(self) -> bool {
        Self::OF_PROBES.contains(&self)
    }

    fn add_to(self, bucket: &mut Bucket, sum: u64) {
        let count = match self {
            Self::Success | Self::ProbeSuccess => &mut bucket.successes,
            Self::Error | Self::ProbeError => &mut bucket.errors,
            Self::SlowCall => &mut bucket.slow_calls,
            Self::ProbeRefused => &mut bucket.refused,
        };
        *count = count.saturating_add(sum);
    }
}

/// The completeness of a series in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesStatus {
    /// Complete.
    Complete,
    /// Continued on the next page.
    Partial,
    /// Failed, with the service's status code.
    Failed(String),
}

/// Fetches one page.
pub trait PageSource {
    /// Fetches the page of `range` at `token`, or the first page.
    fn page(
        &self,
        query: &EvidenceQuery,
        range: &Range,
        token: Option<String>,
    ) -> impl Future<Output = Result<Page, MetricsError>> + Send;
}

impl<S: PageSource + Sync> EvidenceReader for S {
    async fn read(&self, query: &EvidenceQuery) -> Result<Evidence, MetricsError> {
        // The ranges are read concurrently; the pages of one range one after the other.
        let ranges = try_join_all(query.ranges.iter().map(|range| Buckets::read(self, query, range)));
        let read = timeout(EVIDENCE_TIMEOUTS.operation, ranges).await;
        let ranges = read.map_err(|_| MetricsError::TimedOut)??;
        let (current, probes): (Vec<_>, Vec<_>) =
            ranges.into_iter().map(|range| (range.current.into_values(), range.probes.into_values())).unzip();
        Ok(Evidence::new(current.into_iter().flatten().collect()).with_probes(probes.into_iter().flatten().collect()))
    }
}

#[derive(Default)]
struct Buckets {
    current: BTreeMap<Timestamp, Bucket>,
    probes: BTreeMap<Timestamp, Bucket>,
}

impl Buckets {
    async fn read<S: PageSource>(source: &S, query: &EvidenceQuery, range: &Range) -> Result<Self, MetricsError> {
        let mut read = Self::default();
        let mut statuses: BTreeMap<SeriesId, SeriesStatus> = BTreeMap::new();
        let mut token = None;
        loop {
            let page = source.page(query, range, token).await?;
            for series in page.series {
                for (start, sum) in series.sums.iter().filter(|(start, _)| (range.start..range.end).contains(start)) {
                    let buckets = if series.id.is_of_probes() { &mut read.probes } else { &mut read.current };
                    let bucket = buckets.entry(*start).or_insert_with(|| Bucket::empty(*start, range.period_seconds));
                    series.id.add_to(bucket, whole(*sum));
                }
                statuses.insert(series.id, series.status);
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        SeriesId::wanted(query).into_iter().try_for_each(|(id, _)| check_complete(id, statuses.get(&id)))?;
        Ok(read)
    }
}

/// Checks that the last part of each series is complete.
fn check_complete(id: SeriesId, status: Option<&SeriesStatus>) -> Result<(), MetricsError> {
    let problem = match status {
        Some(SeriesStatus::Complete) => return Ok(()),
        Some(SeriesStatus::Partial) => Gap::Partial,
        Some(SeriesStatus::Failed(word)) => Gap::Failed(word.clone()),
        None => Gap::Unanswered,
    };
    Err(MetricsError::Incomplete { id, problem })
}

/// Converts a sum of ones to a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts: small, and not negative")]
fn whole(sum: f64) -> u64 {
    sum.max(0.0).round() as u64
}

/// The service metrics of one deployment in `CloudWatch`.
#[derive(Clone, Debug)]
pub struct ServiceMetrics {
    client: Client,
    deployment: String,
}

impl ServiceMetrics {
    /// The metrics of `deployment`.
    #[must_use]
    pub fn new(client: Client, deployment: String) -> Self {
        Self { client, deployment }
    }

    fn query(&self, id: SeriesId, level: Level, period_seconds: i32) -> MetricDataQuery {
        let (id, name) = id.names();
        let dimensions = service_dimensions(&self.deployment, level)
            .into_iter()
            .map(|(name, value)| Dimension::builder().name(name).value(value).build())
            .collect();
        let metric =
            Metric::builder().namespace(namespace::SERVICE).metric_name(name).set_dimensions(Some(dimensions)).build();
        let stat = MetricStat::builder().metric(metric).period(period_seconds).stat("Sum").build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    }
}

impl PageSource for ServiceMetrics {
    async fn page(&self, query: &EvidenceQuery, range: &Range, token: Option<String>) -> Result<Page, MetricsError> {
        let wanted = SeriesId::wanted(query);
        let queries = wanted.into_iter().map(|(id, level)| self.query(id, level, range.period_seconds)).collect();
        let answer = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(DateTime::from_secs(range.start.as_second()))
            .end_time(DateTime::from_secs(range.end.as_second()))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token)
            .send()
            .await
            .map_err(CallError::from)?;
        let series = answer.metric_data_results().iter().filter_map(series).collect();
        Ok(Page { series, next_token: answer.next_token })
    }
}

fn series(result: &MetricDataResult) -> Option<Series> {
    let id = SeriesId::ALL.into_iter().find(|id| result.id() == Some(id.names().0))?;
    let status = match result.status_code() {
        Some(StatusCode::Complete) => SeriesStatus::Complete,
        Some(StatusCode::PartialData) => SeriesStatus::Partial,
        Some(other) => SeriesStatus::Failed(other.as_str().to_owned()),
        None => SeriesStatus::Failed("missing".to_owned()),
    };
    let starts = result.timestamps().iter().filter_map(|time| Timestamp::from_second(time.secs()).ok());
    Some(Series { id, status, sums: starts.zip(result.values().iter().copied()).collect() })
}

#[cfg(test)]
mod tests;
