//! Reads the state and the evidence, and decides. Changes nothing.

use breaker::contract::{ErrorName, Evaluation, EvaluationInput, StateWrite, TransitionRecord};
use breaker::{
    Decision, Evidence, EvidenceQuery, Outcome, Policy, SCHEMA_VERSION, SystemState, TransitionRequest, decide,
};
use jiff::Timestamp;
use platform::metric_reader::EvidenceReader;
use platform::state_store::{StateReader, Stored, newer_schema};
use platform::task_error::TaskError;
use serde_json::Value;

/// The task, with its ports.
#[derive(Clone, Debug)]
pub struct EvaluateThresholds<S, E> {
    /// Where the state is.
    pub states: S,
    /// Where the evidence is.
    pub evidence: E,
    /// What decides.
    pub policy: Policy,
}

impl<S: StateReader, E: EvidenceReader> EvaluateThresholds<S, E> {
    /// Answers one execution of the state machine.
    ///
    /// # Errors
    /// `InvalidRequest`, `StateUnavailable` or `MetricsUnavailable`.
    pub async fn handle(&self, input: Value, now: Timestamp) -> Result<Evaluation, TaskError> {
        let input: EvaluationInput =
            serde_json::from_value(input).map_err(|error| invalid(format!("input of the task: {error}")))?;
        let request = TransitionRequest::parse(input.request).map_err(|error| invalid(error.to_string()))?;
        let state = self.state(now).await?;
        let evidence = self.evidence_for(&request, &state, now).await?;
        let decision =
            decide(&state, &self.policy, &request, &evidence, now).map_err(|error| invalid(error.to_string()))?;
        tracing::info!(
            evaluation.outcome = ?decision.outcome,
            level.from = decision.from.number(),
            level.to = decision.to.number(),
            evaluation.reason = decision.reason,
            state.version = state.version,
            "evaluated"
        );
        Ok(self.answer(state, decision, request, &input.execution, now))
    }

    async fn state(&self, now: Timestamp) -> Result<SystemState, TaskError> {
        match self.states.read().await.map_err(|error| unavailable(error.to_string()))? {
            Stored::State(state) if state.schema_version > SCHEMA_VERSION => Err(unavailable(newer_schema(&state))),
            Stored::State(state) => Ok(*state),
            Stored::Nothing => Ok(SystemState::initial(&self.policy, now)),
            Stored::Lost => Err(unavailable(
                "the state item is gone, but there is a history: restore the item `system-state` of the state table \
                 from its point-in-time recovery",
            )),
        }
    }

    async fn evidence_for(
        &self,
        request: &TransitionRequest,
        state: &SystemState,
        now: Timestamp,
    ) -> Result<Evidence, TaskError> {
        if !request.needs_evidence() {
            return Ok(Evidence::default());
        }
        let query = EvidenceQuery::new(state, &self.policy, now);
        self.evidence
            .read(&query)
            .await
            .map_err(|error| TaskError::new(ErrorName::MetricsUnavailable, error.to_string()))
    }

    fn answer(
        &self,
        state: SystemState,
        decision: Decision,
        request: TransitionRequest,
        execution: &str,
        now: Timestamp,
    ) -> Evaluation {
        let Decision { outcome, from, to, reason, evidence, next } = decision;
        let dry_run = request.dry_run();
        let write = next.map(|next| {
            let next = SystemState { execution: execution.to_owned(), ..next };
            let record = (outcome == Outcome::Transition).then(|| TransitionRecord {
                epoch: next.epoch,
                from,
                to,
                at: now,
                reason: reason.clone(),
                request: Some(request),
                evidence,
                policy: Some(self.policy),
                execution: execution.to_owned(),
            });
            StateWrite { expected_version: state.version, state: next, record }
        });
        Evaluation { outcome, dry_run, from, to, reason, evidence, state, write }
    }
}

fn invalid(message: impl Into<String>) -> TaskError {
    TaskError::new(ErrorName::InvalidRequest, message)
}

fn unavailable(message: impl Into<String>) -> TaskError {
    TaskError::new(ErrorName::StateUnavailable, message)
}
