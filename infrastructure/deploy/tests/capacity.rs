//! The arithmetic of concurrent executions: it holds in a simulation of callers, follows the account's limit in one
//! direction, and derives nothing if nothing holds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use deploy::capacity::{Capacity, FullService, HEALTHY_MS, SAMPLE_TIMEOUT_MS, Situation, UNRESERVED, Wish, capacity};
use proptest::prelude::*;

const fn open(value: u32) -> Wish {
    Wish { value, set: false }
}

const fn set(value: u32) -> Wish {
    Wish { value, set: true }
}

/// The defaults of a file, in an account with so many executions.
const fn usual(available: u64) -> Situation {
    Situation {
        available,
        rate: open(100),
        burst: open(200),
        status_rate: 10,
        status_burst: 20,
        control_plane: open(0),
        full: FullService::Sample { cap: open(0) },
        wait_ms: 5_000,
        timeout_ms: SAMPLE_TIMEOUT_MS,
        degraded: 0,
        maintenance: 0,
    }
}

#[test]
fn an_account_of_a_thousand_keeps_the_default_rate() {
    let found = capacity(&usual(1_000));
    assert!(found.holds && found.needed <= 1_000, "{found:?}");
    assert_eq!((found.requests_per_second, found.burst), (100, 140));
    assert_eq!((found.control_plane_concurrency, found.full_concurrency), (4, 165));
    let derived: Vec<_> = found.derived.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(derived, ["api.burst", "limits.full_concurrency", "limits.control_plane_concurrency"]);
}

/// Lambda keeps 100 executions unreserved, so an account of 100 can reserve none.
#[test]
fn an_account_of_a_hundred_lowers_its_throttle() {
    let found = capacity(&usual(100));
    assert!(found.holds, "{found:?}");
    assert_eq!((found.control_plane_concurrency, found.level_1_cap), (0, None));
    assert_eq!((found.requests_per_second, found.burst), (2, 2), "as the page says");
}

#[test]
fn the_rate_is_kept_before_the_burst() {
    let found = capacity(&usual(500));
    assert_eq!((found.requests_per_second, found.burst, found.holds), (100, 57, true), "{found:?}");
    let found = capacity(&Situation { rate: set(300), ..usual(1_000) });
    assert!(found.holds && found.burst >= 50, "{found:?}");
}

/// Another team reserves one execution, or ten.
#[test]
fn a_small_reservation_elsewhere_changes_nothing() {
    let values = |available| {
        let Capacity { requests_per_second, burst, full_concurrency, control_plane_concurrency, .. } =
            capacity(&usual(available));
        (requests_per_second, burst, full_concurrency, control_plane_concurrency)
    };
    assert_eq!(values(1_000), values(999));
    assert_eq!(values(1_000), values(990));
}

#[test]
fn nothing_is_derived_if_nothing_holds() {
    for situation in [usual(10), Situation { rate: set(1_000), burst: set(2_000), ..usual(1_000) }] {
        let found = capacity(&situation);
        assert!(!found.holds && found.derived.is_empty(), "{found:?}");
        assert_eq!((found.requests_per_second, found.burst), (situation.rate.value, situation.burst.value));
        let warnings = deploy::capacity::warnings(&found);
        let enough = found.would_hold_with.unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains(&format!("would hold with {enough}.")), "{warnings:?}");
        let (rate, burst) = (set(found.requests_per_second), set(found.burst));
        let holds = |available| capacity(&Situation { available, rate, burst, ..situation }).holds;
        assert!(holds(enough) && !holds(enough - 1), "{found:?}");
    }
}

#[test]
fn what_the_file_sets_wins_and_is_warned_of() {
    let full = FullService::Sample { cap: set(20) };
    let capped = capacity(&Situation { full, ..usual(1_000) });
    assert!(capped.holds && capped.healthy_level_1 <= 20, "the throttle follows the cap: {capped:?}");
    let none = capacity(&Situation { full: FullService::Sample { cap: set(0) }, ..usual(1_000) });
    assert!(none.level_1_cap.is_none() && none.holds && none.requests_per_second < 100, "{none:?}");

    let found = capacity(&Situation { full, rate: set(100), degraded: 20, ..usual(1_000) });
    assert!(!found.holds && found.would_hold_with.is_none(), "{found:?}");
    let warnings = deploy::capacity::warnings(&found);
    assert!(warnings.len() == 1, "{warnings:?}");
    for text in [
        format!("limits.full_concurrency is 20, and a healthy level 1 needs {}", found.healthy_level_1),
        format!("limits.degraded_concurrency is 20, and level 2 needs {}", found.controllers),
    ] {
        assert!(warnings[0].contains(&text), "no {text} in {warnings:?}");
    }
}

#[test]
fn a_lowered_throttle_is_a_warning() {
    let found = capacity(&usual(100));
    let warnings = deploy::capacity::warnings(&found);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("api.requests_per_second is lowered from 100 (the default) to 2"), "{warnings:?}");
    assert!(warnings[1].contains("Set api.burst in the file"), "{warnings:?}");
    assert!(deploy::capacity::warnings(&capacity(&usual(2_000))).is_empty());
}

#[test]
fn every_number_of_the_sum_is_shown() {
    let found = capacity(&usual(1_000));
    let shown: Vec<_> = deploy::capacity::lines(&found).iter().map(operate::terminal::Line::text).collect();
    let shown = shown.join("\n");
    println!("{shown}");
    for number in [found.others, found.control_plane, found.status, found.level_1, found.controllers, found.needed] {
        assert!(shown.contains(&format!(" {number}  ")), "no {number} in:\n{shown}");
    }
    let sum = found.others + found.control_plane + found.status + found.level_1 + found.controllers + found.level_2;
    assert_eq!(sum, found.needed);
}

/// The table "What to set" of the page: rate, burst, limits of levels 1 and 2, and the quota that they need.
#[test]
fn the_values_of_the_cost_page_hold() {
    let page = include_str!("../../docs/cost.md");
    for (rate, burst) in [(100, 100), (2_000, 400), (10_000, 1_000)] {
        let asked = Situation { rate: set(rate), burst: set(burst), ..usual(1_000_000) };
        let found = capacity(&asked);
        let enough = capacity(&Situation { available: 0, ..asked }).would_hold_with.unwrap();
        let (cap, controllers) = (found.full_concurrency, found.controllers);
        println!("{rate}/{burst}: level 1 {cap}, controllers {controllers}, of {enough}: {found:?}");
        let full = FullService::Sample { cap: set(cap) };
        let capped = Situation { full, degraded: controllers, available: enough, ..asked };
        assert!(capacity(&capped).holds && page.contains(&format!(" {cap} |")), "no {cap}");
        assert!(page.contains(&format!(" {controllers} |")), "no {controllers}");
    }
    let prod = capacity(&Situation { rate: set(1_000), burst: set(200), ..usual(1_000) });
    println!("prod.toml: {:?}", prod.would_hold_with);
}

fn wish(values: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = Wish> {
    (values, any::<bool>()).prop_map(|(value, set)| Wish { value, set })
}

fn full() -> impl Strategy<Value = FullService> {
    prop_oneof![
        3 => wish(0..=300).prop_map(|cap| FullService::Sample { cap }),
        1 => proptest::option::of(1_u64..300).prop_map(|reserved| FullService::Own { reserved }),
    ]
}

prop_compose! {
    fn situation()(
        available in 1_u64..4_000, rate in wish(1..=1_000), burst in wish(1..=1_000), control_plane in wish(0..=10),
        full in full(), wait_ms in 100_u64..14_000, timeout_ms in 1_000_u64..30_000,
        degraded in prop_oneof![Just(0_u64), 1_u64..200], maintenance in prop_oneof![Just(0_u64), 1_u64..200],
    ) -> Situation {
        // The event source needs two executions of the alarm processor.
        let control_plane = Wish { value: if control_plane.value == 1 { 2 } else { control_plane.value }, ..control_plane };
        Situation {
            rate, burst, control_plane, full, wait_ms, timeout_ms, degraded, maintenance, ..usual(available)
        }
    }
}

proptest! {
    #[test]
    fn a_choice_keeps_the_file_and_is_never_nothing(situation in situation()) {
        let found = capacity(&situation);
        prop_assert!(found.requests_per_second >= 1 && found.burst >= 1);
        prop_assert!(found.requests_per_second <= situation.rate.value && found.burst <= situation.burst.value);
        prop_assert!(found.level_1_cap != Some(0));
        for (wish, value) in [
            (situation.rate, found.requests_per_second),
            (situation.burst, found.burst),
            (situation.control_plane, found.control_plane_concurrency),
        ] {
            prop_assert!(!wish.set || wish.value == value, "{wish:?} became {value}");
        }
        if let FullService::Sample { cap } = situation.full {
            prop_assert!(!cap.set || cap.value == found.full_concurrency);
        }
        if found.holds {
            let reserved = 4 * u64::from(found.control_plane_concurrency) + u64::from(found.full_concurrency)
                + situation.degraded + situation.maintenance;
            prop_assert!(reserved == 0 || reserved + UNRESERVED <= situation.available);
            prop_assert!(found.needed <= situation.available);
        }
        let mut again = situation;
        again.rate = set(found.requests_per_second);
        again.burst = set(found.burst);
        prop_assert_eq!(capacity(&again).holds, found.holds, "the choice holds by itself");
        prop_assert!(found.holds || found.derived.is_empty(), "nothing is derived if nothing holds");
        prop_assert!(!found.holds || found.level_2 >= found.controllers);
    }

    #[test]
    fn no_larger_throttle_holds(situation in situation(), other_burst in 1_u32..=1_000) {
        let found = capacity(&situation);
        let (rate, burst) = (found.requests_per_second, found.burst);
        let holds = |rate, burst| capacity(&Situation { rate: set(rate), burst: set(burst), ..situation }).holds;
        let rates = above(situation.rate, if found.holds { rate } else { 0 });
        for rate in rates {
            let bursts = if situation.burst.set { vec![burst] } else { vec![1, other_burst.min(situation.burst.value)] };
            for burst in bursts {
                prop_assert!(!holds(rate, burst), "{rate} and {burst} hold, too: {found:?}");
            }
        }
        for burst in above(situation.burst, burst) {
            prop_assert!(!holds(rate, burst), "{rate} and {burst} hold, too: {found:?}");
        }
    }

    #[test]
    fn more_executions_never_lower_the_throttle(situation in situation(), more in 0_u64..1_000) {
        let (small, large) = (capacity(&situation), capacity(&Situation { available: situation.available + more, ..situation }));
        let throttle = |found: &Capacity| (found.requests_per_second, found.burst);
        prop_assert!(!small.holds || large.holds && throttle(&large) >= throttle(&small), "{small:?} {large:?}");
    }

    #[test]
    fn callers_are_never_more_than_was_counted(situation in situation(), seed: u64) {
        let found = capacity(&situation);
        let most = simulate(&situation, &found, seed);
        if found.level_1 > 0 {
            prop_assert!(most.level_1 <= found.level_1, "{most:?} {found:?}");
        }
        prop_assert!(most.controllers <= found.controllers, "{most:?} {found:?}");
        let level_2 = if found.holds { found.level_2 } else { found.controllers };
        prop_assert!(most.level_2 <= level_2, "{most:?} {found:?}");
    }
}

/// Returns the values above `chosen` that may be chosen: the default, and those below it with two significant digits.
fn above(wish: Wish, chosen: u32) -> impl Iterator<Item = u32> {
    let two_digits = |value: &u32| value.to_string().chars().skip(2).all(|digit| digit == '0');
    (chosen + 1..=wish.value).filter(move |value| *value == wish.value || !wish.set && two_digits(value))
}

/// The most executions at once.
#[derive(Debug, Default)]
struct Most {
    level_1: u64,
    controllers: u64,
    level_2: u64,
}

/// Steps of the simulation, in milliseconds.
const STEP_MS: u64 = 25;
const STEPS: u64 = 1_200;

/// Plays callers who use all that the throttle admits, at random times, while level 1 hangs.
fn simulate(situation: &Situation, capacity: &Capacity, seed: u64) -> Most {
    let mut random = seed | 1;
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit.max(1)
    };
    let wait = situation.wait_ms.min(situation.timeout_ms);
    // The ends of the executions, in milliseconds; those of level 2 with their beginnings.
    let (mut level_1, mut controllers, mut level_2): (Vec<u64>, Vec<u64>, Vec<(u64, u64)>) = Default::default();
    let mut most = Most::default();
    // Tokens in thousandths.
    let full = u64::from(capacity.burst) * 1_000;
    let mut tokens = full;
    let mut storm = true;
    for step in 0..STEPS {
        let now = step * STEP_MS;
        level_1.retain(|end| *end > now);
        controllers.retain(|end| *end > now);
        level_2.retain(|(_, end)| *end > now);
        tokens = full.min(tokens + u64::from(capacity.requests_per_second) * STEP_MS);
        if below(40) == 0 {
            storm = !storm;
        }
        let come = if storm { tokens / 1_000 } else { below(2).min(tokens / 1_000) };
        tokens -= come * 1_000;
        for _ in 0..come {
            let (own, fallback) = (below(HEALTHY_MS / 2), below(HEALTHY_MS / 2));
            let admitted = capacity.level_1_cap.is_none_or(|cap| (level_1.len() as u64) < cap);
            let waited = if admitted {
                level_1.push(now + own + situation.timeout_ms);
                wait
            } else {
                0
            };
            let begin = now + own + waited;
            controllers.push(begin + fallback);
            level_2.push((begin, begin + fallback));
        }
        most.level_1 = most.level_1.max(level_1.len() as u64);
        most.controllers = most.controllers.max(controllers.len() as u64);
        let at_level_2 = level_2.iter().filter(|(begin, _)| *begin <= now).count() as u64;
        most.level_2 = most.level_2.max(at_level_2);
    }
    most
}
