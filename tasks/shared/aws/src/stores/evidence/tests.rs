use std::sync::Mutex;

use super::*;

/// Pages in the order in which they are returned, and the tokens of the requests.
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

/// The series of a level whose better level is probed and whose slow calls count.
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
fn pages_are_read_until_every_series_is_complete() {
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
        assert!(matches!(evidence, Err(MetricsError::Incomplete { id: SeriesId::Error, .. })), "{evidence:?}");
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
    assert_eq!(read(silent).0, Err(MetricsError::Incomplete { id: SeriesId::Error, problem: Gap::Unanswered }));
}

/// CloudWatch rounds a start time down, so it returns a bucket from before the range.
#[test]
fn a_bucket_outside_the_range_is_dropped() {
    let sums = [(99, 9.0), (100, 1.0), (199, 1.0), (200, 9.0)];
    let (evidence, _) =
        read(vec![page(vec![complete(SeriesId::Success, &[]), complete(SeriesId::Error, &sums)], None)]);
    assert_eq!(evidence, Ok(Evidence::new(vec![bucket(100, 0, 1), bucket(199, 0, 1)])));
}

#[test]
fn probes_and_slow_calls_are_kept_apart_from_outcomes() {
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
fn missing_probes_or_slow_calls_are_no_evidence() {
    let all = SeriesId::ALL;
    let complete_but =
        |left_out: SeriesId| all.iter().filter(|id| **id != left_out).map(|id| complete(*id, &[])).collect::<Vec<_>>();
    for id in all {
        let error = read_degraded(vec![page(complete_but(id), None)]).unwrap_err();
        assert_eq!(error, MetricsError::Incomplete { id, problem: Gap::Unanswered });
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
