//! The rules by which the level recovers: on a streak of the current level, or on probes of the better one.

use jiff::{SignedDuration, Timestamp};

use crate::{CallCounts, EvidenceSummary, Level, NewestProbes, Policy, ProbeSeries, SystemState};

/// Maximum silence of the current level, in addition to the settling time. Longer silence means that metrics are
/// missing or that there is no traffic; neither supports a recovery.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);
/// A probe that failed counts this many times as long as one that succeeded: in multiples of `probes.idle_seconds`
/// without any probe. People are alarmed after refusals of the same time.
pub(crate) const BAD_PROBES_COUNT: i32 = 3;

/// Whether a recovery may happen, with the reason as a sentence with the numbers.
pub(crate) enum Proof {
    /// The recovery may happen.
    Given(String),
    /// The recovery may not happen yet.
    Missing(String),
}

/// Returns whether `state` may recover by this evidence; `None` at level 1, which has no better level.
pub(crate) fn proof(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<Proof> {
    let better = state.current_level.better()?;
    let proof = match evidence.probes {
        Some(_) if state.active_hold(now).is_some() => {
            Proof::Missing(format!("nothing probes level {better} in a hold"))
        }
        Some(series) if !is_idle(policy, &series, now) => by_probes(policy, better, &series),
        Some(series) => without_probes(state, policy, evidence, &series, now),
        None if !policy.recovers_by_probes() => by_streak(state, policy, evidence, ""),
        None if policy.observes_only() => {
            by_streak(state, policy, evidence, ", because nothing probes while automation only observes")
        }
        // The state was written when recoveries did not rest on probes. This evaluation begins to probe.
        None => Proof::Missing(format!("probes of level {better} have yet to begin")),
    };
    Some(match proof {
        Proof::Given(text) => cooled(state, policy, text, now),
        missing @ Proof::Missing(_) => missing,
    })
}

/// Whether probes are idle: none was answered or refused for so long that recoveries rest on the current level.
///
/// A level whose newest probes were refused is never idle: nothing has shown since that it accepts requests again, and
/// the current level cannot show it. Such a level waits for a probe that is answered, or for an operator.
pub(crate) fn is_idle(policy: &Policy, series: &ProbeSeries, now: Timestamp) -> bool {
    let believed = if series.last_failed { BAD_PROBES_COUNT } else { 1 };
    let silent = now.duration_since(series.last_seen) >= policy.probe_idle().saturating_mul(believed);
    silent && !series.newest.mostly_refused()
}

/// Returns whether a recovery may rest on the current level.
fn without_probes(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    series: &ProbeSeries,
    now: Timestamp,
) -> Proof {
    let seconds = now.duration_since(series.last_seen).as_secs();
    let note = format!(", because no probe was seen for {seconds} s");
    let seen = |last_call| now.duration_since(last_call) <= policy.settle().saturating_add(SILENCE);
    if series.last_call.is_some_and(seen) {
        return by_streak(state, policy, evidence, &note);
    }
    Proof::Missing(format!("no call of level {} was seen lately{note}", state.current_level))
}

fn by_probes(policy: &Policy, better: Level, series: &ProbeSeries) -> Proof {
    let ProbeSeries { calls, failed, newest, .. } = *series;
    let (minimum, percent) = (policy.probe_calls(), policy.failure_rate_percent().unwrap_or_default());
    let text = format!(
        "{calls} probes of level {better} of which {failed} failed (threshold {minimum} with less than {percent} %)"
    );
    let NewestProbes { answered, refused } = newest;
    if newest.mostly_refused() {
        let total = answered.saturating_add(refused);
        return Proof::Missing(format!(
            "{text}, but level {better} refused {refused} of the newest {total} probes (4xx): check its \
             authorization and its routing, or force level {better} if they are right to be refused"
        ));
    }
    let text = if refused > 0 { format!("{text}, and {refused} were refused") } else { text };
    let counts = CallCounts { calls, failed, slow: 0 };
    if calls >= minimum.into() && !counts.reaches(failed, percent, 0) {
        Proof::Given(text)
    } else {
        Proof::Missing(text)
    }
}

fn by_streak(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, note: &str) -> Proof {
    let threshold = match state.current_level {
        Level::Maintenance => policy.level_3_successes(),
        Level::Degraded | Level::Full => policy.level_2_successes(),
    };
    let streak = evidence.success_streak;
    let text = format!("{streak} consecutive successes at level {} (threshold {threshold}){note}", state.current_level);
    if streak >= threshold.into() { Proof::Given(text) } else { Proof::Missing(text) }
}

fn cooled(state: &SystemState, policy: &Policy, text: String, now: Timestamp) -> Proof {
    let since_transition = now.duration_since(state.last_transition);
    let cooldown = state.backoff.cooldown(policy);
    if since_transition < cooldown {
        let left = (cooldown - since_transition).as_secs_f64().ceil();
        return Proof::Missing(format!("{text}, but the cooldown lasts another {left} s"));
    }
    match state.active_ramp(now) {
        Some(ramp) => {
            let left = ramp.until.duration_since(now).as_secs_f64().ceil();
            Proof::Missing(format!("{text}, but the ramp lasts another {left} s"))
        }
        None => Proof::Given(text),
    }
}
