//! The rules by which the level recovers: on a streak of the current level, or on probes of the better one.

use jiff::Timestamp;

use crate::{EvidenceSummary, Level, Policy, ProbeSeries, SystemState};

/// What the evidence says about a recovery, in words with the numbers.
pub(crate) enum Proof {
    /// It may come.
    Given(String),
    /// Not yet.
    Missing(String),
}

/// What the evidence says about a recovery of `state`; `None` at level 1, from which none leads up.
pub(crate) fn proof(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<Proof> {
    let better = state.current_level.better()?;
    let proof = match evidence.probes {
        Some(series) if now.duration_since(series.last_seen) < policy.probe_idle() => {
            by_probes(policy, better, &series)
        }
        Some(_) => {
            by_streak(state, policy, evidence, format!(", and no probe for {} s", policy.probe_idle().as_secs()))
        }
        None => by_streak(state, policy, evidence, String::new()),
    };
    Some(match proof {
        Proof::Given(text) => cooled(state, policy, text, now),
        missing @ Proof::Missing(_) => missing,
    })
}

fn by_probes(policy: &Policy, better: Level, series: &ProbeSeries) -> Proof {
    let ProbeSeries { calls, failed, .. } = series;
    let text = format!("{calls} probes of level {better}, {failed} failed (threshold {} probes)", policy.probe_calls());
    if *calls >= policy.probe_calls().into() { Proof::Given(text) } else { Proof::Missing(text) }
}

fn by_streak(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, note: String) -> Proof {
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
    if since_transition >= cooldown {
        return Proof::Given(text);
    }
    let left = (cooldown - since_transition).as_secs_f64().ceil();
    Proof::Missing(format!("{text}, but the cooldown lasts another {left} s"))
}
