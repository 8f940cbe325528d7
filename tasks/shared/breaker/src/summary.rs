//! The numbers that a decision rests on.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Bucket, Evidence};
use crate::level::Level;
use crate::policy::Policy;
use crate::state::SystemState;
use crate::time::{ceiling, earlier};

/// The evidence in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceSummary {
    /// The level whose outcomes were counted.
    pub level: Level,
    /// Time from which on outcomes count (UTC).
    pub since: Timestamp,
    /// Failures in the window.
    pub errors: u64,
    /// Carried failures from the fall to this level that still count.
    pub carried_failures: u64,
    /// The streak: consecutive successes in settled buckets.
    pub success_streak: u64,
    /// Consecutive failures of the newest calls.
    #[serde(default)]
    pub consecutive_failures: u64,
    /// Consecutive failures of the newest calls, including those of a newest bucket whose successes may be missing. The
    /// number only decides whether an execution evaluates again.
    #[serde(skip)]
    pub unsettled_failures: u64,
    /// Calls in the rate's window.
    #[serde(default)]
    pub rate: CallCounts,
    /// Probes of the better level, if it is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbeSeries>,
}

/// Numbers of calls by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallCounts {
    /// Calls that succeeded or failed.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were slow, failed or not.
    pub slow: u64,
}

impl CallCounts {
    pub(crate) fn of<'a>(buckets: impl Iterator<Item = &'a Bucket>) -> Self {
        buckets.fold(Self::default(), |sum, bucket| Self {
            calls: sum.calls + bucket.calls(),
            failed: sum.failed + bucket.errors,
            slow: sum.slow + bucket.slow_calls,
        })
    }

    /// Whether `part` of at least `minimum` calls reaches `percent`.
    #[must_use]
    pub const fn reaches(&self, part: u64, percent: u32, minimum: u32) -> bool {
        self.calls >= minimum as u64 && part.saturating_mul(100) >= self.calls.saturating_mul(percent as u64)
    }

    /// `part` of the calls in whole percent, rounded down.
    #[must_use]
    pub const fn percent(&self, part: u64) -> u64 {
        match part.saturating_mul(100).checked_div(self.calls) {
            Some(percent) => percent,
            None => 0,
        }
    }
}

/// The series of probes that may prove the better level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSeries {
    /// Probes in the series that succeeded or failed.
    pub calls: u64,
    /// Probes that failed or were slow.
    pub failed: u64,
    /// The newest probes since probing began, whatever series they belong to. They show whether the level refuses most
    /// of its probes.
    #[serde(default)]
    pub newest: NewestProbes,
    /// Time at which the newest probe succeeded, failed or was refused (UTC), or at which probing began if there was
    /// none.
    pub last_seen: Timestamp,
    /// Whether a probe failed in the newest bucket with probes that were not refused.
    #[serde(default)]
    pub last_failed: bool,
    /// Time of the newest call of the current level (UTC), if there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call: Option<Timestamp>,
}

/// The newest probes since probing began: those of the last `probes.idle_seconds`, and at least twice `probes.calls` if
/// there were as many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewestProbes {
    /// Probes that succeeded or failed.
    pub answered: u64,
    /// Probes that the level refused (4xx, or too large).
    pub refused: u64,
}

impl NewestProbes {
    /// Returns the newest of `probes`. Refusals older than `probes.idle_seconds` do not count: otherwise a level that
    /// refused for an hour would need an hour of answers. At least twice `probes.calls` probes are taken, so that a
    /// level with little traffic is judged too.
    fn of(probes: &[&Bucket], policy: &Policy, settled_at: Timestamp) -> Self {
        let recent = earlier(settled_at, policy.probe_idle());
        let enough = 2 * u64::from(policy.probe_calls());
        let mut newest = Self::default();
        for bucket in probes.iter().rev() {
            if bucket.start < recent && newest.answered + newest.refused >= enough {
                break;
            }
            newest.answered += bucket.calls();
            newest.refused += bucket.refused;
        }
        newest
    }

    /// Whether the level refused more of these probes than it answered.
    #[must_use]
    pub const fn mostly_refused(&self) -> bool {
        self.refused > self.answered
    }
}

impl EvidenceSummary {
    /// Failures that count towards the next fall.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.errors.saturating_add(self.carried_failures)
    }
}

impl Evidence {
    /// Counts the evidence about `state` at `now` by `policy`.
    #[must_use]
    pub fn summary(&self, state: &SystemState, policy: &Policy, now: Timestamp) -> EvidenceSummary {
        let since = state.evidence_begins(now);
        let of_epoch = || from(&self.buckets, since);
        let counts_from = policy.window().map_or(Timestamp::MIN, |window| earlier(now, window));
        let of_window = || of_epoch().filter(|bucket| bucket.start >= counts_from);
        let rates_from = earlier(now, policy.rate_reach());
        let settled_at = earlier(now, policy.settle());
        EvidenceSummary {
            level: state.current_level,
            since,
            errors: of_window().map(|bucket| bucket.errors).sum(),
            carried_failures: state.carried_at(policy, now),
            success_streak: streak(of_epoch().filter(|bucket| bucket.end() <= settled_at)),
            consecutive_failures: consecutive_failures(of_window(), settled_at),
            unsettled_failures: consecutive_failures(of_window(), Timestamp::MAX),
            rate: CallCounts::of(of_epoch().filter(|bucket| bucket.start >= rates_from)),
            probes: self.probe_series(state, policy, since, settled_at),
        }
    }

    /// Returns the newest series of probes; `None` if the better level is not probed. A series grows until it proves
    /// the level. If too many of its probes failed, so that it can no longer prove the level, it is dropped and the
    /// next series begins. Refusals drop no series: otherwise one client with unknown ids could prevent every proof.
    /// Refusals are counted apart from the series: otherwise a level that refuses most probes and fails some would lose
    /// its refusals each time a series is dropped, and would never count as refusing.
    fn probe_series(
        &self,
        state: &SystemState,
        policy: &Policy,
        since: Timestamp,
        settled_at: Timestamp,
    ) -> Option<ProbeSeries> {
        let begun = state.probing.filter(|_| policy.recovers_by_probes())?.from.max(since);
        let percent = policy.failure_rate_percent()?;
        let last_call = from(&self.buckets, since).rev().find(|bucket| bucket.calls() > 0).map(|bucket| bucket.start);
        let newest = NewestProbes::default();
        let mut series = ProbeSeries { calls: 0, failed: 0, newest, last_seen: begun, last_failed: false, last_call };
        let settled = |bucket: &&Bucket| bucket.end() <= settled_at && bucket.has_probes();
        let probes: Vec<&Bucket> = from(&self.probes, begun).filter(settled).collect();
        for bucket in &probes {
            series.calls += bucket.calls();
            series.failed += bucket.errors;
            series.last_seen = bucket.start;
            if bucket.calls() > 0 {
                series.last_failed = bucket.errors > 0;
            }
            let proof = CallCounts { calls: series.calls.max(policy.probe_calls().into()), ..CallCounts::default() };
            if proof.reaches(series.failed, percent, 0) {
                series = ProbeSeries { calls: 0, failed: 0, ..series };
            }
        }
        Some(ProbeSeries { newest: NewestProbes::of(&probes, policy, settled_at), ..series })
    }
}

/// Returns the buckets that begin no earlier than `since`, rounded up to a whole second, because `CloudWatch` rounds a
/// start down.
pub(crate) fn from(buckets: &[Bucket], since: Timestamp) -> impl DoubleEndedIterator<Item = &Bucket> {
    let first = ceiling(since, 1);
    buckets.iter().filter(move |bucket| bucket.start >= first)
}

/// Returns a lower bound of the number of consecutive successes, from buckets that do not show the order.
///
/// The buckets without failures that end the series contain successes only, so all of these are consecutive. A bucket
/// with `s` successes and `e` failures contains at least `s / (e + 1)` consecutive successes, rounded up, in any order,
/// because the failures cut the successes into at most `e + 1` pieces. With one outcome a bucket this is the plain rule
/// that a failure resets the streak.
fn streak<'a>(buckets: impl DoubleEndedIterator<Item = &'a Bucket>) -> u64 {
    let mut newest_first = buckets.rev().filter(|bucket| bucket.calls() > 0).peekable();
    match newest_first.peek() {
        Some(newest) if newest.errors > 0 => newest.successes.div_ceil(newest.errors.saturating_add(1)),
        _ => newest_first.take_while(|bucket| bucket.errors == 0).map(|bucket| bucket.successes).sum(),
    }
}

/// Returns the consecutive failures: those of the newest buckets that have no success.
///
/// A busy controller writes its failures at once and its successes up to a second later. So failures of one bucket
/// alone count only once it has settled: until then its successes may be missing.
fn consecutive_failures<'a>(buckets: impl DoubleEndedIterator<Item = &'a Bucket>, settled_at: Timestamp) -> u64 {
    let mut run = buckets.rev().take_while(|bucket| bucket.successes == 0).filter(|bucket| bucket.errors > 0);
    match (run.next(), run.next()) {
        (Some(only), None) if only.end() > settled_at => 0,
        (newest, before) => newest.into_iter().chain(before).chain(run).map(|bucket| bucket.errors).sum(),
    }
}
