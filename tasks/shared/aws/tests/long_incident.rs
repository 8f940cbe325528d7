//! The time that reading the evidence of a long incident takes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;
use std::time::Duration;

use aws_edge::clients::EVIDENCE_TIMEOUTS;
use aws_edge::stores::evidence::{EvidenceReader, MetricsError, Page, PageSource, Series, SeriesId, SeriesStatus};
use breaker::{EvidenceQuery, Level, Policy, PolicySettings, Probing, Range, SystemState};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Documented maximum of values on a page of CloudWatch, and the page size of this double.
const DOCUMENTED_PAGE: usize = 100_800;
const PAGE: usize = 50_000;
const SERIES: [SeriesId; 6] = [
    SeriesId::Success,
    SeriesId::Error,
    SeriesId::SlowCall,
    SeriesId::ProbeSuccess,
    SeriesId::ProbeError,
    SeriesId::ProbeRefused,
];

/// A CloudWatch that has a value for each bucket of each series, and takes `latency` for each page.
struct Slow {
    latency: Duration,
    values: Mutex<Vec<(i32, usize)>>,
}

impl PageSource for Slow {
    async fn page(&self, _: &EvidenceQuery, range: &Range, token: Option<String>) -> Result<Page, MetricsError> {
        tokio::time::sleep(self.latency).await;
        let period = i64::from(range.period_seconds);
        let buckets = usize::try_from((range.end.as_second() - range.start.as_second()) / period).unwrap();
        let begin = token.map_or(0, |token| token.parse().unwrap());
        let end = (begin + PAGE).min(buckets * SERIES.len());
        self.values.lock().unwrap().push((range.period_seconds, end - begin));
        let mut page = Page { series: Vec::new(), next_token: (end < buckets * SERIES.len()).then(|| end.to_string()) };
        for (place, id) in SERIES.into_iter().enumerate() {
            let first = place * buckets;
            let part = begin.max(first)..end.min(first + buckets);
            let start =
                |value: usize| range.start + SignedDuration::from_secs(i64::try_from(value - first).unwrap() * period);
            let complete = end >= first + buckets;
            let status = if complete { SeriesStatus::Complete } else { SeriesStatus::Partial };
            if !part.is_empty() {
                page.series.push(Series { id, status, sums: part.map(|value| (start(value), 1.0)).collect() });
            }
        }
        Ok(page)
    }
}

/// The query of an evaluation at level 2, this many days after the fall, while level 1 is probed.
fn query(days: i64, window_seconds: i64) -> EvidenceQuery {
    let now = Timestamp::from_second(1_790_000_017).unwrap();
    let then = now - SignedDuration::from_hours(days * 24);
    let policy = Policy::new(PolicySettings { window_seconds, ..PolicySettings::production() }).unwrap();
    let probing = Some(Probing { from: then, percent: 1, percent_since: then, idle_since: None, refusing: None });
    let state = SystemState { current_level: Level::Degraded, probing, ..SystemState::initial(&policy, then) };
    let query = EvidenceQuery::new(&state, &policy, now);
    assert!(query.probed.is_some() && query.slow_calls && query.ranges.len() == 2);
    query
}

async fn read(query: &EvidenceQuery, latency: Duration) -> (Result<(), MetricsError>, Duration, Vec<(i32, usize)>) {
    let source = Slow { latency, values: Mutex::default() };
    let begun = Instant::now();
    let read = source.read(query).await.map(drop);
    (read, begun.elapsed(), source.values.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn pages_of_3_s_are_read_in_time_however_long_it_lasts() {
    // CloudWatch keeps minutes for 15 days; the longest window makes the evaluation read 170 minutes of seconds.
    for (days, window_seconds, seconds, pages) in [(1, 300, 11_160, 1), (15, 300, 11_160, 3), (15, 86_400, 61_560, 3)] {
        let (read, taken, values) = read(&query(days, window_seconds), Duration::from_secs(3)).await;
        assert_eq!(read, Ok(()), "{days} days, window of {window_seconds} s: {taken:?}");
        assert!(taken < EVIDENCE_TIMEOUTS.operation && taken == Duration::from_secs(3 * pages), "{taken:?}");
        let of = |period| values.iter().filter(|(of, _)| *of == period).map(|(_, values)| values).sum::<usize>();
        assert!(of(1) <= seconds, "{} one-second values", of(1));
        assert!(of(1) <= DOCUMENTED_PAGE && of(60) <= 2 * DOCUMENTED_PAGE, "{} one-minute values", of(60));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_too_long_fails_by_its_own_name() {
    let (read, taken, _) = read(&query(15, 300), Duration::from_millis(4_900)).await;
    assert_eq!(taken, EVIDENCE_TIMEOUTS.operation);
    assert_eq!(read, Err(MetricsError::TimedOut));
}
