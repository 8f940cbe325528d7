//! Which share of the safe requests probes, so that a proof takes about a minute.

use jiff::{SignedDuration, Timestamp};

use crate::decision::later;
use crate::evidence::earlier;
use crate::recovery::{BAD_PROBES_COUNT, is_idle};
use crate::summary::from;
use crate::{Bucket, CallCounts, Evidence, EvidenceSummary, Policy, Probing, Refusing, SystemState};

/// How long the traffic is looked at, and in how long a proof should come.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// In less time the traffic tells too little.
const LEAST_SPAN: SignedDuration = SignedDuration::from_secs(20);
/// Fewer probes than these say nothing about how much of the traffic is safe.
const FEW_PROBES: u64 = 5;
/// In percent: more than is wanted, because probes come by chance, and where traffic is thin the time that they take is
/// most of the time for which a mended level is not used.
const MARGIN: u64 = 200;

/// How the better level is probed after a transition at `now`, from `from` on: the level that was left
/// shows how much traffic there is, and all of it is taken to be safe until probes show how much is.
pub(crate) fn begun(
    state: &SystemState,
    policy: &Policy,
    evidence: &Evidence,
    from: Timestamp,
    now: Timestamp,
) -> Probing {
    let span = Span::new(state.evidence_begins(now), now);
    let safe = span.a_minute(CallCounts::of(span.buckets(&evidence.buckets)).calls);
    let percent = safe.map_or(policy.probe_percent(), |safe| share_of(safe, policy));
    Probing::starting(from, percent)
}

/// How the better level is probed after an evaluation at `now` that moved nothing; `None` where it is not.
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

/// People are alarmed after as long as it takes for a failed probe to count as none. A few refusals in a quiet night do
/// that too, because without another probe the level does not recover.
fn refusing(before: &Probing, policy: &Policy, evidence_since: Timestamp, now: Timestamp) -> Refusing {
    let since = before.refusing.map(|refusing| refusing.since).filter(|since| *since >= evidence_since).unwrap_or(now);
    Refusing { since, alarm_from: later(since, policy.probe_idle().saturating_mul(BAD_PROBES_COUNT)) }
}

/// The share that the traffic asks for, where the present one is off by a quarter or more.
///
/// How much of the traffic is safe shows in the probes that the present share gave. Where too few came to
/// tell, all of it is taken to be, and the share at least doubles. Where nothing at all was seen, nobody called or the
/// metrics are late, and a share made for silence would be wrong for the traffic after it.
fn adjusted(probing: &Probing, policy: &Policy, evidence: &Evidence, since: Timestamp, now: Timestamp) -> u32 {
    let span = Span::new(probing.percent_since.max(since), earlier(now, policy.settle()));
    let succeeded: u64 = span.buckets(&evidence.probes).map(|bucket| bucket.successes).sum();
    let answered = CallCounts::of(span.buckets(&evidence.buckets)).calls.saturating_add(succeeded);
    // Refused probes came from safe requests as much as answered ones did.
    let probes: u64 = span.buckets(&evidence.probes).map(|bucket| bucket.calls().saturating_add(bucket.refused)).sum();
    if answered == 0 && probes == 0 {
        return probing.percent;
    }
    let present = u64::from(probing.percent.max(1));
    let safe = if probes < FEW_PROBES { answered } else { probes.saturating_mul(100) / present };
    let Some(safe) = span.a_minute(safe) else { return probing.percent };
    let mut wanted = share_of(safe, policy);
    if probes < FEW_PROBES {
        wanted = wanted.max(probing.percent.saturating_mul(2).min(100));
    }
    let off = wanted.abs_diff(probing.percent).saturating_mul(4) >= probing.percent;
    if off { wanted } else { probing.percent }
}

/// The share, in percent, of so many safe requests a minute that is enough for a proof.
fn share_of(safe: u64, policy: &Policy) -> u32 {
    let wanted = (u64::from(policy.probe_calls()) * MARGIN).div_ceil(safe.max(1));
    u32::try_from(wanted).unwrap_or(u32::MAX).clamp(policy.probe_percent(), 100)
}

/// At most the last minute before `until`.
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

    /// So many in the span, as so many a minute; `None` where the span is too short to tell.
    fn a_minute(&self, calls: u64) -> Option<u64> {
        let span = self.until.duration_since(self.since);
        if span < LEAST_SPAN {
            return None;
        }
        let scaled = u128::from(calls) * MINUTE.as_millis().unsigned_abs() / span.as_millis().unsigned_abs().max(1);
        u64::try_from(scaled).ok()
    }
}
