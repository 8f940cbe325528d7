//! The metrics of the services, second by second, as `CloudWatch` keeps them.

use breaker::{Bucket, Level, OutcomeCounts as Counts, PerLevel, Range};
use jiff::Timestamp;

/// Maximum time by which successes become visible later than failures.
const SUCCESS_DELAY_SECONDS: i64 = 1;

/// The outcomes at each level by seconds of the clock.
#[derive(Debug)]
pub struct Metrics {
    /// Unix time of the first second.
    first: i64,
    levels: PerLevel<Vec<Counts>>,
}

impl Metrics {
    pub fn new(first: Timestamp) -> Self {
        Self { first: first.as_second(), levels: PerLevel::default() }
    }

    /// Records the outcome of a call that ended at `end`.
    pub fn record(&mut self, level: Level, end: Timestamp, outcome: Counts) {
        let Ok(index) = usize::try_from(end.as_second() - self.first) else { return };
        let seconds = self.levels.of_mut(level);
        if seconds.len() <= index {
            seconds.resize(index + 1, Counts::default());
        }
        if let Some(counts) = seconds.get_mut(index) {
            *counts = counts.plus(outcome);
        }
    }

    /// Returns the buckets of `ranges` that are visible at `visible`. Outcomes of calls that ended later are missing,
    /// and a bucket without an outcome does not exist.
    pub fn buckets(&self, level: Level, ranges: &[Range], visible: Timestamp) -> Vec<Bucket> {
        let mut buckets = Vec::new();
        for range in ranges {
            let length = i64::from(range.period_seconds);
            let (mut start, end) = (range.start.as_second(), range.end.as_second());
            while start < end {
                let counts = self.seen(level, start, start + length, visible.as_second());
                let bucket = Timestamp::from_second(start).ok().filter(|_| counts != Counts::default());
                buckets.extend(bucket.map(|start| Bucket {
                    start,
                    period_seconds: range.period_seconds,
                    successes: counts.successes,
                    errors: counts.errors,
                    slow_calls: counts.slow_calls,
                    refused: counts.refused,
                }));
                start += length;
            }
        }
        buckets
    }

    /// Returns the sums of the outcomes that are visible at `visible`. A busy controller writes its
    /// successes when their second is over, and its failures at once.
    fn seen(&self, level: Level, from: i64, until: i64, visible: i64) -> Counts {
        let successes = self.sum(level, from, until.min(visible - SUCCESS_DELAY_SECONDS)).successes;
        Counts { successes, ..self.sum(level, from, until.min(visible)) }
    }

    /// Returns the sums from one Unix second to another, the latter excluded.
    pub fn sum(&self, level: Level, from: i64, until: i64) -> Counts {
        let index = |second: i64| usize::try_from(second - self.first).unwrap_or(0);
        let seconds = self.levels.of(level);
        let (from, until) = (index(from), index(until).min(seconds.len()));
        seconds.get(from..until).unwrap_or_default().iter().fold(Counts::default(), |sum, counts| sum.plus(*counts))
    }
}
