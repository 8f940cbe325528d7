//! Shows the steps of the set-up, and how long each took.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar};

/// The output of progress.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The display of the steps, which may run concurrently. `None` shows nothing.
    steps: Option<MultiProgress>,
}

impl Progress {
    /// Returns an output with a spinner on a terminal and plain lines elsewhere.
    #[must_use]
    pub fn shown() -> Self {
        Self { steps: Some(MultiProgress::new()) }
    }

    /// Returns an output that shows nothing.
    #[must_use]
    pub const fn quiet() -> Self {
        Self { steps: None }
    }

    /// Runs a step, and shows its result and duration.
    ///
    /// # Errors
    /// Returns the step's error.
    pub async fn step<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(steps) = &self.steps else { return work.await };
        let begun = Instant::now();
        let spinner = std::io::stderr().is_terminal().then(|| steps.add(ProgressBar::new_spinner()));
        if let Some(spinner) = &spinner {
            spinner.set_message(format!("{what} ..."));
            spinner.enable_steady_tick(Duration::from_millis(100));
        } else {
            println!("{what} ...");
        }
        let result = work.await;
        if let Some(spinner) = &spinner {
            spinner.finish_and_clear();
        }
        let outcome = if result.is_ok() { "ready" } else { "FAILED" };
        steps.suspend(|| println!("{what}: {outcome} after {:.1} s", begun.elapsed().as_secs_f64()));
        result
    }
}
