//! The rules by which the level recovers: on a streak of the current level, or on probes of the better one.

use jiff::{SignedDuration, Timestamp};

use crate::cause::{
    AutomaticMove, Prevented, PreventedMove, ProbeCounts, RecoveryCause, StayCause, Streak, StreakInstead, Unproven,
};
use crate::level::Level;
use crate::policy::{BAD_PROBES_COUNT, Policy};
use crate::state::SystemState;
use crate::summary::{CallCounts, EvidenceSummary, NewestProbes, ProbeSeries};
use crate::time::{later, seconds_until};
use crate::trip;

/// Maximum silence of the current level, in addition to the settling time. Longer silence means that metrics are
/// missing or that there is no traffic; neither supports a recovery.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// The conclusion from the evidence.
pub(crate) enum Finding {
    /// The level moves to this level.
    Move(Level, AutomaticMove),
    /// The level stays.
    Stay(StayCause),
}

/// Returns the move to the better level, or why the level stays.
pub(crate) fn recovery(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Finding {
    let Some(better) = state.current_level.better() else {
        return Finding::Stay(StayCause::Calm(trip::calm(policy, evidence)));
    };
    let cause = match proof(state, policy, evidence, better, now) {
        Ok(cause) => AutomaticMove::Recovery(cause),
        Err(unproven) => return Finding::Stay(StayCause::Unproven(unproven)),
    };
    match waiting(state, policy, now) {
        Some(prevented) => Finding::Stay(StayCause::Prevented(PreventedMove { prevented, to: better, cause })),
        None => Finding::Move(better, cause),
    }
}

/// Returns the proof that the level `better` works, or what the proof still lacks.
fn proof(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    better: Level,
    now: Timestamp,
) -> Result<RecoveryCause, Unproven> {
    match evidence.probes {
        Some(_) if state.active_hold(now).is_some() => Err(Unproven::ProbingInHold { level: better }),
        Some(series) if !is_idle(policy, &series, now) => by_probes(policy, better, &series),
        Some(series) => without_probes(state, policy, evidence, &series, now),
        None if !policy.recovers_by_probes() => by_streak(state, policy, evidence, None),
        None if policy.observes_only() => by_streak(state, policy, evidence, Some(StreakInstead::ObserveOnly)),
        // The state was written when recoveries did not rest on probes. This evaluation begins to probe.
        None => Err(Unproven::Probing { level: better }),
    }
}

/// Whether probes are idle: none ended (with success, failure or refusal) for so long that recoveries rest on the
/// current level.
///
/// Probes are never idle if the newest ones were mostly refused: nothing has shown since that the level accepts
/// requests again, and the current level cannot show it. Such a level waits for a probe that is answered, or for an
/// operator.
pub(crate) fn is_idle(policy: &Policy, series: &ProbeSeries, now: Timestamp) -> bool {
    let believed = if series.last_failed { BAD_PROBES_COUNT } else { 1 };
    let silent = now.duration_since(series.last_seen) >= policy.probe_idle().saturating_mul(believed);
    silent && !series.newest.mostly_refused()
}

/// Returns the proof by the current level while probes are idle, or what the proof still lacks.
fn without_probes(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    series: &ProbeSeries,
    now: Timestamp,
) -> Result<RecoveryCause, Unproven> {
    let seconds = now.duration_since(series.last_seen).as_secs();
    let seen = |last_call| now.duration_since(last_call) <= policy.settle().saturating_add(SILENCE);
    if series.last_call.is_some_and(seen) {
        return by_streak(state, policy, evidence, Some(StreakInstead::NoProbeSeen { seconds }));
    }
    Err(Unproven::Calls { level: state.current_level, seconds_without_probe: seconds })
}

fn by_probes(policy: &Policy, better: Level, series: &ProbeSeries) -> Result<RecoveryCause, Unproven> {
    let ProbeSeries { calls, failed, newest, .. } = *series;
    let NewestProbes { answered, refused } = newest;
    let (minimum_calls, below_percent) = (policy.probe_calls(), policy.failure_rate_percent().unwrap_or_default());
    let probes = ProbeCounts { level: better, calls, failed, refused, minimum_calls, below_percent };
    let counts = CallCounts { calls, failed, slow: 0 };
    if newest.mostly_refused() {
        Err(Unproven::ProbesAccepted { probes, newest: answered.saturating_add(refused) })
    } else if calls >= minimum_calls.into() && !counts.reaches(failed, below_percent, 0) {
        Ok(RecoveryCause::Probes(probes))
    } else {
        Err(Unproven::Probes(probes))
    }
}

fn by_streak(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    instead_of_probes: Option<StreakInstead>,
) -> Result<RecoveryCause, Unproven> {
    let threshold = match state.current_level {
        Level::Maintenance => policy.level_3_successes(),
        Level::Degraded | Level::Full => policy.level_2_successes(),
    };
    let (level, successes) = (state.current_level, evidence.success_streak);
    let streak = Streak { level, successes, threshold, instead_of_probes };
    if streak.suffices() { Ok(RecoveryCause::Streak(streak)) } else { Err(Unproven::Streak(streak)) }
}

/// Returns what delays every recovery at `now`: the cooldown or the ramp.
fn waiting(state: &SystemState, policy: &Policy, now: Timestamp) -> Option<Prevented> {
    let cooled = later(state.last_transition, state.backoff.cooldown(policy));
    if now < cooled {
        return Some(Prevented::Cooldown { seconds_left: seconds_until(cooled, now) });
    }
    state.active_ramp(now).map(|ramp| Prevented::Ramp { seconds_left: seconds_until(ramp.until, now) })
}
