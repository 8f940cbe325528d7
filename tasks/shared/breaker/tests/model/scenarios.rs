//! The checked worlds. Each is small and has one kind of fault.

use breaker::contract::{Evaluation, Execution};
use breaker::{
    Evidence, Expected, ForceRequest, Level, Mode, Policy, PolicySettings, RecoveryBackoff, ReleaseRequest,
    SystemState, TransitionRequest, decide,
};
use jiff::SignedDuration;

use crate::common::{alarm, at, force, force_request, policy, release, schedule};
use crate::properties::{
    FAILS_WHILE_LOST, FALLS_IN_RAMP, FALLS_TO_3, FIRST_START, IDLE, KNOWS_ITS_OWN, MEETS_EPOCH, MEETS_HOLD, PREVENTS,
    PROBED, RECOVERS_TO_1, REFUSED, REFUSES_HOLD, RELAPSES, RELEASES, REPAIRS, WINS_AFTER_LOSING,
};
use crate::rules::{expected_of, puts_as};
use crate::table::Table;
use crate::world::{Burst, BurstOutcome, Slot, State, Steps, Traffic, World};

pub const GOOD_1: Burst = Burst { level: Level::Full, outcome: BurstOutcome::Successes };
pub const FAILING_1: Burst = Burst { level: Level::Full, outcome: BurstOutcome::Failures };
pub const FAILING_2: Burst = Burst { level: Level::Degraded, outcome: BurstOutcome::Failures };
pub const GOOD_2: Burst = Burst { level: Level::Degraded, outcome: BurstOutcome::Successes };
pub const REFUSED_1: Burst = Burst { level: Level::Full, outcome: BurstOutcome::Refusals };
pub const GOOD_3: Burst = Burst { level: Level::Maintenance, outcome: BurstOutcome::Successes };

fn slot(name: &str, request: TransitionRequest) -> Slot {
    Slot { name: name.to_owned(), arn: name.to_owned(), request, repeats: false, fair: false, faulty: false }
}

/// An execution that runs a second time.
fn twin(slot: &Slot) -> Slot {
    slot.clone()
}

/// Another execution that was started under the same name.
fn namesake(slot: &Slot) -> Slot {
    Slot { arn: format!("{} again", slot.arn), ..slot.clone() }
}

/// An execution whose writes may lose their answers and whose tasks may die.
fn faulty(slot: Slot) -> Slot {
    Slot { faulty: true, ..slot }
}

fn expecting(epoch: u64, request: ForceRequest) -> TransitionRequest {
    TransitionRequest::Force(ForceRequest { expected_epoch: Some(epoch), ..request })
}

fn world(seconds: &[i64], slots: Vec<Slot>, tables: Vec<Table>, bursts: &[Burst], most_bursts: usize) -> World {
    let starts = tables.into_iter().map(|table| State::new(table, slots.len())).collect();
    World {
        policy: policy(),
        seconds: seconds.to_vec(),
        slots,
        starts,
        bursts: bursts.to_vec(),
        most_bursts,
        steps: Steps::Coarse,
        remembers: true,
        accident: false,
        shows: &[],
        mutant: None,
    }
}

/// A table on which the requests have been carried out, one each ten seconds, the last of them at
/// second -60.
fn table_after(requests: &[TransitionRequest]) -> Table {
    table_under(&policy(), requests)
}

fn table_under(policy: &Policy, requests: &[TransitionRequest]) -> Table {
    let mut table = Table::default();
    let first = [schedule()];
    let all: Vec<_> = first.iter().chain(requests).collect();
    for (left, request) in (1..).zip(all.iter().rev()).collect::<Vec<_>>().into_iter().rev() {
        let now = at(-50) - SignedDuration::from_secs(10 * left);
        let (state, expected) = table.state().map_or_else(
            || (SystemState::initial(policy, now), Expected::FirstStart),
            |state| (state.clone(), expected_of(state)),
        );
        let decision = decide(&state, policy, request, &Evidence::default(), now).unwrap();
        let name = format!("past-{left}");
        let execution = Execution { arn: name.clone(), name };
        let evaluation = Evaluation::of(decision, state, expected, policy, request, &execution, now);
        let write = evaluation.write.unwrap();
        table.transact(puts_as(None, &write, evaluation.from)).unwrap();
    }
    table
}

/// Alarms delivered twice, run twice, late or never, that race each other for the first start and for
/// later states. A look of the schedule asks for the same as an alarm.
pub fn races() -> World {
    let first = faulty(slot("alarm-1", alarm()));
    let slots = vec![twin(&first), first, faulty(slot("alarm-2", alarm()))];
    let tables = vec![Table::default(), table_after(&[]), table_after(&[force(2, None)])];
    let shows = &[FIRST_START, FALLS_TO_3, RECOVERS_TO_1, WINS_AFTER_LOSING, KNOWS_ITS_OWN];
    World { steps: Steps::Fine, shows, ..world(&[0, 20], slots, tables, &[FAILING_1, FAILING_2, GOOD_2, GOOD_3], 2) }
}

/// Operators who force, hold and release, one of them run twice, against an alarm.
pub fn operators() -> World {
    let hold = slot("hold-3", force(3, Some(1)));
    let slots = vec![
        twin(&hold),
        hold,
        slot("release", release()),
        slot("force-1", expecting(1, force_request(1, None))),
        slot("alarm", alarm()),
    ];
    let shows = &[PREVENTS, RELEASES, MEETS_EPOCH, WINS_AFTER_LOSING];
    World { shows, ..world(&[0, 20, 40, 61], slots, vec![table_after(&[])], &[FAILING_1, GOOD_3], 1) }
}

/// Operators who hold levels, and others who know of one of the holds or of none.
pub fn holds() -> World {
    let knowing = |hold: &str, request| {
        let expected_hold = Some(hold.to_owned());
        match request {
            TransitionRequest::Force(force) => TransitionRequest::Force(ForceRequest { expected_hold, ..force }),
            TransitionRequest::Release(release) => {
                TransitionRequest::Release(ReleaseRequest { expected_hold, ..release })
            }
            other => other,
        }
    };
    let slots = vec![
        slot("alice-3", force(3, Some(1))),
        slot("bob-1", knowing("alice-3", force(1, None))),
        slot("carol-2", knowing("none", force(2, Some(1)))),
        slot("release", knowing("alice-3", release())),
    ];
    let shows = &[MEETS_HOLD, REFUSES_HOLD];
    World { shows, steps: Steps::Fine, ..world(&[0, 20, 61], slots, vec![table_after(&[])], &[], 0) }
}

/// A fall, a recovery, a relapse and another recovery, with looks before and after each cooldown is over.
pub fn cooldowns() -> World {
    let look = Slot { repeats: true, ..slot("look", schedule()) };
    // The cooldown is over 30 s after the fall at 0.5, and 60 s after that at 42.5.
    let seconds = [0, 2, 14, 40, 42, 44, 75, 110];
    let bursts = [FAILING_1, FAILING_2, GOOD_2];
    World { shows: &[RELAPSES], ..world(&seconds, vec![look], vec![table_after(&[])], &bursts, 4) }
}

/// The state item deleted while executions are on their way, and two operators who repair it, one of
/// them twice under one name.
pub fn repairs() -> World {
    let repair = |level| TransitionRequest::Force(ForceRequest { repair: true, ..force_request(level, None) });
    let first = slot("repair-2", repair(2));
    let slots = vec![namesake(&first), faulty(first), slot("repair-3", repair(3)), faulty(slot("alarm", alarm()))];
    let shows = &[REPAIRS, FAILS_WHILE_LOST, WINS_AFTER_LOSING, KNOWS_ITS_OWN];
    let world = world(&[0, 20], slots, vec![table_after(&[])], &[GOOD_1, FAILING_1], 1);
    World { accident: true, shows, ..world }
}

/// The production preset with numbers that suit bursts of five: two of them prove a level, one lets it fall.
fn by_probes(mode: Mode, idle_seconds: i64) -> Policy {
    Policy::new(PolicySettings {
        mode,
        minimum_calls: 5,
        ramp_minimum_calls: 5,
        consecutive_failures: 0,
        slow_call_rate_percent: 0,
        probe_calls: 10,
        probe_idle_seconds: idle_seconds,
        ramp_seconds: 25,
        ..PolicySettings::production()
    })
    .unwrap()
}

/// Looks and an operator's hold, while level 1 is probed or takes over, well or failing.
pub fn probes() -> World {
    let policy = by_probes(Mode::Active, 45);
    let slots = vec![slot("look-1", schedule()), slot("look-2", schedule()), slot("hold-2", force(2, Some(1)))];
    let tables = vec![table_under(&policy, &[]), table_under(&policy, &[force(2, None)])];
    let shows = &[PROBED, IDLE, FALLS_IN_RAMP];
    let bursts = [FAILING_1, GOOD_1, GOOD_2];
    World { policy, shows, ..world(&[0, 15, 40, 60], slots, tables, &bursts, 3) }
}

/// Evaluations at any time, while level 1 refuses its probes, answers them, or gets none.
pub fn refusals() -> World {
    let settings = PolicySettings { probe_calls: 5, ..*by_probes(Mode::Active, 45).settings() };
    let policy = Policy::new(settings).unwrap();
    let slots = vec![slot("look-1", schedule()), slot("look-2", schedule())];
    let tables = vec![table_under(&policy, &[force(2, None)])];
    let bursts = [REFUSED_1, GOOD_1, GOOD_2];
    World { policy, shows: &[PROBED, IDLE, REFUSED], ..world(&[0, 15, 40, 60, 80], slots, tables, &bursts, 4) }
}

/// Automation that only observes, and an operator who moves the level.
pub fn observing() -> World {
    let policy = by_probes(Mode::ObserveOnly, 45);
    let slots = vec![
        faulty(slot("look", schedule())),
        slot("alarm", alarm()),
        slot("force-1", expecting(1, force_request(1, None))),
    ];
    let tables = vec![table_under(&policy, &[]), table_under(&policy, &[force(2, None)])];
    let shows = &[PREVENTS, MEETS_EPOCH];
    let bursts = [FAILING_1, FAILING_2, GOOD_1, GOOD_2];
    World { policy, shows, ..world(&[0, 20, 61], slots, tables, &bursts, 2) }
}

/// Fair looks a minute apart with recoveries that rest on probes, and traffic of one kind from each level.
pub fn looks_by_probes() -> World {
    let policy = by_probes(Mode::Active, 300);
    looks_of(&policy, 18, &[(0, None), (1, Some(1)), (2, None)], Vec::new())
}

/// Eight fair looks a minute apart, an alarm a minute that races them, and traffic of one kind from each level, after
/// none, one and two relapses.
pub fn looks() -> World {
    let hint = Slot { repeats: true, ..faulty(slot("alarm", alarm())) };
    World { steps: Steps::Fine, ..looks_of(&policy(), 8, &[(0, None), (1, Some(1)), (2, None)], vec![hint]) }
}

/// Enough fair looks for the longest cooldown, ten minutes for each level.
pub fn looks_after_many_relapses() -> World {
    looks_of(&policy(), 22, &[(5, None), (20, Some(1))], Vec::new())
}

fn looks_of(policy: &Policy, minutes: i64, pasts: &[(u32, Option<u32>)], mut slots: Vec<Slot>) -> World {
    let seconds: Vec<_> = (0..=minutes).map(|minute| 60 * minute).collect();
    slots.push(Slot { repeats: true, fair: true, ..slot("look", schedule()) });
    let mut starts = Vec::new();
    for level in 1..=3 {
        for (doublings, hold_minutes) in pasts.iter().copied() {
            let held = force(level, hold_minutes);
            let table = table_under(policy, &if level == 1 { vec![force(2, None), held] } else { vec![held] });
            for traffic in [Traffic::Good, Traffic::FailingAboveMaintenance, Traffic::RefusingProbes] {
                let backoff = RecoveryBackoff { doublings, recovered_at: None };
                let table = table.clone().with_state(|state| SystemState { backoff, ..state });
                starts.push(State { traffic, ..State::new(table, slots.len()) });
            }
        }
    }
    World { policy: *policy, starts, remembers: false, ..world(&seconds, slots, Vec::new(), &[], 0) }
}
