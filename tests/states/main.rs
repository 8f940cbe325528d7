//! Tests each state of the state machine, and each branch of each Choice, Retry and Catch, by executions with scripted
//! replies in the local AWS's own interpreter (`interpreter.py` says what is replaced and why). Time is simulated, so
//! pauses take no time.
//!
//! Two things that only AWS can show are not tested: the machine's `TimeoutSeconds`, and the jitter of retries.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod announce;
mod coverage;
mod evaluate;
mod limits;
mod look_again;
mod machine;
mod minimal;
mod mutants;
mod values;
mod write;

use machine::{Case, Run, run_freely};
use tokio::sync::OnceCell;

/// Returns every case of every topic with its run. The cases run once for all tests.
async fn all_runs() -> &'static [(Case, Run)] {
    static RUNS: OnceCell<Vec<(Case, Run)>> = OnceCell::const_new();
    let run = async || {
        let topics = [evaluate::cases(), write::cases(), announce::cases(), look_again::cases(), minimal::cases()];
        let cases = topics.concat();
        let runs = run_freely(&cases).await;
        cases.into_iter().zip(runs).collect()
    };
    RUNS.get_or_init(run).await
}
