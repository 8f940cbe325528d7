//! The checked world: a table, executions that race for it, traffic, and a clock.

use breaker::contract::Evaluation;
use breaker::{Bucket, Expected, Level, Policy, StateWrite, SystemState, TransitionRequest};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::common::{at, bucket};
use crate::rules::Mutant;
use crate::table::{Table, Told};

/// Number of retries of a task that was killed.
const MAX_KILLS: u8 = 1;

/// An event that must be possible, by its name.
pub type Sight = (&'static str, fn(&World, &State) -> bool);

/// The limits of a world: its executions, traffic, faults and duration.
#[derive(Clone, Debug)]
pub struct World {
    pub policy: Policy,
    /// The seconds at which the clock stops. The last one ends the world.
    pub seconds: Vec<i64>,
    /// The executions that may start, each at any time or never.
    pub slots: Vec<Slot>,
    pub starts: Vec<State>,
    /// The bursts that traffic may consist of, each at most once a second.
    pub bursts: Vec<Burst>,
    /// Maximum number of bursts.
    pub most_bursts: usize,
    pub steps: Steps,
    /// Whether the history of writes is kept, for the properties that need it.
    pub remembers: bool,
    /// Whether the state item may be deleted, once.
    pub accident: bool,
    /// Events that must be possible in this world. Without them a property could hold only because nothing happens.
    pub shows: &'static [Sight],
    pub mutant: Option<Mutant>,
}

/// How much of an execution happens in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Other executions can act between an evaluation and its write.
    Coarse,
    /// Other executions can also act between reading the state and deciding, and between a refused write and the search
    /// for the execution's own write.
    Fine,
}

/// An execution that may be started.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Name of the execution, and its ARN unless it shares an ARN.
    pub name: String,
    pub arn: String,
    pub request: TransitionRequest,
    /// Whether a new execution may start each time that the clock moves. An old one that has not ended is then stopped,
    /// as by the state machine's timeout.
    pub repeats: bool,
    /// Whether the clock waits until the execution has ended.
    pub fair: bool,
    /// Whether replies to its writes can be lost, and its tasks can die after writing. Executions that stop at another
    /// point need no setting: the checker explores all of them anyway.
    pub faulty: bool,
}

/// Five equal outcomes at a level within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Burst {
    pub level: Level,
    pub outcome: BurstOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BurstOutcome {
    Successes,
    Failures,
    /// Probes that the level refuses.
    Refusals,
}

impl Burst {
    /// Returns the bucket of the burst in this second.
    fn bucket(self, second: i64) -> Bucket {
        match self.outcome {
            BurstOutcome::Successes => bucket(second, 5, 0),
            BurstOutcome::Failures => bucket(second, 0, 5),
            BurstOutcome::Refusals => Bucket { refused: 5, ..bucket(second, 0, 0) },
        }
    }
}

/// The traffic of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Any of the world's bursts, at any time.
    Free,
    /// Five successes at the current level each time that the clock moves, and five probes if the level is probed.
    Good,
    /// Failures at levels 1 and 2.
    FailingAboveMaintenance,
    /// Successes at the current level. Each better level refuses its probes.
    RefusingProbes,
}

/// A state of the world.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct State {
    pub tick: usize,
    pub table: Table,
    pub runs: Vec<Run>,
    pub traffic: Traffic,
    /// All outcomes so far, by the number of the second.
    pub outcomes: Vec<(usize, Burst)>,
    /// The state that was stored at the start.
    pub origin: Option<Told<SystemState>>,
    /// All writes since the start. Only the properties read them.
    pub history: Vec<Told<Committed>>,
    /// Whether each level was current since the start. Only the properties read it.
    pub reached: [bool; 3],
    pub lost: bool,
}

/// A transaction that happened.
#[derive(Debug, Serialize)]
pub struct Committed {
    pub write: StateWrite,
    pub decided_at: Timestamp,
}

/// The progress of an execution.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Run {
    pub phase: Phase,
    pub conflicts: u8,
    pub kills: u8,
    pub started: usize,
}

/// The next step of an execution.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Phase {
    /// Starts: reads the state.
    Waiting,
    /// Reads the command's record and the evidence, and decides.
    Read(Told<Base>),
    /// Writes.
    Decided(Told<Evaluation>),
    /// Checks whether the write was carried out although it was refused.
    Unsure(Told<Evaluation>, Trouble),
    /// No next step.
    Ended(End),
}

/// The state that an evaluation starts from.
#[derive(Debug, Serialize)]
pub struct Base {
    pub state: SystemState,
    pub expected: Expected,
    pub now: Timestamp,
}

/// The reason why a write did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    Conflict,
    Behind,
    Unanswered,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum End {
    Nothing,
    Wrote(Told<Evaluation>),
    Failed(&'static str),
}

/// The result of a task that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// The transaction is carried out, and its reply is lost.
    Unanswered,
    /// The task dies after the transaction; the state machine runs it again.
    Killed,
    /// Another transaction is writing an item, so nothing is written, whatever the conditions say.
    Busy,
}

/// An action of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    Outcomes(Burst),
    Read(usize),
    Decide(usize),
    Write(usize, Fate),
    Prove(usize),
    LoseState,
}

impl State {
    /// Returns a world with this table, in which no execution has begun.
    pub fn new(table: Table, slots: usize) -> Self {
        let run = Run { phase: Phase::Waiting, conflicts: 0, kills: 0, started: 0 };
        Self {
            tick: 0,
            origin: table.state().cloned().map(Told::new),
            table,
            runs: vec![run; slots],
            traffic: Traffic::Free,
            outcomes: Vec::new(),
            history: Vec::new(),
            reached: [false; 3],
            lost: false,
        }
    }

    /// The level that requests are routed to.
    pub fn level(&self) -> Level {
        self.table.state().map_or(Level::Full, |state| state.current_level)
    }

    /// Whether the execution ended with success: it wrote, or had nothing to write.
    pub fn has_ended(&self, slot: usize) -> bool {
        matches!(self.runs[slot].phase, Phase::Ended(End::Nothing | End::Wrote(_)))
    }
}

impl World {
    /// Returns the time of the executions: the middle of a second, so that half of it is past.
    pub fn now(&self, tick: usize) -> Timestamp {
        at(self.seconds[tick]) + SignedDuration::from_millis(500)
    }

    /// Returns the bucket of a burst's outcomes.
    pub fn bucket(&self, (tick, burst): (usize, Burst)) -> Bucket {
        burst.bucket(self.seconds[tick])
    }

    pub fn tick(&self, state: &mut State) {
        state.tick += 1;
        for (slot, run) in self.slots.iter().zip(&mut state.runs) {
            if slot.repeats {
                *run = Run { phase: Phase::Waiting, conflicts: 0, kills: 0, started: state.tick };
            }
        }
        let level = state.level();
        let (answered, probed_as) = match state.traffic {
            Traffic::FailingAboveMaintenance if level == Level::Maintenance => {
                (BurstOutcome::Successes, BurstOutcome::Failures)
            }
            Traffic::FailingAboveMaintenance => (BurstOutcome::Failures, BurstOutcome::Failures),
            Traffic::RefusingProbes => (BurstOutcome::Successes, BurstOutcome::Refusals),
            Traffic::Good | Traffic::Free => (BurstOutcome::Successes, BurstOutcome::Successes),
        };
        if state.traffic != Traffic::Free {
            state.outcomes.push((state.tick, Burst { level, outcome: answered }));
            let probing = state.table.state().filter(|stored| stored.active_probing(self.now(state.tick)).is_some());
            let probed = probing.and_then(|stored| stored.current_level.better());
            state.outcomes.extend(probed.map(|level| (state.tick, Burst { level, outcome: probed_as })));
        }
    }

    /// Whether an execution may start. Of executions with equal requests the first one starts first, because exchanging
    /// them changes nothing.
    fn may_start(&self, state: &State, slot: usize) -> bool {
        let Some(before) = slot.checked_sub(1) else { return true };
        let alike = |one: &Slot, other: &Slot| one.request == other.request && !one.repeats && !other.repeats;
        !alike(&self.slots[before], &self.slots[slot]) || !matches!(state.runs[before].phase, Phase::Waiting)
    }

    pub fn steps(&self, state: &State, slot: usize, actions: &mut Vec<Action>) {
        let run = &state.runs[slot];
        match &run.phase {
            Phase::Waiting if self.may_start(state, slot) => actions.push(Action::Read(slot)),
            Phase::Read(_) => actions.push(Action::Decide(slot)),
            Phase::Decided(_) => {
                actions.push(Action::Write(slot, Fate::Answered));
                if self.slots[slot].faulty {
                    actions.push(Action::Write(slot, Fate::Unanswered));
                    // Once is enough: a second conflict leads to the same steps.
                    if run.conflicts == 0 {
                        actions.push(Action::Write(slot, Fate::Busy));
                    }
                    if run.kills < MAX_KILLS {
                        actions.push(Action::Write(slot, Fate::Killed));
                    }
                }
            }
            Phase::Unsure(..) => actions.push(Action::Prove(slot)),
            Phase::Waiting | Phase::Ended(_) => {}
        }
    }
}
