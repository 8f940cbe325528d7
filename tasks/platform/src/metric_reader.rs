//! Evidence from `CloudWatch`.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::DisplayErrorContext;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode};
use breaker::contract::ErrorName;
use breaker::{Bucket, Evidence, EvidenceQuery, Level, Range};
use futures::future::try_join_all;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::clients::EVIDENCE_TIMEOUTS;
use crate::metrics::{namespace, service_dimensions};
use crate::task_error::TaskError;

/// The evidence cannot be read completely; deciding from a part of it could be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metrics cannot be read completely: {0}")]
pub struct MetricsError(pub String);

/// What helps where the metrics fail.
const METRICS_REMEDY: &str = "evaluations go on when CloudWatch answers; \"trigger\": \"force\" needs no metrics and \
                              works meanwhile";

impl From<MetricsError> for TaskError {
    fn from(error: MetricsError) -> Self {
        Self::new(ErrorName::MetricsUnavailable, format!("{error}: {METRICS_REMEDY}"))
    }
}

/// Reads evidence.
pub trait EvidenceReader {
    /// The outcomes that the query asks for.
    fn read(&self, query: &EvidenceQuery) -> impl Future<Output = Result<Evidence, MetricsError>> + Send;
}

/// One page of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The series on it.
    pub series: Vec<Series>,
    /// Where the next page begins; `None` on the last.
    pub next_token: Option<String>,
}

/// A part of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which one.
    pub id: SeriesId,
    /// Whether the answer is complete so far as this page goes.
    pub status: SeriesStatus,
    /// Start of a bucket and the sum in it.
    pub sums: Vec<(Timestamp, f64)>,
}

/// What a series counts.
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

    /// The name in a query, and the metric's.
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

    /// The series that a query needs, each with its level.
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

/// What the answer says of its own completeness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesStatus {
    /// All there is.
    Complete,
    /// More on the next page.
    Partial,
    /// Something went wrong, in the service's word.
    Failed(String),
}

/// Fetches one page.
pub trait PageSource {
    /// The page of `range` at `token`, or its first.
    fn page(
        &self,
        query: &EvidenceQuery,
        range: &Range,
        token: Option<String>,
    ) -> impl Future<Output = Result<Page, MetricsError>> + Send;
}

impl<S: PageSource + Sync> EvidenceReader for S {
    async fn read(&self, query: &EvidenceQuery) -> Result<Evidence, MetricsError> {
        // Side by side: the pages of one range follow each other.
        let ranges = try_join_all(query.ranges.iter().map(|range| Buckets::read(self, query, range)));
        let read = timeout(EVIDENCE_TIMEOUTS.operation, ranges).await;
        let ranges = read.map_err(|_| MetricsError("CloudWatch took too long for all pages".to_owned()))??;
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

/// A series is complete when the last page that had a part of it said so.
fn check_complete(id: SeriesId, status: Option<&SeriesStatus>) -> Result<(), MetricsError> {
    match status {
        Some(SeriesStatus::Complete) => Ok(()),
        Some(SeriesStatus::Partial) => Err(MetricsError(format!("{id:?} is partial, and no page follows"))),
        Some(SeriesStatus::Failed(word)) => Err(MetricsError(format!("{id:?} has status {word}"))),
        None => Err(MetricsError(format!("{id:?} was not answered at all"))),
    }
}

/// A sum of ones as a whole number.
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
            .map_err(|error| MetricsError(DisplayErrorContext(&error).to_string()))?;
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
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Pages in the order in which they are to be asked for, and the tokens that were asked with.
    struct Scripted {
        pages: Mutex<Vec<Page>>,
        tokens: Mutex<Vec<Option<String>>>,
    }

    impl PageSource for Scripted {
        async fn page(&self, _: &EvidenceQuery, _: &Range, token: Option<String>) -> Result<Page, MetricsError> {
            self.tokens.lock().unwrap().push(token);
            Ok(self.pages.lock().unwrap().remove(0))
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn part(id: SeriesId, status: SeriesStatus, sums: &[(i64, f64)]) -> Series {
        let sums = sums.iter().map(|(second, sum)| (at(*second), *sum)).collect();
        Series { id, status, sums }
    }

    fn page(series: Vec<Series>, next: Option<&str>) -> Page {
        Page { series, next_token: next.map(str::to_owned) }
    }

    fn complete(id: SeriesId, sums: &[(i64, f64)]) -> Series {
        part(id, SeriesStatus::Complete, sums)
    }

    fn read(pages: Vec<Page>) -> (Result<Evidence, MetricsError>, Vec<Option<String>>) {
        read_for(Level::Full, None, false, pages)
    }

    /// The same of a level below which the one above is probed and whose slow calls count.
    fn read_degraded(pages: Vec<Page>) -> Result<Evidence, MetricsError> {
        read_for(Level::Degraded, Some(Level::Full), true, pages).0
    }

    fn read_for(
        level: Level,
        probed: Option<Level>,
        slow_calls: bool,
        pages: Vec<Page>,
    ) -> (Result<Evidence, MetricsError>, Vec<Option<String>>) {
        let source = Scripted { pages: Mutex::new(pages), tokens: Mutex::default() };
        let range = Range { period_seconds: 1, start: at(100), end: at(200) };
        let query = EvidenceQuery { level, probed, slow_calls, ranges: vec![range] };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let evidence = runtime.block_on(source.read(&query));
        (evidence, source.tokens.into_inner().unwrap())
    }

    fn bucket(second: i64, successes: u64, errors: u64) -> Bucket {
        Bucket { successes, errors, ..Bucket::empty(at(second), 1) }
    }

    #[test]
    fn pages_are_followed_and_added_up_until_every_series_is_complete() {
        let (evidence, tokens) = read(vec![
            page(vec![part(SeriesId::Error, SeriesStatus::Partial, &[(101, 2.0)])], Some("second")),
            page(vec![complete(SeriesId::Error, &[(102, 1.0)])], Some("third")),
            page(vec![complete(SeriesId::Success, &[(102, 4.0)])], None),
        ]);
        assert_eq!(evidence, Ok(Evidence::new(vec![bucket(101, 0, 2), bucket(102, 4, 1)])));
        assert_eq!(tokens, [None, Some("second".to_owned()), Some("third".to_owned())]);
    }

    #[test]
    fn any_status_but_complete_is_no_evidence() {
        for status in [SeriesStatus::Failed("InternalError".to_owned()), SeriesStatus::Partial] {
            let (evidence, _) = read(vec![page(
                vec![complete(SeriesId::Success, &[]), part(SeriesId::Error, status, &[(101, 9.0)])],
                None,
            )]);
            assert!(evidence.unwrap_err().0.starts_with("Error"));
        }
    }

    #[test]
    fn a_series_that_is_cut_short_or_not_answered_is_no_evidence() {
        let cut = vec![
            page(vec![part(SeriesId::Error, SeriesStatus::Partial, &[(101, 2.0)])], Some("second")),
            page(vec![complete(SeriesId::Success, &[(102, 4.0)])], None),
        ];
        assert!(read(cut).0.is_err());
        let silent = vec![page(vec![complete(SeriesId::Success, &[(102, 4.0)])], None)];
        assert_eq!(read(silent).0, Err(MetricsError("Error was not answered at all".to_owned())));
    }

    #[test]
    fn a_bucket_outside_the_range_is_dropped_because_cloudwatch_rounds_a_start_down() {
        let sums = [(99, 9.0), (100, 1.0), (199, 1.0), (200, 9.0)];
        let (evidence, _) =
            read(vec![page(vec![complete(SeriesId::Success, &[]), complete(SeriesId::Error, &sums)], None)]);
        assert_eq!(evidence, Ok(Evidence::new(vec![bucket(100, 0, 1), bucket(199, 0, 1)])));
    }

    #[test]
    fn probes_and_slow_calls_are_read_beside_the_outcomes_and_kept_apart_from_them() {
        let evidence = read_degraded(vec![
            page(
                vec![
                    complete(SeriesId::Success, &[(101, 5.0)]),
                    complete(SeriesId::Error, &[(102, 1.0)]),
                    complete(SeriesId::SlowCall, &[(101, 2.0), (103, 1.0)]),
                    part(SeriesId::ProbeSuccess, SeriesStatus::Partial, &[(101, 3.0)]),
                ],
                Some("second"),
            ),
            page(
                vec![
                    complete(SeriesId::ProbeSuccess, &[(102, 4.0)]),
                    complete(SeriesId::ProbeError, &[(102, 1.0)]),
                    complete(SeriesId::ProbeRefused, &[(102, 2.0), (104, 3.0)]),
                ],
                None,
            ),
        ]);
        let slow = |second, successes, slow_calls| Bucket { slow_calls, ..bucket(second, successes, 0) };
        let current = vec![slow(101, 5, 2), bucket(102, 0, 1), slow(103, 0, 1)];
        let refused = |second, successes, errors, refused| Bucket { refused, ..bucket(second, successes, errors) };
        let probes = vec![bucket(101, 3, 0), refused(102, 4, 1, 2), refused(104, 0, 0, 3)];
        assert_eq!(evidence, Ok(Evidence::new(current).with_probes(probes)));
    }

    #[test]
    fn probes_and_slow_calls_that_are_missing_or_failed_are_no_evidence() {
        let all = SeriesId::ALL;
        let complete_but = |left_out: SeriesId| {
            all.iter().filter(|id| **id != left_out).map(|id| complete(*id, &[])).collect::<Vec<_>>()
        };
        for id in all {
            let error = read_degraded(vec![page(complete_but(id), None)]).unwrap_err();
            assert_eq!(error, MetricsError(format!("{id:?} was not answered at all")));
            let mut failed = complete_but(id);
            failed.push(part(id, SeriesStatus::Failed("InternalError".to_owned()), &[(101, 9.0)]));
            assert!(read_degraded(vec![page(failed, None)]).is_err(), "{id:?}");
        }
        assert!(read_degraded(vec![page(all.map(|id| complete(id, &[])).to_vec(), None)]).is_ok());
    }

    #[test]
    fn each_series_is_asked_for_by_its_metric_and_its_own_level() {
        let version = aws_sdk_cloudwatch::config::BehaviorVersion::v2026_01_12();
        let client = Client::from_conf(aws_sdk_cloudwatch::Config::builder().behavior_version(version).build());
        let metrics = ServiceMetrics::new(client, "bank-test".to_owned());
        let asked = |probed, slow_calls| {
            let query = EvidenceQuery { level: Level::Degraded, probed, slow_calls, ranges: Vec::new() };
            let queries = SeriesId::wanted(&query).into_iter().map(|(id, level)| metrics.query(id, level, 1));
            let named = queries.map(|query| {
                let metric = query.metric_stat().unwrap().metric().unwrap().clone();
                let level = metric.dimensions().iter().find(|dimension| dimension.name() == Some("ServiceLevel"));
                let level = level.unwrap().value().unwrap().to_owned();
                (query.id().unwrap().to_owned(), metric.metric_name().unwrap().to_owned(), level)
            });
            named.map(|(id, name, level)| format!("{id}={name}@{level}")).collect::<Vec<_>>()
        };
        assert_eq!(asked(None, false), ["success=Success@2", "error=Error@2"]);
        assert_eq!(
            asked(Some(Level::Full), true),
            [
                "success=Success@2",
                "error=Error@2",
                "slow_call=SlowCall@2",
                "probe_success=Success@1",
                "probe_error=Error@1",
                "probe_refused=ProbeRefused@1"
            ]
        );
    }
}
