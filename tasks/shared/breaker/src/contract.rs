//! Inputs and outputs of the state machine's tasks. `statemachines/schemas/` has their JSON Schemas, which are
//! generated from these types.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cause::{Cause, RecordedCause};
use crate::decision::{Decision, Outcome};
use crate::level::Level;
use crate::look_again::looks_again;
use crate::policy::Policy;
use crate::records::{CommandRecord, TransitionRecord};
use crate::request::{ForceRequest, TransitionRequest};
use crate::state::{Hold, SystemState, unchecked};
use crate::summary::EvidenceSummary;
use crate::validation::object::tagged;
use crate::write::{Expected, StateWrite};

/// The names under which tasks fail; the state machine matches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorName {
    /// The execution's input is invalid, or the state refuses the command.
    InvalidRequest,
    /// Another execution wrote the state first.
    StateConflict,
    /// The state cannot be read or written, or is missing or corrupt.
    StateUnavailable,
    /// The evidence cannot be read completely.
    MetricsUnavailable,
    /// The metrics of an evaluation could not be stored.
    MetricsNotEmitted,
    /// The deployment's policy is unknown, so the level does not move by itself.
    InvalidConfiguration,
}

impl ErrorName {
    /// Every name.
    pub const ALL: [Self; 6] = [
        Self::InvalidRequest,
        Self::StateConflict,
        Self::StateUnavailable,
        Self::MetricsUnavailable,
        Self::MetricsNotEmitted,
        Self::InvalidConfiguration,
    ];

    /// The name as the state machine knows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::StateConflict => "StateConflict",
            Self::StateUnavailable => "StateUnavailable",
            Self::MetricsUnavailable => "MetricsUnavailable",
            Self::MetricsNotEmitted => "MetricsNotEmitted",
            Self::InvalidConfiguration => "InvalidConfiguration",
        }
    }
}

/// The names under which `evaluate-thresholds` fails.
pub const EVALUATE_THRESHOLDS_ERRORS: &[ErrorName] = &[
    ErrorName::InvalidRequest,
    ErrorName::StateUnavailable,
    ErrorName::MetricsUnavailable,
    ErrorName::InvalidConfiguration,
];
/// The names under which `write-state` fails.
pub const WRITE_STATE_ERRORS: &[ErrorName] =
    &[ErrorName::InvalidRequest, ErrorName::StateConflict, ErrorName::StateUnavailable];
/// The names under which `emit-metrics` fails.
pub const EMIT_METRICS_ERRORS: &[ErrorName] = &[ErrorName::InvalidRequest, ErrorName::MetricsNotEmitted];

/// The remedy for a state that is missing or corrupt, at the end of an error's message.
pub const REPAIR: &str = "start the state machine with \"trigger\": \"force\" and \"repair\": true to go on from the \
                          newest record";

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Input of `evaluate-thresholds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluationInput {
    /// The execution's input, unchecked. [`TransitionRequest::parse`] checks it.
    pub request: Value,
    /// The execution of the state machine.
    pub execution: Execution,
}

/// An execution of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execution {
    /// ARN of the execution.
    pub arn: String,
    /// Name of the execution. Its starter may choose the name.
    pub name: String,
}

/// Output of `evaluate-thresholds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evaluation {
    /// The kind of the decision.
    pub outcome: Outcome,
    /// Whether the execution is a dry run: nothing is written, emitted or announced.
    pub dry_run: bool,
    /// The level before the evaluation.
    pub from: Level,
    /// The level after the evaluation.
    pub to: Level,
    /// The level to which automation would have moved without a hold or the mode `observe-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevented: Option<Level>,
    /// The hold that was in force and that an operator's command ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_hold: Option<Hold>,
    /// The earliest time at which automation may raise the level next; absent at level 1, and in the mode
    /// `observe-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_allowed_at: Option<Timestamp>,
    /// The policy in force.
    pub policy: Policy,
    /// The reason as a sentence with the numbers: the text of the cause.
    pub reason: String,
    /// The cause as data.
    #[serde(deserialize_with = "tagged")]
    pub cause: Cause,
    /// The evidence in numbers; absent for operators' commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSummary>,
    /// The state before the evaluation.
    pub old_state: SystemState,
    /// The state after the evaluation; equal to the state before if nothing changes.
    pub new_state: SystemState,
    /// Whether the execution evaluates again within its minute, because no alarm reports what comes next. An execution
    /// of the schedule does so while probes or a ramp are being judged, an execution of an alarm while a rule is half
    /// fulfilled or the level has just fallen to 2.
    pub look_again: bool,
    /// The write; absent if nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<StateWrite>,
}

impl Evaluation {
    /// Returns the output for `decision` about `old_state`.
    #[must_use]
    pub fn of(
        decision: Decision,
        old_state: SystemState,
        expected: Expected,
        policy: &Policy,
        request: &TransitionRequest,
        execution: &Execution,
        now: Timestamp,
    ) -> Self {
        let look_again = looks_again(request, &decision, decision.next().unwrap_or(&old_state), policy, now);
        let (outcome, from, to, cause) = (decision.outcome(), decision.from(), decision.to(), decision.cause());
        let (reason, prevented) = (cause.to_string(), decision.prevented());
        let (ended_hold, evidence) = (decision.ended_hold().cloned(), decision.evidence().copied());
        let write = decision.into_next().map(|next| {
            let state = SystemState { execution: execution.arn.clone(), ..next.held_by(request, execution) };
            let transition = (outcome == Outcome::Transition).then(|| TransitionRecord {
                epoch: state.epoch,
                version: state.version,
                from,
                to,
                at: now,
                reason: reason.clone(),
                cause: Some(cause.clone().into()),
                request: Some(request.clone().as_recorded()),
                requested_by: Some(request.requested_by().to_owned()),
                woken_by: request.woken_by().map(str::to_owned),
                evidence,
                policy: Some(*policy.settings()),
                ended_hold: ended_hold.clone(),
                execution: execution.arn.clone(),
            });
            let command = request.is_command().then(|| CommandRecord {
                name: execution.name.clone(),
                version: state.version,
                epoch: state.epoch,
                from,
                to,
                at: now,
                outcome,
                reason: reason.clone(),
                cause: Some(cause.clone().into()),
                request: request.clone().as_recorded(),
                ended_hold: ended_hold.clone(),
                recovery_allowed_at: recovery_allowed_at(&state, policy, now),
                execution: execution.arn.clone(),
            });
            StateWrite { expected, state, transition, command }
        });
        let new_state = write.as_ref().map_or_else(|| old_state.clone(), |write| write.state.clone());
        let dry_run = request.dry_run();
        Self {
            outcome,
            dry_run,
            from,
            to,
            prevented,
            ended_hold,
            recovery_allowed_at: recovery_allowed_at(&new_state, policy, now),
            policy: *policy,
            reason,
            cause,
            evidence,
            old_state,
            new_state,
            look_again,
            write,
        }
    }
}

/// Returns the earliest time of a recovery; `None` if automation only observes, because it then raises no level.
fn recovery_allowed_at(state: &SystemState, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    state.recovery_allowed_at(policy, now).filter(|_| !policy.observes_only())
}

impl SystemState {
    /// Returns the state with `execution` in its hold, if the request sets the hold. An earlier hold keeps the
    /// execution that set it.
    fn held_by(mut self, request: &TransitionRequest, execution: &Execution) -> Self {
        let sets_hold = matches!(request, TransitionRequest::Force(ForceRequest { hold_minutes: Some(_), .. }));
        if let Some(hold) = self.hold.as_mut().filter(|_| sets_hold) {
            hold.execution = Some(execution.arn.clone());
        }
        self
    }
}

/// Output of `write-state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateWritten {
    /// The state as it is stored now.
    pub state: SystemState,
}

/// Input of `emit-metrics`.
// Unknown members are ignored: a state machine of a newer release may send more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsInput {
    /// The kind of the decision.
    pub outcome: Outcome,
    /// The state after the decision.
    // Not checked: the metrics are emitted whatever a newer release allows in a state, because their absence alarms
    // people.
    #[serde(deserialize_with = "unchecked")]
    pub state: SystemState,
    /// The cause of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RecordedCause")]
    pub cause: Option<RecordedCause>,
    /// The level to which automation would have moved without a hold or the mode `observe-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevented: Option<Level>,
    /// Whether the notification about the transition failed. If so, only the metric `NotificationMissing` is emitted,
    /// because another call emits the evaluation's metrics.
    #[serde(default)]
    pub notification_missing: bool,
}

/// Output of `emit-metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsEmitted {
    /// Number of stored values.
    pub values: usize,
}
