//! The steps of an execution, as the tasks and the state machine take them.

use breaker::contract::{Evaluation, Execution};
use breaker::{Expected, Outcome, Refusal, Stored, SystemState, TransitionRequest, repair};

use crate::rules::{Mutant, decide_as, evidence_as, expected_of, proof_key_as, puts_as};
use crate::table::Told;
use crate::world::{Base, Committed, End, Fate, Phase, Run, Slot, State, Trouble, World};

/// Maximum number of further evaluations after lost races.
const MAX_CONFLICTS: u8 = 3;

impl World {
    fn execution(&self, run: &Run, slot: usize) -> Execution {
        let Slot { name, arn, repeats, .. } = &self.slots[slot];
        let number = if *repeats { format!("-{}", run.started) } else { String::new() };
        Execution { arn: format!("{arn}{number}"), name: format!("{name}{number}") }
    }

    /// Reads the state as `evaluate-thresholds` does.
    pub fn read(&self, state: &State, slot: usize) -> Phase {
        let (request, now) = (&self.slots[slot].request, self.now(state.tick));
        let base = |state, expected| Phase::Read(Told::new(Base { state, expected, now }));
        let repaired = || match state.table.last_known() {
            Some(known) if request.repairs() => base(known.state(&self.policy, now), Expected::Repair),
            _ => Phase::Ended(End::Failed("StateUnavailable")),
        };
        match state.table.read() {
            Stored::State(stored) => {
                let behind = state.table.last_known().is_some_and(|known| known.is_ahead_of(&stored));
                if request.repairs() && behind {
                    return repaired();
                }
                let expected = expected_of(&stored);
                base(*stored, expected)
            }
            Stored::Nothing => base(SystemState::initial(&self.policy, now), Expected::FirstStart),
            _ => repaired(),
        }
    }

    /// Decides as `evaluate-thresholds` does.
    pub fn decide(&self, state: &State, slot: usize, base: &Base) -> Phase {
        let request = &self.slots[slot].request;
        let execution = self.execution(&state.runs[slot], slot);
        let carried_out = state.table.command(&execution.name).filter(|_| request.is_command());
        let Base { state: before, expected, now } = base;
        let decision = match (expected, request) {
            _ if let Some(record) = carried_out => record.repeated(request, before.current_level),
            (Expected::Repair, TransitionRequest::Force(force)) => repair(before, &self.policy, force, *now),
            _ => {
                let alarms = self.started_alarms(state);
                let outcomes = state.outcomes.iter().map(|outcome| (outcome.1.level, self.bucket(*outcome)));
                let evidence = evidence_as(self.mutant, before, &self.policy, *now, alarms, outcomes);
                decide_as(self.mutant, before, &self.policy, request, &evidence, *now)
            }
        };
        let Ok(decision) = decision else { return Phase::Ended(End::Failed("InvalidRequest")) };
        let before = before.clone();
        let evaluation = Evaluation::of(decision, before, *expected, &self.policy, request, &execution, *now);
        if evaluation.write.is_none() {
            return Phase::Ended(End::Nothing);
        }
        Phase::Decided(Told::new(evaluation))
    }

    fn started_alarms(&self, state: &State) -> u64 {
        let alarms = self.slots.iter().zip(&state.runs).filter(|(slot, run)| {
            matches!(slot.request, TransitionRequest::Alarm(_)) && !matches!(run.phase, Phase::Waiting)
        });
        alarms.count() as u64
    }

    /// Writes as `write-state` does, with this result.
    pub fn write(&self, state: &mut State, slot: usize, evaluation: Told<Evaluation>, fate: Fate) -> Option<()> {
        if fate == Fate::Busy {
            state.runs[slot].phase = Phase::Unsure(evaluation, Trouble::Conflict);
            return Some(());
        }
        let write = evaluation.write.as_ref()?;
        let mut puts = puts_as(self.mutant, write, evaluation.from);
        if self.mutant == Some(Mutant::RecordsApart) && fate == Fate::Killed {
            puts.truncate(1);
        }
        let written = state.table.transact(puts);
        if fate != Fate::Answered && written.is_err() {
            // Nothing has happened: the execution has stopped here, or has not gone on yet.
            return None;
        }
        if written.is_ok() {
            state.reached[usize::from(write.state.current_level.number() - 1)] = true;
            if self.remembers {
                let committed = Committed { write: write.clone(), decided_at: write.state.last_updated };
                state.history.push(Told::new(committed));
            }
        }
        state.runs[slot].phase = match (fate, written) {
            (Fate::Answered, Ok(())) => Phase::Ended(End::Wrote(evaluation)),
            (Fate::Answered, Err(failed)) => {
                let trouble = match write.refusal(&failed) {
                    Refusal::Conflict => Trouble::Conflict,
                    Refusal::Behind => Trouble::Behind,
                };
                Phase::Unsure(evaluation, trouble)
            }
            (Fate::Unanswered, _) => Phase::Unsure(evaluation, Trouble::Unanswered),
            (Fate::Busy, _) => return None,
            (Fate::Killed, _) => {
                state.runs[slot].kills += 1;
                Phase::Decided(evaluation)
            }
        };
        Some(())
    }

    /// Looks for the execution's own write as `write-state` does, and continues as the state machine does without one.
    pub fn prove(&self, state: &mut State, slot: usize, evaluation: Told<Evaluation>, trouble: Trouble) {
        let Some(write) = &evaluation.write else { return };
        let proof_key = proof_key_as(self.mutant, write);
        let proven = state.table.stamp_of(&proof_key).is_some_and(|stamp| write.is_proven_by(&stamp));
        let phase = match trouble {
            _ if proven => Phase::Ended(End::Wrote(evaluation)),
            Trouble::Behind | Trouble::Unanswered => Phase::Ended(End::Failed("StateUnavailable")),
            Trouble::Conflict => {
                let run = &mut state.runs[slot];
                run.conflicts += 1;
                run.kills = 0;
                if evaluation.outcome == Outcome::Record && !self.slots[slot].request.is_command() {
                    Phase::Ended(End::Nothing)
                } else if run.conflicts <= MAX_CONFLICTS {
                    self.read(state, slot)
                } else {
                    Phase::Ended(End::Failed("StateConflict"))
                }
            }
        };
        state.runs[slot].phase = phase;
    }

    /// Takes the next step at once. No other execution may act in between.
    pub fn go_on(&self, state: &mut State, slot: usize) {
        match state.runs[slot].phase.clone() {
            Phase::Read(base) => state.runs[slot].phase = self.decide(state, slot, &base),
            Phase::Unsure(evaluation, trouble) => {
                self.prove(state, slot, evaluation, trouble);
                self.go_on(state, slot);
            }
            _ => {}
        }
    }
}
