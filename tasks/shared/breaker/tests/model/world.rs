//! The world that is checked: a table, executions that race for it, traffic, and a clock.

use breaker::contract::Evaluation;
use breaker::{Bucket, Expected, Level, Policy, StateWrite, SystemState, TransitionRequest};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::common::{at, bucket};
use crate::rules::Mutant;
use crate::table::{Table, Told};

/// How often the state machine tries a task again that was killed.
const MAX_KILLS: u8 = 1;

/// Something that must be possible, by its name.
pub type Sight = (&'static str, fn(&World, &State) -> bool);

/// What may happen, and to whom.
#[derive(Clone, Debug)]
pub struct World {
    pub policy: Policy,
    /// The seconds at which the clock stops, the last of them the horizon.
    pub seconds: Vec<i64>,
    /// The executions that may be started, each at any time or never.
    pub slots: Vec<Slot>,
    pub starts: Vec<State>,
    /// What traffic may do in a second, at most once in it.
    pub bursts: Vec<Burst>,
    /// How often it may.
    pub most_bursts: usize,
    pub steps: Steps,
    /// Whether what was written is remembered, for the properties that are about it.
    pub remembers: bool,
    /// Whether the state item may be deleted, once.
    pub accident: bool,
    /// What must be possible in it, so that nothing holds only because nothing happens.
    pub shows: &'static [Sight],
    pub mutant: Option<Mutant>,
}

/// How much of an execution happens at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Others come in between an evaluation and a write.
    Coarse,
    /// Others come in between reading the state and deciding too, and between a refused write and the
    /// look for its own write.
    Fine,
}

/// An execution that may be started.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its name, and its ARN unless it shares one.
    pub name: String,
    pub arn: String,
    pub request: TransitionRequest,
    /// Whether a new one may be started each time that the clock moves. The old one, if it has not
    /// ended, is over then, as by the state machine's time limit.
    pub repeats: bool,
    /// Whether the clock waits until it has ended.
    pub fair: bool,
    /// Whether its writes lose their answers, and its tasks die after writing. An execution that is
    /// cut short otherwise is one that is not gone on with: the checker looks at all of those anyway.
    pub faulty: bool,
}

/// Five outcomes alike at a level within a second.
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
    /// The bucket that it makes in the second.
    fn bucket(self, second: i64) -> Bucket {
        match self.outcome {
            BurstOutcome::Successes => bucket(second, 5, 0),
            BurstOutcome::Failures => bucket(second, 0, 5),
            BurstOutcome::Refusals => Bucket { refused: 5, ..bucket(second, 0, 0) },
        }
    }
}

/// What the traffic does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Any of the world's bursts, at any time.
    Free,
    /// Five successes each time that the clock moves, at whatever level is current, and five probes where any are
    /// sent.
    Good,
    /// Failures at levels 1 and 2.
    FailingAboveMaintenance,
    /// Successes at whatever level is current; each better level refuses its probes.
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
    /// All that was written since. A ghost: nothing reads it but the properties.
    pub history: Vec<Told<Committed>>,
    /// Whether the levels have been current since the start. A ghost too.
    pub reached: [bool; 3],
    pub lost: bool,
}

/// A transaction that happened.
#[derive(Debug, Serialize)]
pub struct Committed {
    pub write: StateWrite,
    pub decided_at: Timestamp,
}

/// How far an execution has come.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Run {
    pub phase: Phase,
    pub conflicts: u8,
    pub kills: u8,
    pub started: usize,
}

/// The next thing that an execution does.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Phase {
    /// To be started: reads the state.
    Waiting,
    /// Reads the command's record and the evidence, and decides.
    Read(Told<Base>),
    /// Writes.
    Decided(Told<Evaluation>),
    /// Looks whether the write was carried out after all.
    Unsure(Told<Evaluation>, Trouble),
    /// Nothing.
    Ended(End),
}

/// Where an evaluation starts from.
#[derive(Debug, Serialize)]
pub struct Base {
    pub state: SystemState,
    pub expected: Expected,
    pub now: Timestamp,
}

/// Why a write was not answered with success.
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

/// What becomes of a task that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// The transaction is carried out, and the answer is lost.
    Unanswered,
    /// The task dies after the transaction; the state machine runs it again.
    Killed,
    /// Another transaction is at an item, whatever the conditions say: nothing is written.
    Busy,
}

/// What happens next.
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

    /// The execution has ended by doing its work, or by finding that there was none.
    pub fn has_ended(&self, slot: usize) -> bool {
        matches!(self.runs[slot].phase, Phase::Ended(End::Nothing | End::Wrote(_)))
    }
}

impl World {
    /// The moment of the executions: in the middle of a second, so that part of it is past.
    pub fn now(&self, tick: usize) -> Timestamp {
        at(self.seconds[tick]) + SignedDuration::from_millis(500)
    }

    /// Where the outcomes of a burst are.
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

    /// Whether an execution may start: of executions that ask for the same, the first one first,
    /// because which of them is which makes no difference.
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
                    // Once is enough: for later executions a second time is no different.
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
