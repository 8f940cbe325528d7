//! The properties, computed without the code under test: from the history of writes and from the real outcomes.

use breaker::{
    Cause, DRAWS, Fall, Level, RecoveryCause, StateWrite, StreakInstead, TransitionRequest, TripCause, route,
};
use jiff::{SignedDuration, Timestamp};
use stateright::{Model, Property};

use crate::moves::{Move, calls_and_errors, happened};
use crate::proof::{is_idle, is_proven};
use crate::table::Told;
use crate::world::{Committed, End, Phase, Run, Sight, State, Traffic, World};

pub const ONE_STATE_A_VERSION: &str = "a version is one state, and each write is one version on";
pub const ONE_RECORD_AN_EPOCH: &str = "each epoch has exactly one record, and none is overwritten";
pub const ONE_LEVEL_AT_A_TIME: &str = "automation moves by one level";
pub const NEVER_AGAINST_A_HOLD: &str = "automation never moves during a hold";
pub const EVIDENCE_OF_THE_EPOCH: &str = "automation moves only on enough outcomes since the counts began";
pub const WAITS_FOR_COOLDOWN: &str = "automation recovers only after the cooldown, doubled by each relapse";
pub const OBSERVES_ONLY: &str = "automation that only observes moves nothing";
pub const RAMPS: &str = "each recovery begins a ramp, and any other move ends it";
pub const ROUTES: &str = "only retryable requests go to the better level, and none during a hold or a ramp";
pub const STAYS_DOWN: &str = "no recovery leads to a level that fails its probes";
pub const STAYS_REFUSED: &str = "no recovery leads to a level that refuses its probes";
pub const COMMAND_ONCE: &str = "a command takes effect at most once";
pub const EXPECTED_EPOCH: &str = "a command that expects an epoch takes effect in no other";
pub const EXPECTED_HOLD: &str = "a command that expects a hold ends no other";
pub const CLAIMS_ARE_TRUE: &str = "an execution that reports a write made that write";
pub const WRITES_ARE_VALID: &str = "no write is refused as invalid";
pub const RECOVERS: &str = "good traffic leads to level 1";
pub const STAYS_RECOVERED: &str = "good traffic is at level 1 at the horizon";
pub const GIVES_UP: &str = "failures at levels 1 and 2 lead to level 3";

pub const FIRST_START: Sight =
    ("the first start is written", |_, state| state.origin.is_none() && state.table.state().is_some());
pub const FALLS_TO_3: Sight = ("automation falls to level 3", |_, state| state.reached[1] && state.reached[2]);
pub const RECOVERS_TO_1: Sight = ("automation recovers to level 1", |_, state| {
    let recovers = |one: &Told<Committed>| one.write.transition.as_ref().is_some_and(|record| record.to < record.from);
    state.history.iter().any(recovers)
});
pub const RELAPSES: Sight = ("a second recovery follows a relapse", |_, state| {
    let recoveries = state.history.iter().filter(|one| {
        one.write.transition.as_ref().is_some_and(|record| record.to < record.from && one.write.command.is_none())
    });
    recoveries.count() == 2
});
pub const WINS_AFTER_LOSING: Sight =
    ("a lost race is evaluated again and won", |_, state| any_wrote(state, |run| run.conflicts > 0));
pub const KNOWS_ITS_OWN: Sight =
    ("a write whose task died is recognised by its execution", |_, state| any_wrote(state, |run| run.kills > 0));
pub const REFUSED: Sight = ("most probes are refused", |_, state| {
    let stored = state.table.state();
    stored.is_some_and(|state| state.probing.is_some_and(|probing| probing.refusing.is_some()))
});
pub const PREVENTS: Sight = ("a move is prevented", |_, state| {
    state.runs.iter().any(|run| matches!(&run.phase, Phase::Decided(evaluation) if evaluation.prevented.is_some()))
});
pub const PROBED: Sight =
    ("probes let automation recover", |_, state| recovered(state, |cause| matches!(cause, RecoveryCause::Probes(_))));
pub const IDLE: Sight = ("without probes the current level lets automation recover", |_, state| {
    recovered(state, |cause| match cause {
        RecoveryCause::Streak(streak) => matches!(streak.instead_of_probes, Some(StreakInstead::NoProbeSeen { .. })),
        RecoveryCause::Probes(_) => false,
    })
});
pub const FALLS_IN_RAMP: Sight = ("a level falls during its ramp", |_, state| {
    causes(state).any(|cause| match cause {
        Cause::Fall(Fall { trip: TripCause::FailureRate(rate), .. }) => rate.in_ramp,
        _ => false,
    })
});
pub const RELEASES: Sight = ("a hold is released", |_, state| any_command(state, "release"));
pub const MEETS_HOLD: Sight = ("the expected hold is met", |_, state| any_command(state, "bob-1"));
pub const REFUSES_HOLD: Sight = ("another hold than the expected one is in force", |_, state| {
    state.runs.iter().any(|run| run.phase == Phase::Ended(End::Failed("InvalidRequest")))
});
pub const MEETS_EPOCH: Sight = ("the expected epoch is met", |_, state| any_command(state, "force-1"));
pub const REPAIRS: Sight = ("a lost state is repaired", |_, state| state.lost && state.table.state().is_some());
pub const FAILS_WHILE_LOST: Sight = ("an evaluation fails while the state is lost", |_, state| {
    state.runs.iter().any(|run| matches!(run.phase, Phase::Ended(End::Failed("StateUnavailable"))))
});

/// The causes of the transitions.
fn causes(state: &State) -> impl Iterator<Item = &Cause> {
    let records = state.history.iter().filter_map(|one| one.write.transition.as_ref());
    records.filter_map(|record| record.cause.as_ref()?.known())
}

fn recovered(state: &State, by: fn(&RecoveryCause) -> bool) -> bool {
    causes(state).any(|cause| matches!(cause, Cause::Recovery(recovery) if by(recovery)))
}

fn any_wrote(state: &State, wanted: fn(&Run) -> bool) -> bool {
    state.runs.iter().any(|run| matches!(run.phase, Phase::Ended(End::Wrote(_))) && wanted(run))
}

fn any_command(state: &State, name: &str) -> bool {
    state.history.iter().any(|one| one.write.command.as_ref().is_some_and(|command| command.name == name))
}

/// The properties of a world.
pub fn of(world: &World) -> Vec<Property<World>> {
    let mut properties = vec![
        Property::always(ONE_STATE_A_VERSION, one_state_a_version),
        Property::always(ONE_RECORD_AN_EPOCH, one_record_an_epoch),
        Property::always(ONE_LEVEL_AT_A_TIME, |world, state| each_automatic_move(world, state, one_level)),
        Property::always(NEVER_AGAINST_A_HOLD, |world, state| each_automatic_move(world, state, not_held)),
        Property::always(EVIDENCE_OF_THE_EPOCH, |world, state| {
            each_automatic_move(world, state, |one| has_evidence(world, state, one))
        }),
        Property::always(WAITS_FOR_COOLDOWN, crate::cooldown::waits_for_cooldown),
        Property::always(OBSERVES_ONLY, |world, state| {
            each_automatic_move(world, state, |_| !world.policy.observes_only())
        }),
        Property::always(RAMPS, ramps),
        Property::always(ROUTES, routes),
        Property::always(COMMAND_ONCE, command_once),
        Property::always(EXPECTED_EPOCH, expected_epoch),
        Property::always(EXPECTED_HOLD, expected_hold),
        Property::always(CLAIMS_ARE_TRUE, claims_are_true),
        Property::always(WRITES_ARE_VALID, writes_are_valid),
    ];
    properties.extend(world.shows.iter().map(|(name, seen)| Property::sometimes(name, *seen)));
    if world.starts.iter().any(|start| start.traffic != Traffic::Free) {
        // Each holds at once for other traffic. For its own traffic the state keeps the result, so that a path that
        // joins another one has the same result.
        properties.extend([
            Property::eventually(RECOVERS, |_, state: &State| {
                state.traffic != Traffic::Good || state.level() == Level::Full || state.reached[0]
            }),
            Property::always(STAYS_RECOVERED, |world, state: &State| {
                state.traffic != Traffic::Good || !at_horizon(world, state) || state.level() == Level::Full
            }),
            Property::always(STAYS_DOWN, |world, state: &State| {
                let fails = state.traffic == Traffic::FailingAboveMaintenance && world.policy.recovers_by_probes();
                !fails || !state.reached[2] || state.level() == Level::Maintenance
            }),
            Property::always(STAYS_REFUSED, |world, state: &State| {
                let refuses = state.traffic == Traffic::RefusingProbes && world.policy.recovers_by_probes();
                !refuses || state.origin.as_ref().is_none_or(|origin| state.level() >= origin.current_level)
            }),
            Property::eventually(GIVES_UP, |_, state: &State| {
                state.traffic != Traffic::FailingAboveMaintenance || state.reached[2]
            }),
        ]);
    }
    properties
}

/// Whether no action is left.
fn at_horizon(world: &World, state: &State) -> bool {
    let mut actions = Vec::new();
    world.actions(state, &mut actions);
    actions.is_empty()
}

fn one_state_a_version(_: &World, state: &State) -> bool {
    let mut before = state.origin.as_ref().map_or((0, 0), |origin| (origin.version, origin.epoch));
    let mut known = vec![before];
    state.history.iter().all(|committed| {
        let write = &committed.write;
        let after = (write.state.version, write.state.epoch);
        let is_repair = write.command.as_ref().is_some_and(|command| command.request.repairs()) && state.lost;
        let epochs = u64::from(write.transition.is_some());
        // A repair cannot know the versions that left no record: the epoch distinguishes their states.
        let follows = after.1 == before.1 + epochs && (is_repair || after.0 == before.0 + 1);
        let is_new = !known.iter().any(|one| if state.lost { *one == after } else { one.0 == after.0 });
        known.push(after);
        before = after;
        follows && is_new
    })
}

fn one_record_an_epoch(_: &World, state: &State) -> bool {
    let written = state.history.last().map(|committed| committed.write.state.epoch);
    let origin = state.origin.as_ref().map(|origin| origin.epoch);
    let Some(newest) = state.table.state().map(|stored| stored.epoch).or(written).or(origin) else {
        return state.table.transitions() == 0;
    };
    let once = |epoch| state.table.transition(epoch).is_some_and(|(record, puts)| puts == 1 && record.epoch == epoch);
    let true_record = |committed: &Told<Committed>| {
        let (epoch, level) = (committed.write.state.epoch, committed.write.state.current_level);
        state.table.transition(epoch).is_some_and(|(record, _)| record.to == level)
    };
    (0..=newest).all(once)
        && state.table.transitions() as u64 == newest + 1
        && state.table.command_puts().all(|puts| puts == 1)
        && state.history.iter().all(true_record)
}

/// Whether all automatic moves pass.
fn each_automatic_move(world: &World, state: &State, passes: impl Fn(&Move<'_>) -> bool) -> bool {
    let cap = u64::from(world.policy.level_1_failures());
    let origin = state.origin.as_ref();
    let mut level = origin.map_or(Level::Full, |origin| origin.current_level);
    let mut counts_began = origin.map_or(Timestamp::MIN, |origin| origin.evidence_since);
    let mut held_until = origin.and_then(|origin| origin.hold.as_ref()).map(|hold| hold.expires_at);
    let mut carried = origin.map_or(0, |origin| origin.carried_failures);
    let mut moved_at = origin.map_or(Timestamp::MIN, |origin| origin.last_transition);
    let mut ramp_until = origin.and_then(|origin| origin.ramp).map(|ramp| ramp.until);
    state.history.iter().all(|committed| {
        let Committed { write, decided_at } = &**committed;
        let (from, to) = (level, write.state.current_level);
        let commanded = write.command.is_some();
        let ended = held_until.filter(|until| until <= decided_at).unwrap_or(Timestamp::MIN);
        let counted_from = counts_began.max(ended);
        let one = Move { committed, from, to, counts_began: counted_from, held_until, carried, moved_at, ramp_until };
        let is_fine = commanded || from == to || passes(&one);
        if from != to {
            moved_at = *decided_at;
        }
        if commanded || from != to {
            let ramp = world.policy.ramp().filter(|_| !commanded && to < from);
            ramp_until = ramp.map(|ramp| *decided_at + ramp);
            counts_began = *decided_at;
            held_until = write.command.as_ref().and_then(|command| hold_of(&command.request, *decided_at));
            carried = if !commanded && (from, to) == (Level::Full, Level::Degraded) { cap } else { 0 };
        }
        level = to;
        is_fine
    })
}

fn hold_of(request: &TransitionRequest, now: Timestamp) -> Option<Timestamp> {
    let TransitionRequest::Force(force) = request else { return None };
    force.hold_minutes.map(|minutes| now + SignedDuration::from_mins(minutes.into()))
}

fn one_level(one: &Move<'_>) -> bool {
    one.from.number().abs_diff(one.to.number()) == 1
}

fn not_held(one: &Move<'_>) -> bool {
    one.held_until.is_none_or(|until| until <= one.committed.decided_at)
}

fn has_evidence(world: &World, state: &State, one: &Move<'_>) -> bool {
    let enough = if one.to > one.from {
        fell_by_count(world, state, one) || fell_by_rate(world, state, one)
    } else if world.policy.recovers_by_probes() {
        is_proven(world, state, one) || is_idle(world, state, one) && has_streak(world, state, one)
    } else {
        has_streak(world, state, one)
    };
    let recorded = one.committed.write.transition.as_ref().and_then(|record| record.evidence);
    enough && recorded.is_none_or(|evidence| evidence.since >= one.counts_began)
}

fn fell_by_count(world: &World, state: &State, one: &Move<'_>) -> bool {
    let (_, errors) = calls_and_errors(&happened(world, state, one.from, one.counts_began, one));
    let threshold = match one.from {
        Level::Full => world.policy.level_1_failures(),
        _ => world.policy.level_2_failures(),
    };
    threshold > 0 && errors + one.carried >= threshold.into()
}

fn fell_by_rate(world: &World, state: &State, one: &Move<'_>) -> bool {
    let Some(percent) = world.policy.failure_rate_percent() else { return false };
    let now = one.committed.decided_at;
    let since = one.counts_began.max(now - world.policy.rate_window() - world.policy.settle());
    let (calls, errors) = calls_and_errors(&happened(world, state, one.from, since, one));
    let in_ramp = one.ramp_until.is_some_and(|until| now < until);
    let minimum = if in_ramp { world.policy.ramp_minimum_calls() } else { world.policy.minimum_calls() };
    calls >= minimum.into() && errors * 100 >= calls * u64::from(percent)
}

fn has_streak(world: &World, state: &State, one: &Move<'_>) -> bool {
    let buckets = happened(world, state, one.from, one.counts_began, one);
    let (calls, errors) = calls_and_errors(&buckets);
    let threshold = match one.from {
        Level::Maintenance => world.policy.level_3_successes(),
        _ => world.policy.level_2_successes(),
    };
    calls - errors >= threshold.into()
}

fn ramps(world: &World, state: &State) -> bool {
    state.history.iter().all(|committed| {
        let Committed { write, decided_at } = &**committed;
        let Some(record) = &write.transition else { return true };
        let recovers = write.command.is_none() && record.to < record.from;
        let ramp = world.policy.ramp().filter(|_| recovers).map(|ramp| (*decided_at, *decided_at + ramp));
        write.state.ramp.map(|ramp| (ramp.from, ramp.until)) == ramp
    })
}

fn routes(world: &World, state: &State) -> bool {
    let Some(stored) = state.table.state() else { return true };
    let now = world.now(state.tick);
    let held = stored.hold.as_ref().is_some_and(|hold| now < hold.expires_at);
    let ramping = stored.ramp.is_some_and(|ramp| now < ramp.until);
    let level = stored.current_level;
    [0, DRAWS / 2, DRAWS - 1].into_iter().all(|draw| {
        let (safe, unsafe_one) = (route(stored, draw, true, now), route(stored, draw, false, now));
        let probes = safe.probe && Some(safe.level) == level.better() && !held && !ramping;
        let stays = |to: Level| to == level || ramping && !held && Some(to) == level.worse();
        (probes || !safe.probe && stays(safe.level)) && !unsafe_one.probe && stays(unsafe_one.level)
    })
}

fn command_once(_: &World, state: &State) -> bool {
    let names: Vec<_> =
        state.history.iter().filter_map(|one| one.write.command.as_ref()).map(|one| &one.name).collect();
    names.iter().enumerate().all(|(place, name)| !names[..place].contains(name))
}

fn expected_epoch(_: &World, state: &State) -> bool {
    let mut epoch = state.origin.as_ref().map_or(0, |origin| origin.epoch);
    state.history.iter().all(|committed| {
        let command = committed.write.command.as_ref().map(|command| &command.request);
        let expected = match command {
            Some(TransitionRequest::Force(force)) => force.expected_epoch,
            Some(TransitionRequest::Release(release)) => release.expected_epoch,
            _ => None,
        };
        let met = expected.is_none_or(|expected| expected == epoch);
        epoch = committed.write.state.epoch;
        met
    })
}

fn expected_hold(_: &World, state: &State) -> bool {
    // The execution that set the hold, and the hold's end.
    let mut hold: Option<(String, Timestamp)> = None;
    state.history.iter().all(|committed| {
        let Committed { write, decided_at } = &**committed;
        let Some(request) = write.command.as_ref().map(|command| &command.request) else { return true };
        let in_force = hold.take().filter(|(_, until)| decided_at < until);
        let expected = match request {
            TransitionRequest::Force(force) => force.expected_hold.as_ref(),
            TransitionRequest::Release(release) => release.expected_hold.as_ref(),
            _ => None,
        };
        hold = hold_of(request, *decided_at).map(|until| (write.state.execution.clone(), until));
        expected.zip(in_force).is_none_or(|(expected, (set_by, _))| *expected == set_by)
    })
}

fn claims_are_true(world: &World, state: &State) -> bool {
    let mut claims = state.runs.iter().zip(&world.slots);
    !world.remembers
        || claims.all(|(run, slot)| {
            let Phase::Ended(End::Wrote(evaluation)) = &run.phase else { return true };
            let Some(claimed) = &evaluation.write else { return false };
            let runs_once = world.slots.iter().filter(|other| other.arn == slot.arn).count() == 1;
            let proves = |one: &StateWrite| match (&claimed.command, &claimed.transition) {
                _ if runs_once => one == claimed,
                // A write by one run of an execution counts for its other runs.
                (None, None) => true,
                _ => one.proof_key() == claimed.proof_key() && one.state.version == claimed.state.version,
            };
            let own = |one: &StateWrite| one.state.execution == claimed.state.execution;
            state.history.iter().any(|one| own(&one.write) && proves(&one.write))
        })
}

fn writes_are_valid(_: &World, state: &State) -> bool {
    state.runs.iter().all(|run| match &run.phase {
        Phase::Decided(evaluation) => evaluation.write.as_ref().is_none_or(|write| write.check().is_ok()),
        _ => true,
    })
}
