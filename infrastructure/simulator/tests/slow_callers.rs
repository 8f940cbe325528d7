//! Callers of a level whose calls hang or start slowly.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{Level, PolicySettings};
use common::{contender, outage};
use simulator::{Event, Scenario, simulate};

/// Returns a scenario in which a fifth of level 1's calls hang from the beginning.
fn a_fifth_hangs(minutes: u32) -> Scenario {
    let hanging = Event {
        level: Level::Full,
        from_second: 0,
        until_second: minutes * 60,
        failure_percent: Some(0.0),
        failure_percent_at_end: None,
        hang_percent: 20.0,
        refuse_percent: 0.0,
        latency_factor: 1.0,
    };
    Scenario { minutes, events: vec![hanging], ..outage(20.0) }
}

#[test]
fn reads_do_not_wait_for_a_level_that_hangs() {
    for seed in 1..=3 {
        // One minute: before and during the fall. Thirty: with the probes of the level that hangs.
        for minutes in [1, 30] {
            let report = simulate(&a_fifth_hangs(minutes), &contender(PolicySettings::production()), seed);
            let wait = report.p99_read_wait_milliseconds;
            assert!(wait < 2_500, "{wait} ms of {minutes} min by seed {seed}");
        }
    }
}

#[test]
fn without_a_read_timeout_reads_wait_for_the_services() {
    let mut patient = contender(PolicySettings::production());
    patient.read_timeout = None;
    let report = simulate(&a_fifth_hangs(1), &patient, 1);
    assert!(report.p99_read_wait_milliseconds >= 5_000, "{} ms", report.p99_read_wait_milliseconds);
}

#[test]
fn cold_starts_of_a_twentieth_make_no_level_fall() {
    for requests_per_second in [20.0, 200.0] {
        let mut scenario = Scenario { minutes: 60, events: Vec::new(), ..outage(requests_per_second) };
        scenario.level1.cold_start_percent = 5.0;
        scenario.level1.cold_start_milliseconds = 4_000.0;
        for seed in 1..=3 {
            let report = simulate(&scenario, &contender(PolicySettings::production()), seed);
            assert!(report.moves.is_empty(), "{requests_per_second}/s, seed {seed}: {:?}", report.moves);
            assert!(report.p99_read_wait_milliseconds < 2_500, "{} ms", report.p99_read_wait_milliseconds);
        }
    }
}
