//! What happened at the current level, from buckets that cannot show order.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Level, Policy, SystemState};

/// `CloudWatch` keeps one-second data for three hours and answers an older start with nothing at all;
/// ten minutes of margin cover the time between asking and being answered.
const SECONDS_KEPT: SignedDuration = SignedDuration::from_mins(170);
/// `CloudWatch` keeps one-minute data for fifteen days; an hour of margin, as above.
const MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);

/// A stretch of time to read at one resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Length of a bucket: 1 or 60 seconds.
    pub period_seconds: i32,
    /// The first bucket's start.
    pub start: Timestamp,
    /// The end, itself excluded.
    pub end: Timestamp,
}

/// What to read for an evaluation: the outcomes of one level, in one or two ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceQuery {
    /// The level whose outcomes count.
    pub level: Level,
    /// The ranges, oldest first, without gap or overlap.
    pub ranges: Vec<Range>,
}

impl EvidenceQuery {
    /// What an evaluation of `state` at `now` needs to read.
    ///
    /// Buckets that begin before the evidence does are left out: the start is rounded up to a whole
    /// second, or minute where only minutes are kept. At level 1 nothing older than the window
    /// matters; below it a streak may reach back to where the evidence begins.
    #[must_use]
    pub fn new(state: &SystemState, policy: &Policy, now: Timestamp) -> Self {
        let end = ceiling(now, 1).max(floor(now, 1) + SignedDuration::from_secs(1));
        let mut start = ceiling(state.evidence_begins(now), 1);
        if let (Level::Full, Some(window)) = (state.current_level, policy.window()) {
            start = start.max(ceiling(earlier(now, window), 1));
        }
        let split = floor(earlier(now, SECONDS_KEPT), 60);
        let mut ranges = Vec::new();
        let minutes_start = ceiling(start.max(earlier(now, MINUTES_KEPT)), 60);
        if minutes_start < split {
            ranges.push(Range { period_seconds: 60, start: minutes_start, end: split });
        }
        let seconds_start = start.max(split);
        if seconds_start < end {
            ranges.push(Range { period_seconds: 1, start: seconds_start, end });
        }
        Self { level: state.current_level, ranges }
    }
}

/// The outcomes of one bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Where it begins.
    pub start: Timestamp,
    /// Its length: 1 or 60 seconds.
    pub period_seconds: i32,
    /// Successes in it.
    pub successes: u64,
    /// Failures in it.
    pub errors: u64,
}

impl Bucket {
    fn end(&self) -> Timestamp {
        self.start.checked_add(SignedDuration::from_secs(self.period_seconds.into())).unwrap_or(Timestamp::MAX)
    }
}

/// The outcomes of the current level, oldest bucket first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    buckets: Vec<Bucket>,
}

impl Evidence {
    /// Evidence from buckets in any order.
    #[must_use]
    pub fn new(mut buckets: Vec<Bucket>) -> Self {
        buckets.sort_by_key(|bucket| bucket.start);
        Self { buckets }
    }

    /// What the buckets say about `state` at `now` under `policy`.
    #[must_use]
    pub fn summary(&self, state: &SystemState, policy: &Policy, now: Timestamp) -> EvidenceSummary {
        let since = state.evidence_begins(now);
        let first_bucket = ceiling(since, 1);
        let of_epoch = || self.buckets.iter().filter(|bucket| bucket.start >= first_bucket);
        let counts_from = policy.window().map_or(Timestamp::MIN, |window| earlier(now, window));
        let settled_at = earlier(now, policy.settle());
        EvidenceSummary {
            level: state.current_level,
            since,
            errors: of_epoch().filter(|bucket| bucket.start >= counts_from).map(|bucket| bucket.errors).sum(),
            carried_failures: state.carried_at(policy, now),
            success_streak: streak(of_epoch().filter(|bucket| bucket.end() <= settled_at)),
        }
    }
}

/// The numbers that a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceSummary {
    /// The level whose outcomes were counted.
    pub level: Level,
    /// Outcomes count from here on.
    pub since: Timestamp,
    /// Failures in the window.
    pub errors: u64,
    /// Failures brought along from the fall to this level.
    pub carried_failures: u64,
    /// Successes in a row, from settled buckets.
    pub success_streak: u64,
}

impl EvidenceSummary {
    /// Failures that count towards the next fall.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.errors.saturating_add(self.carried_failures)
    }
}

/// The longest run of successes that certainly ends the series or certainly lies in its newest bucket.
///
/// Buckets do not show order. The error-free buckets that end the series are one run; and a bucket
/// with `s` successes and `e` failures contains a run of at least `s / (e + 1)`, rounded up, whatever
/// its order (the failures cut the successes into at most `e + 1` pieces). With one outcome a bucket
/// this is the plain rule that a failure resets the streak.
fn streak<'a>(buckets: impl DoubleEndedIterator<Item = &'a Bucket>) -> u64 {
    let mut newest_first = buckets.rev().filter(|bucket| bucket.successes + bucket.errors > 0).peekable();
    match newest_first.peek() {
        Some(newest) if newest.errors > 0 => newest.successes.div_ceil(newest.errors.saturating_add(1)),
        _ => newest_first.take_while(|bucket| bucket.errors == 0).map(|bucket| bucket.successes).sum(),
    }
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn floor(time: Timestamp, seconds: i64) -> Timestamp {
    let whole = time.as_nanosecond().div_euclid(1_000_000_000);
    let second = i64::try_from(whole).unwrap_or(i64::MIN);
    Timestamp::from_second(second.div_euclid(seconds).saturating_mul(seconds)).unwrap_or(Timestamp::MIN)
}

fn ceiling(time: Timestamp, seconds: i64) -> Timestamp {
    let down = floor(time, seconds);
    if down == time { down } else { down.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX) }
}
