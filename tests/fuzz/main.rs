//! Parsers against input that nobody would write: whatever it is, they answer, and what they take
//! keeps the rules. Each target runs for two seconds; for longer, say:
//! `FUZZ_SECONDS=600 cargo test --test fuzz <target>`.

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
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    Refused,
}

/// Tries `property` on what `strategy` makes up, until the time is over. A failure is shrunk and shown.
/// Says how many inputs were taken, and how many refused.
fn fuzz<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<Answer, TestCaseError>) -> (u64, u64)
where
    S::Value: Debug,
{
    let seconds = std::env::var("FUZZ_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let (taken, refused) = (Cell::new(0), Cell::new(0));
    let counted = |input| {
        let counter = if property(input)? == Answer::Taken { &taken } else { &refused };
        counter.set(counter.get() + 1);
        Ok(())
    };
    loop {
        // A runner that has passed its cases tries no more.
        if let Err(failure) = TestRunner::new(config.clone()).run(strategy, counted) {
            panic!("{failure}");
        }
        if Instant::now() >= until {
            break;
        }
    }
    eprintln!("{} taken, {} refused", taken.get(), refused.get());
    (taken.get(), refused.get())
}

/// The same for input that is near enough to good input: some of it must be taken, and some refused,
/// or the property was tried on one half of its sentence only.
fn fuzz_both<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<Answer, TestCaseError>)
where
    S::Value: Debug,
{
    let (taken, refused) = fuzz(strategy, property);
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}
