//! Fuzzes the parsers with invalid and unusual input: they answer every input, and the input that they accept is valid.
//!
//! By default each target tries the same inputs in every run: a fixed number, from the fixed seed in
//! `.cargo/config.toml`. `FUZZ_SECONDS=600 cargo test --test fuzz <target>` tries new random inputs for 600 seconds.
//! The seed of an input that failed is added to a file `<module>.regressions` beside the target's module; every later
//! run tries it first.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod alarms;
mod commands;
mod junk;
mod records;
mod requests;
mod states;
mod writes;

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::Location;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

/// Number of inputs that a target tries if `FUZZ_SECONDS` is not set.
const CASES: u32 = 1_000;
/// Number of random inputs that a target tries before it checks the time.
const CASES_OF_A_ROUND: u32 = 64;

/// The answer of a parser to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    Refused,
}

/// Tries `property` on inputs of `strategy`. A failing input is shrunk and shown, and its seed is kept. Returns the
/// numbers of accepted and of refused inputs.
#[track_caller]
fn fuzz<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<Answer, TestCaseError>) -> (u64, u64)
where
    S::Value: Debug,
{
    let regressions = FileFailurePersistence::WithSource("regressions");
    let config = Config {
        failure_persistence: Some(Box::new(regressions)),
        source_file: Some(Location::caller().file()),
        ..Config::default()
    };
    let (taken, refused) = (Cell::new(0), Cell::new(0));
    let counted = |input| {
        let counter = if property(input)? == Answer::Taken { &taken } else { &refused };
        counter.set(counter.get() + 1);
        Ok(())
    };
    let run = |config| {
        if let Err(failure) = TestRunner::new(config).run(strategy, counted) {
            panic!("{failure}");
        }
    };
    match std::env::var("FUZZ_SECONDS") {
        Ok(seconds) => {
            let until = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
            while Instant::now() < until {
                run(Config { cases: CASES_OF_A_ROUND, rng_seed: RngSeed::Random, ..config.clone() });
            }
        }
        Err(_) => run(Config { cases: CASES, ..config }),
    }
    eprintln!("{} taken, {} refused", taken.get(), refused.get());
    (taken.get(), refused.get())
}

/// Like [`fuzz`], for input that is almost valid: some inputs must be accepted and some refused, so that both halves of
/// the property are tried.
#[track_caller]
fn fuzz_both<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<Answer, TestCaseError>)
where
    S::Value: Debug,
{
    let (taken, refused) = fuzz(strategy, property);
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

#[test]
fn inputs_are_the_same_in_every_run() {
    assert_ne!(Config::default().rng_seed, RngSeed::Random, "cargo sets PROPTEST_RNG_SEED, by .cargo/config.toml");
}
