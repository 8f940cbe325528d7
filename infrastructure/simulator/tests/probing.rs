//! Checks recovery if probes are refused, and if probes hang.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{Level, PolicySettings};
use common::{contender, outage};
use simulator::{Event, Report, Scenario, simulate};

const MINUTES: u32 = 60;

/// Returns a scenario in which all calls of level 1 fail in the second minute, and `then` happens until minute 40.
fn after_an_outage(then: Event, requests_per_second: f64) -> Scenario {
    let failing = Event { from_second: 60, until_second: 120, failure_percent: Some(100.0), ..then };
    let failing = Event { refuse_percent: 0.0, hang_percent: 0.0, ..failing };
    let then = Event { from_second: 120, until_second: 2_400, ..then };
    let mut scenario =
        Scenario { minutes: MINUTES, safe_percent: 100.0, events: vec![failing, then], ..outage(requests_per_second) };
    (scenario.level1.failure_percent, scenario.level2.failure_percent) = (0.0, 0.0);
    scenario
}

fn well() -> Event {
    Event {
        level: Level::Full,
        from_second: 0,
        until_second: 1,
        failure_percent: Some(0.0),
        failure_percent_at_end: None,
        hang_percent: 0.0,
        refuse_percent: 0.0,
        latency_factor: 1.0,
    }
}

fn settings() -> PolicySettings {
    PolicySettings { probe_idle_seconds: 40, cooldown_seconds: 5, ..PolicySettings::production() }
}

/// Returns the seconds at which the level returned to 1.
fn recoveries(report: &Report) -> Vec<f64> {
    report.moves.iter().filter(|step| step.to == Level::Full).map(|step| step.second).collect()
}

#[test]
fn a_level_that_refuses_every_probe_does_not_recover() {
    for (requests_per_second, seed) in [(4.0, 1), (4.0, 2), (0.5, 3), (40.0, 4)] {
        let scenario = after_an_outage(Event { refuse_percent: 100.0, ..well() }, requests_per_second);
        let report = simulate(&scenario, &contender(settings()), seed);
        let recovered = recoveries(&report);
        assert!(recovered[0] > 2_400.0, "{:?}", report.moves);
        assert!(recovered.len() == 1 && recovered[0] < 2_400.0 + 240.0, "{:?}", report.moves);
        assert!(report.refused_probes > 100, "{}", report.refused_probes);
        assert_eq!(report.refused, 0, "no caller was refused");
    }
}

#[test]
fn a_level_that_refuses_most_callers_is_not_restored() {
    for seed in 1..=10 {
        let scenario = after_an_outage(Event { refuse_percent: 75.0, ..well() }, 4.0);
        let report = simulate(&scenario, &contender(PolicySettings::production()), seed);
        assert!(recoveries(&report)[0] > 2_400.0, "{:?}", report.moves);
    }
}

#[test]
fn a_level_that_refuses_a_few_callers_is_restored() {
    for seed in 1..=10 {
        let scenario = after_an_outage(Event { refuse_percent: 20.0, ..well() }, 4.0);
        let report = simulate(&scenario, &contender(PolicySettings::production()), seed);
        assert!(recoveries(&report)[0] < 360.0, "{:?}", report.moves);
        assert!(report.refused_probes > 0);
    }
}

#[test]
fn probes_that_hang_take_a_tenth_of_the_time() {
    let hanging = Event { from_second: 60, until_second: 2_400, hang_percent: 100.0, ..well() };
    let scenario = Scenario { events: vec![hanging], ..after_an_outage(well(), 1.5) };
    let report = simulate(&scenario, &contender(PolicySettings::production()), 1);
    assert!(recoveries(&report)[0] > 2_400.0, "{:?}", report.moves);
    // One controller, whose probes take 1.5 s.
    let seconds = report.failed_probes * 3 / 2;
    assert!((150..=2_340 / 10).contains(&seconds), "{seconds} s");
}
