//! The evidence: outcomes in buckets, which do not show the order of outcomes within them.

use jiff::{SignedDuration, Timestamp};

use crate::level::Level;
use crate::policy::Policy;
use crate::state::SystemState;
use crate::time::{ceiling, earlier, floor, later};

/// `CloudWatch` keeps one-second data for three hours and returns nothing for an older start. Ten minutes of margin
/// cover the time between the call and its answer.
const SECONDS_KEPT: SignedDuration = SignedDuration::from_mins(170);
/// Below level 1 older outcomes are read by the minute, so that a long incident does not make the query too large to be
/// answered in time. A streak does not need a resolution of one second. Outcomes within a window are read by the
/// second, for at most 170 minutes.
const SECONDS_READ: SignedDuration = SignedDuration::from_mins(30);
/// `CloudWatch` keeps one-minute data for fifteen days; one hour of margin covers the call.
const MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);

/// A range of time that is read at one resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Length of a bucket: 1 or 60 seconds.
    pub period_seconds: i32,
    /// Start of the first bucket (UTC).
    pub start: Timestamp,
    /// End of the range (UTC), not included.
    pub end: Timestamp,
}

/// The query of an evaluation: the outcomes of the current level, and of the better level if it is
/// probed, in one or two ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceQuery {
    /// The current level.
    pub level: Level,
    /// The level that is being probed, if any.
    pub probed: Option<Level>,
    /// Whether slow calls count.
    pub slow_calls: bool,
    /// The ranges, oldest first, without gap or overlap.
    pub ranges: Vec<Range>,
}

impl EvidenceQuery {
    /// Returns the query for an evaluation of `state` at `now`.
    ///
    /// Buckets that begin before the evidence does are left out: the start is rounded up to a whole second, or to a
    /// whole minute if minutes are read. At level 1 nothing older than the windows matters; at a worse level a streak
    /// may reach back to the beginning of the evidence. One-second data is read for the length
    /// of the longest window, at least 30 and at most 170 minutes; if the window is off, for 170 minutes. So a failure
    /// window of more than 170 minutes loses up to a minute of its oldest failures, and no shorter one does.
    #[must_use]
    pub fn new(state: &SystemState, policy: &Policy, now: Timestamp) -> Self {
        let end = ceiling(now, 1).max(floor(now, 1) + SignedDuration::from_secs(1));
        let mut start = ceiling(state.evidence_begins(now), 1);
        if let (Level::Full, Some(reach)) = (state.current_level, policy.reach()) {
            start = start.max(ceiling(earlier(now, reach), 1));
        }
        let seconds_read = policy.reach().map_or(SECONDS_KEPT, |reach| reach.max(SECONDS_READ).min(SECONDS_KEPT));
        let split = floor(earlier(now, seconds_read), 60);
        let mut ranges = Vec::new();
        let minutes_start = ceiling(start.max(earlier(now, MINUTES_KEPT)), 60);
        if minutes_start < split {
            ranges.push(Range { period_seconds: 60, start: minutes_start, end: split });
        }
        let seconds_start = start.max(split);
        if seconds_start < end {
            ranges.push(Range { period_seconds: 1, start: seconds_start, end });
        }
        let probing = state.probing.filter(|probing| policy.recovers_by_probes() && probing.from <= now);
        let probed = probing.and_then(|_| state.current_level.better());
        Self { level: state.current_level, probed, slow_calls: policy.slow_call_rate_percent().is_some(), ranges }
    }
}

/// The outcomes of one bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Start of the bucket (UTC).
    pub start: Timestamp,
    /// Length of the bucket in seconds: 1 or 60.
    pub period_seconds: i32,
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Calls that were slow, failed or not.
    pub slow_calls: u64,
    /// Probes that the level refused. They are neither successes nor failures.
    pub refused: u64,
}

impl Bucket {
    /// Returns a bucket without outcomes.
    #[must_use]
    pub const fn empty(start: Timestamp, period_seconds: i32) -> Self {
        Self { start, period_seconds, successes: 0, errors: 0, slow_calls: 0, refused: 0 }
    }

    /// Number of calls that say something about the level: those that succeeded or failed.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.successes.saturating_add(self.errors)
    }

    /// Whether any probe was answered or refused in this bucket.
    pub(crate) const fn has_probes(&self) -> bool {
        self.calls() > 0 || self.refused > 0
    }

    pub(crate) fn end(&self) -> Timestamp {
        later(self.start, SignedDuration::from_secs(self.period_seconds.into()))
    }
}

/// The outcomes of the current level and of probes, oldest bucket first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) probes: Vec<Bucket>,
}

impl Evidence {
    /// Returns the evidence about the current level. The buckets may have any order.
    #[must_use]
    pub fn new(buckets: Vec<Bucket>) -> Self {
        Self { buckets: sorted(buckets), probes: Vec::new() }
    }

    /// Adds the outcomes of probes of the better level, in any order.
    #[must_use]
    pub fn with_probes(self, probes: Vec<Bucket>) -> Self {
        Self { probes: sorted(probes), ..self }
    }
}

fn sorted(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    buckets.sort_by_key(|bucket| bucket.start);
    buckets
}
