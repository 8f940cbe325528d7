//! Probing: below level 1, a share of the retryable requests (GET, HEAD) is sent to the better level, so that a recovery
//! rests on evidence about that level itself.
//!
//! | step | where |
//! |---|---|
//! | After the cooldown of a fall, probing begins. Each evaluation adjusts the share, so that a proof takes about a minute. | this module |
//! | The state tells the controllers the share ([`Probing`]). | `state.rs` |
//! | A request's id chooses whether it probes. | [`route`](crate::route) |
//! | An environment limits its probes in number and in time. | [`ProbeAllowance`] |
//! | The probe is sent with a time budget; the current level answers if it fails. | [`Plan`](crate::Plan) |
//! | A refused probe (4xx) is recorded as such; it proves nothing. | [`RequestRules::counts_of`](crate::RequestRules::counts_of) |
//! | An evaluation adds up the probes of the better level. | [`ProbeSeries`](crate::ProbeSeries) |
//! | Enough of them with a low failure rate prove a recovery. Without any, a recovery rests on the current level. | `recovery.rs` |
//!
//! The settings are the group `probes` of the policy ([`NUMBERS`](crate::NUMBERS)).

mod limit;

use jiff::{SignedDuration, Timestamp};

pub use limit::ProbeAllowance;

use crate::evidence::{Bucket, Evidence};
use crate::policy::{BAD_PROBES_COUNT, Policy};
use crate::recovery::is_idle;
use crate::state::{Probing, Refusing, SystemState};
use crate::summary::{CallCounts, EvidenceSummary, from};
use crate::time::{earlier, later};

/// The time over which traffic is measured, and the time that a proof should take.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// Minimum time of a measurement. A shorter one does not show how much traffic there is.
const MIN_SPAN: SignedDuration = SignedDuration::from_secs(20);
/// Minimum number of probes that show how much of the traffic is retryable.
const FEW_PROBES: u64 = 5;
/// Target number of probes, in percent of those that a proof needs. It is above 100 because probes come by chance, and
/// because, with little traffic, waiting for enough probes is most of the time until a repaired level is used again.
const MARGIN: u64 = 200;

/// Returns how the better level is probed after a transition at `now`, beginning at `from`. The outcomes of the level
/// that was left show how much traffic there is. All of it counts as retryable until probes show how much is.
pub(crate) fn begun(
    state: &SystemState,
    policy: &Policy,
    evidence: &Evidence,
    from: Timestamp,
    now: Timestamp,
) -> Probing {
    let span = Span::new(state.evidence_begins(now), now);
    let retryable = span.a_minute(CallCounts::of(span.buckets(&evidence.buckets)).calls);
    let percent = retryable.map_or(policy.probe_percent(), |retryable| share_of(retryable, policy));
    Probing::starting(from, percent)
}

/// Returns how the better level is probed after an evaluation at `now` that did not move the level; `None` if it is
/// not probed.
pub(crate) fn after(
    state: &SystemState,
    policy: &Policy,
    evidence: &Evidence,
    summary: &EvidenceSummary,
    now: Timestamp,
) -> Option<Probing> {
    if !policy.probes(state.current_level) {
        return None;
    }
    let Some(probing) = state.probing else {
        let from = state.probing_allowed_at(policy).max(now);
        return Some(Probing::starting(from, policy.probe_percent()));
    };
    if state.active_probing(now).is_none() {
        return Some(probing);
    }
    let (idle, refusing) = match &summary.probes {
        Some(series) if is_idle(policy, series, now) => (Some(series.last_seen), None),
        Some(series) if series.newest.mostly_refused() => (None, Some(refusing(&probing, policy, summary.since, now))),
        _ => (None, None),
    };
    let percent = adjusted(&probing, policy, evidence, summary.since, now);
    let percent_since = if percent == probing.percent { probing.percent_since } else { now };
    Some(Probing { percent, percent_since, idle_since: idle, refusing, ..probing })
}

/// Returns since when the better level refuses its probes, and when the alarm `probes-refused` goes off: after three
/// times `probes.idle_seconds`, as long as a failed probe keeps the probes from counting as idle. A few refusals in a
/// quiet night are enough, because the level does not recover without another probe.
fn refusing(before: &Probing, policy: &Policy, evidence_since: Timestamp, now: Timestamp) -> Refusing {
    let since = before.refusing.map(|refusing| refusing.since).filter(|since| *since >= evidence_since).unwrap_or(now);
    Refusing { since, alarm_from: later(since, policy.probe_idle().saturating_mul(BAD_PROBES_COUNT)) }
}

/// Returns the share that the traffic needs if it differs from the present share by a quarter or more, else the present
/// share.
///
/// The number of probes that the present share gave shows how much of the traffic is retryable. If too few probes came,
/// all of the traffic counts as retryable, and the share at least doubles. If no call was seen, the share stays: either
/// there was no traffic or the metrics are late, and a share for silence would be wrong for the traffic that follows.
fn adjusted(probing: &Probing, policy: &Policy, evidence: &Evidence, since: Timestamp, now: Timestamp) -> u32 {
    let span = Span::new(probing.percent_since.max(since), earlier(now, policy.settle()));
    let succeeded: u64 = span.buckets(&evidence.probes).map(|bucket| bucket.successes).sum();
    let answered = CallCounts::of(span.buckets(&evidence.buckets)).calls.saturating_add(succeeded);
    // Refused probes were retryable requests too.
    let probes: u64 = span.buckets(&evidence.probes).map(|bucket| bucket.calls().saturating_add(bucket.refused)).sum();
    if answered == 0 && probes == 0 {
        return probing.percent;
    }
    let present = u64::from(probing.percent.max(1));
    let retryable = if probes < FEW_PROBES { answered } else { probes.saturating_mul(100) / present };
    let Some(retryable) = span.a_minute(retryable) else { return probing.percent };
    let mut wanted = share_of(retryable, policy);
    if probes < FEW_PROBES {
        wanted = wanted.max(probing.percent.saturating_mul(2).min(100));
    }
    let off = wanted.abs_diff(probing.percent).saturating_mul(4) >= probing.percent;
    if off { wanted } else { probing.percent }
}

/// Returns the share, in percent, of `retryable` requests a minute that is enough for a proof.
fn share_of(retryable: u64, policy: &Policy) -> u32 {
    let wanted = (u64::from(policy.probe_calls()) * MARGIN).div_ceil(retryable.max(1));
    u32::try_from(wanted).unwrap_or(u32::MAX).clamp(policy.probe_percent(), 100)
}

/// A span of time that ends at `until` and is at most a minute long.
struct Span {
    since: Timestamp,
    until: Timestamp,
}

impl Span {
    fn new(since: Timestamp, until: Timestamp) -> Self {
        Self { since: since.max(earlier(until, MINUTE)), until }
    }

    fn buckets<'a>(&self, buckets: &'a [Bucket]) -> impl Iterator<Item = &'a Bucket> {
        let until = self.until;
        from(buckets, self.since).filter(move |bucket| bucket.end() <= until)
    }

    /// Converts a number of calls in the span to calls a minute; `None` if the span is too short.
    fn a_minute(&self, calls: u64) -> Option<u64> {
        let span = self.until.duration_since(self.since);
        if span < MIN_SPAN {
            return None;
        }
        let scaled = u128::from(calls) * MINUTE.as_millis().unsigned_abs() / span.as_millis().unsigned_abs().max(1);
        u64::try_from(scaled).ok()
    }
}
