//! The world as the model checker sees it: the actions in each state, their effects, and the properties.

use stateright::{Model, Property};

use crate::properties;
use crate::world::{Action, Phase, State, Steps, Traffic, World};

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.starts.clone()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let looked = (0..self.slots.len()).all(|slot| !self.slots[slot].fair || state.has_ended(slot));
        if state.tick + 1 < self.seconds.len() && looked {
            actions.push(Action::Tick);
        }
        let quiet = state.outcomes.last().is_none_or(|(tick, _)| *tick < state.tick);
        if state.traffic == Traffic::Free && quiet && state.outcomes.len() < self.most_bursts {
            actions.extend(self.bursts.iter().copied().map(Action::Outcomes));
        }
        for slot in 0..self.slots.len() {
            self.steps(state, slot, actions);
        }
        if self.accident && !state.lost && state.table.state().is_some() {
            actions.push(Action::LoseState);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => self.tick(&mut state),
            Action::Outcomes(burst) => state.outcomes.push((state.tick, burst)),
            Action::Read(slot) => state.runs[slot].phase = self.read(last, slot),
            Action::LoseState => {
                state.lost = true;
                state.table.lose_state();
            }
            Action::Decide(slot) => {
                let Phase::Read(base) = &last.runs[slot].phase else { return None };
                state.runs[slot].phase = self.decide(last, slot, base);
            }
            Action::Write(slot, fate) => {
                let Phase::Decided(evaluation) = &last.runs[slot].phase else { return None };
                self.write(&mut state, slot, evaluation.clone(), fate)?;
            }
            Action::Prove(slot) => {
                let Phase::Unsure(evaluation, trouble) = &last.runs[slot].phase else { return None };
                self.prove(&mut state, slot, evaluation.clone(), *trouble);
            }
        }
        if let (Steps::Coarse, Action::Read(slot) | Action::Write(slot, _) | Action::Prove(slot)) = (self.steps, action)
        {
            self.go_on(&mut state, slot);
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
}
