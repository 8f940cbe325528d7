//! The rules as the executions use them: the real rules, at most one of them broken.

use std::borrow::Cow;

use breaker::{
    AutomaticMove, Bucket, Condition, Content, Decision, Evidence, EvidenceQuery, Expected, Level, Mode, NoEffect,
    Policy, PolicySettings, RecoveryEvidence, RefusedCommand, StateWrite, SystemState, TransitionRequest, command_key,
    decide,
};
use jiff::{SignedDuration, Timestamp};

use crate::table::{Held, Put, Rule};

/// One broken rule. The checker must detect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The state is written if the level is still the one that was read.
    ConditionOnLevel,
    /// The state is written if the version is still the one that was read, whatever the epoch.
    ConditionOnVersionAlone,
    /// Every write happens, whatever is stored.
    BlindPut,
    /// The state is written first and the records after it.
    RecordsApart,
    /// The transition's record is not written.
    NoTransitionRecord,
    /// The key of a command's record is the version that it wrote.
    CommandKeyedByVersion,
    /// Each alarm counts as five failures.
    CountsAlarms,
    /// Evaluations ignore the hold.
    IgnoresHold,
    /// Recoveries do not wait.
    IgnoresCooldown,
    /// A relapse does not double the cooldown.
    NeverDoubles,
    /// Outcomes before the epoch count.
    KeepsOldEvidence,
    /// Outcomes during a hold count after its end.
    KeepsEvidenceOfHold,
    /// A fall leads to level 3 at once.
    FallsTwoLevels,
    /// `expectedEpoch` is ignored.
    IgnoresExpectedEpoch,
    /// `expectedHold` is ignored.
    IgnoresExpectedHold,
    /// No success leads to a better level.
    NeverRecovers,
    /// No failure leads from level 2 to level 3.
    NeverGivesUp,
    /// Successes at the current level prove the better one.
    RecoversByCurrentLevel,
    /// Failed probes are ignored.
    IgnoresFailedProbes,
    /// Refused probes are ignored.
    RefusalsAreSilence,
    /// A refused probe counts as a success.
    RefusalsAreSuccesses,
    /// Outcomes of the better level before the end of the cooldown count as probes.
    KeepsOldProbes,
    /// A recovery has no ramp.
    ForgetsRamp,
    /// A ramp goes on after the level has fallen.
    KeepsRamp,
    /// The mode `observe-only` is ignored.
    MovesWhileObserving,
}

/// Decides by the real rules, except for the mutant.
pub fn decide_as(
    mutant: Option<Mutant>,
    state: &SystemState,
    policy: &Policy,
    request: &TransitionRequest,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Decision, RefusedCommand> {
    let policy = &policy_as(mutant, policy);
    let before = state;
    let mut state = Cow::Borrowed(state);
    let mut request = Cow::Borrowed(request);
    match mutant {
        Some(Mutant::IgnoresHold) if !request.is_command() => state.to_mut().hold = None,
        Some(Mutant::KeepsEvidenceOfHold) if state.active_hold(now).is_none() => state.to_mut().hold = None,
        Some(Mutant::IgnoresCooldown) => state.to_mut().last_transition = Timestamp::MIN,
        Some(Mutant::NeverDoubles) => state.to_mut().backoff.doublings = 0,
        Some(Mutant::KeepsOldEvidence) => state.to_mut().evidence_since = Timestamp::MIN,
        Some(Mutant::KeepsOldProbes) => {
            let since = state.last_transition;
            if let Some(probing) = &mut state.to_mut().probing {
                probing.from = since;
            }
        }
        Some(Mutant::IgnoresExpectedEpoch) => {
            if let TransitionRequest::Force(force) = request.to_mut() {
                force.expected_epoch = None;
            }
        }
        Some(Mutant::IgnoresExpectedHold) => match request.to_mut() {
            TransitionRequest::Force(force) => force.expected_hold = None,
            TransitionRequest::Release(release) => release.expected_hold = None,
            _ => {}
        },
        _ => {}
    }
    let mut decision = decide(&state, policy, &request, evidence, now)?;
    let from = decision.from();
    let Decision::Move { cause, next, .. } = &mut decision else { return Ok(decision) };
    match (mutant, cause) {
        (Some(Mutant::NeverRecovers), AutomaticMove::Recovery(_)) => return Ok(nothing(from)),
        (Some(Mutant::NeverGivesUp), AutomaticMove::Fall(_)) if from == Level::Degraded => return Ok(nothing(from)),
        (Some(Mutant::FallsTwoLevels), AutomaticMove::Fall(_)) => next.current_level = Level::Maintenance,
        (Some(Mutant::ForgetsRamp), AutomaticMove::Recovery(_)) => next.ramp = None,
        (Some(Mutant::KeepsRamp), AutomaticMove::Fall(_)) => next.ramp = before.ramp,
        _ => {}
    }
    Ok(decision)
}

/// A decision that changes nothing.
const fn nothing(level: Level) -> Decision {
    Decision::NoEffect(NoEffect::AlreadyThere { level })
}

fn policy_as(mutant: Option<Mutant>, policy: &Policy) -> Policy {
    let settings = *policy.settings();
    let settings = match mutant {
        Some(Mutant::RecoversByCurrentLevel) => {
            PolicySettings { recovery_evidence: RecoveryEvidence::CurrentLevel, ..settings }
        }
        Some(Mutant::MovesWhileObserving) => PolicySettings { mode: Mode::Active, ..settings },
        _ => settings,
    };
    Policy::new(settings).unwrap()
}

/// Returns the evidence that the real query reads, except for the mutants.
pub fn evidence_as(
    mutant: Option<Mutant>,
    state: &SystemState,
    policy: &Policy,
    now: Timestamp,
    alarms: u64,
    outcomes: impl Iterator<Item = (Level, Bucket)>,
) -> Evidence {
    if mutant == Some(Mutant::CountsAlarms) {
        let start = now.checked_add(SignedDuration::from_secs(1)).unwrap();
        return Evidence::new(vec![Bucket { errors: 5 * alarms, ..Bucket::empty(start, 1) }]);
    }
    let keeps_old = matches!(mutant, Some(Mutant::KeepsOldEvidence | Mutant::KeepsEvidenceOfHold));
    let query = EvidenceQuery::new(state, policy, now);
    let asked = |start| keeps_old || query.ranges.iter().any(|range| (range.start..range.end).contains(&start));
    let (mut buckets, mut probes) = (Vec::new(), Vec::new());
    for (level, bucket) in outcomes.filter(|(_, bucket)| asked(bucket.start)) {
        if level == query.level {
            buckets.push(bucket);
        } else if Some(level) == query.probed {
            probes.push(match mutant {
                Some(Mutant::IgnoresFailedProbes) => Bucket { errors: 0, ..bucket },
                Some(Mutant::RefusalsAreSilence) => Bucket { refused: 0, ..bucket },
                Some(Mutant::RefusalsAreSuccesses) => {
                    Bucket { refused: 0, successes: bucket.successes + bucket.refused, ..bucket }
                }
                _ => bucket,
            });
        }
    }
    Evidence::new(buckets).with_probes(probes)
}

/// The puts of a write's transaction, under their conditions.
pub fn puts_as(mutant: Option<Mutant>, write: &StateWrite, before: Level) -> Vec<Put> {
    let mut puts = Vec::new();
    for item in write.items() {
        let rule = match (mutant, item.condition) {
            (Some(Mutant::BlindPut), _) => Rule::Real(Condition::Anything),
            (Some(Mutant::ConditionOnLevel), Condition::StateAt { .. }) => Rule::LevelOf(before),
            (Some(Mutant::ConditionOnVersionAlone), Condition::StateAt { version, .. }) => Rule::VersionOf(version),
            (_, condition) => Rule::Real(condition),
        };
        let key = match (mutant, &item.content) {
            (Some(Mutant::NoTransitionRecord), Content::Transition(_)) => continue,
            (Some(Mutant::CommandKeyedByVersion), Content::Command(record)) => versioned_key(record.version),
            _ => item.key,
        };
        puts.push(Put { key, held: Held::from(&item.content), rule });
    }
    puts
}

/// The key of the item that proves that a write happened.
pub fn proof_key_as(mutant: Option<Mutant>, write: &StateWrite) -> String {
    match (mutant, &write.command) {
        (Some(Mutant::CommandKeyedByVersion), Some(command)) => versioned_key(command.version),
        _ => write.proof_key(),
    }
}

fn versioned_key(version: u64) -> String {
    command_key(&version.to_string())
}

/// Returns what a write expects of the state that was read.
pub fn expected_of(state: &SystemState) -> Expected {
    Expected::Version { version: state.version, epoch: state.epoch }
}
