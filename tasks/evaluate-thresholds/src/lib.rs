//! Reads the state and the evidence, and decides. Changes nothing.

use aws_edge::config::PolicyInUse;
use aws_edge::error_kind::ErrorKind;
use aws_edge::stores::evidence::EvidenceReader;
use aws_edge::stores::state::{CommandReader, LastKnownReader, StateReader, Stored};
use aws_edge::task_error::TaskError;
use aws_edge::task_input;
use breaker::contract::{ErrorName, Evaluation, EvaluationInput, REPAIR};
use breaker::{
    CorruptState, Decision, Evidence, EvidenceQuery, Expected, LastKnown, SCHEMA_VERSION, SystemState,
    TransitionRequest, decide, repair,
};
use jiff::Timestamp;
use serde_json::Value;

/// The remedy for a policy that is unknown.
const REDEPLOY: &str = "deploy again; operators can force a level meanwhile";

/// The task, with its ports.
#[derive(Clone, Debug)]
pub struct EvaluateThresholds<S, E> {
    /// The store of the state and of its records.
    pub states: S,
    /// The reader of the evidence.
    pub evidence: E,
    /// The policy.
    pub policy: PolicyInUse,
}

/// The state that an evaluation starts from.
struct Base {
    state: SystemState,
    expected: Expected,
}

impl<S: StateReader + CommandReader + LastKnownReader, E: EvidenceReader> EvaluateThresholds<S, E> {
    /// Answers one execution of the state machine.
    ///
    /// # Errors
    /// `InvalidRequest`, `StateUnavailable` or `MetricsUnavailable`; `InvalidConfiguration` for anything but an
    /// operator's command if the policy is unknown.
    pub async fn handle(&self, input: Value, now: Timestamp) -> Result<Evaluation, TaskError> {
        let EvaluationInput { request, execution } = task_input::typed(input)?;
        let request = TransitionRequest::parse(request)?;
        self.check_policy(&request)?;
        let base = self.base(&request, now).await?;
        let decision = match self.carried_out(&request, &execution.name, &base.state).await? {
            Some(decision) => decision,
            None => self.decide(&base, &request, now).await?,
        };
        tracing::info!(
            evaluation.outcome = ?decision.outcome(),
            level.from = decision.from().number(),
            level.to = decision.to().number(),
            evaluation.reason = %decision.cause(),
            request.by = request.requested_by(),
            request.woken_by = request.woken_by(),
            state.version = base.state.version,
            "evaluated"
        );
        let Base { state, expected } = base;
        Ok(Evaluation::of(decision, state, expected, self.policy.policy(), &request, &execution, now))
    }

    /// Refuses an evaluation if the policy is unknown: then only an operator may move the level. An operator's command
    /// reads no evidence, and must work in an emergency.
    fn check_policy(&self, request: &TransitionRequest) -> Result<(), TaskError> {
        match self.policy.decides() {
            Err(error) if !request.is_command() => {
                Err(TaskError::new(ErrorName::InvalidConfiguration, format!("{error}: {REDEPLOY}")))
            }
            _ => Ok(()),
        }
    }

    async fn base(&self, request: &TransitionRequest, now: Timestamp) -> Result<Base, TaskError> {
        // The records are read before the state. Otherwise a record that was written in between would look newer than
        // the state.
        let last_known = if request.repairs() { self.states.last_known().await? } else { None };
        match self.states.read().await? {
            Stored::State(state) => {
                if let Err(problem) = state.check_at(now) {
                    return self.repaired(request, last_known, &CorruptState(problem).to_string(), now);
                }
                if let Some(last_known) = last_known.filter(|known| known.is_ahead_of(&state)) {
                    return Ok(self.after(last_known, now));
                }
                let expected = Expected::Version { version: state.version, epoch: state.epoch };
                Ok(Base { state: *state, expected })
            }
            Stored::Nothing => {
                Ok(Base { state: SystemState::initial(self.policy.policy(), now), expected: Expected::FirstStart })
            }
            Stored::Newer(newer) => Err(state_unavailable(format!(
                "the state item has schemaVersion {}, and this version knows {SCHEMA_VERSION}: deploy the newer version",
                newer.schema_version
            ))),
            Stored::Lost => {
                self.repaired(request, last_known, "the state item is missing, but there is a history", now)
            }
            Stored::Unreadable(corrupt) => self.repaired(request, last_known, &corrupt.to_string(), now),
        }
    }

    fn repaired(
        &self,
        request: &TransitionRequest,
        last_known: Option<LastKnown>,
        problem: &str,
        now: Timestamp,
    ) -> Result<Base, TaskError> {
        if !request.repairs() {
            return Err(state_unavailable(format!("{problem}: {REPAIR}")));
        }
        let last_known = last_known.ok_or_else(|| {
            state_unavailable(format!("{problem}, and there is no record to go on from: restore the table's backup"))
        })?;
        Ok(self.after(last_known, now))
    }

    /// Returns the state of the newest record, as the base of a repair.
    fn after(&self, last_known: LastKnown, now: Timestamp) -> Base {
        Base { state: last_known.state(self.policy.policy(), now), expected: Expected::Repair }
    }

    /// Returns the decision for a command whose execution ran before: it is carried out once, and another command under
    /// its name is refused.
    async fn carried_out(
        &self,
        request: &TransitionRequest,
        execution_name: &str,
        state: &SystemState,
    ) -> Result<Option<Decision>, TaskError> {
        if !request.is_command() {
            return Ok(None);
        }
        let record = self.states.command(execution_name).await?;
        Ok(record.map(|record| record.repeated(request, state.current_level)).transpose()?)
    }

    async fn decide(&self, base: &Base, request: &TransitionRequest, now: Timestamp) -> Result<Decision, TaskError> {
        if let (Expected::Repair, TransitionRequest::Force(force)) = (base.expected, request) {
            return repair(&base.state, self.policy.policy(), force, now).map_err(TaskError::from);
        }
        let evidence = self.evidence_for(request, &base.state, now).await?;
        decide(&base.state, self.policy.policy(), request, &evidence, now).map_err(TaskError::from)
    }

    async fn evidence_for(
        &self,
        request: &TransitionRequest,
        state: &SystemState,
        now: Timestamp,
    ) -> Result<Evidence, TaskError> {
        if request.is_command() {
            return Ok(Evidence::default());
        }
        let query = EvidenceQuery::new(state, self.policy.policy(), now);
        self.evidence.read(&query).await.map_err(TaskError::from)
    }
}

fn state_unavailable(message: impl Into<String>) -> TaskError {
    TaskError::new(ErrorName::StateUnavailable, message).of_kind(ErrorKind::Invalid)
}
