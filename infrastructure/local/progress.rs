//! Says what is being done, and how long it took.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar};

/// Where progress is shown.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Steps may run side by side.
    steps: Option<MultiProgress>,
}

impl Progress {
    /// A spinner on a terminal, plain lines elsewhere.
    #[must_use]
    pub fn shown() -> Self {
        Self { steps: Some(MultiProgress::new()) }
    }

    /// Nothing at all.
    #[must_use]
    pub const fn quiet() -> Self {
        Self { steps: None }
    }

    /// Runs a step, and says how it went.
    ///
    /// # Errors
    /// Those of the step.
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
