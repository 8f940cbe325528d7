//! Several requests at once in one environment, as Lambda Managed Instances send them.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use crate::aws::Aws;
use crate::candidate::Candidate;
use crate::environment::{Environment, Surroundings};
use crate::statistics::rate;

/// Requests at once that are measured. Lambda sends eight for each virtual processor unless the function says otherwise.
const AT_ONCE: [&str; 4] = ["1", "8", "16", "64"];
/// Variable by which Lambda tells the runtime how many requests it may send at once.
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";
/// Time that the stub of a service takes, about that of the sample services.
const SERVICE: Duration = Duration::from_millis(50);
/// Time for which requests are sent.
const STEADY: Duration = Duration::from_secs(10);

/// Measures the throughput and the memory of one environment of `candidate` by requests at once. Returns a table.
///
/// # Errors
/// It fails.
pub async fn table(candidate: &Candidate, around: Surroundings<'_>, aws: &Aws) -> Result<String> {
    let mut text = format!(
        "| requests at once in one environment of `{}` (service: {} ms) | requests/s | processor µs a request | memory MB | \
         memory MB of as many environments |\n|---|---|---|---|---|\n",
        candidate.name,
        SERVICE.as_millis()
    );
    aws.answer_invocations_after(SERVICE);
    let mut of_one = 0;
    for at_once in AT_ONCE {
        let mut candidate = candidate.clone();
        candidate.settings.push((MAX_CONCURRENCY, at_once));
        let (environment, _) = Environment::start(&candidate, around).await?;
        let served = environment.serve_for(STEADY).await?;
        if of_one == 0 {
            of_one = served.memory_kib;
        }
        let number: u64 = at_once.parse()?;
        writeln!(
            text,
            "| {at_once} | {:.0} | {:.0} | {} | {} |",
            rate(served.answers, served.elapsed),
            served.processor.as_secs_f64() * 1e6 / rate(served.answers, Duration::from_secs(1)),
            megabytes(served.memory_kib),
            megabytes(of_one * number),
        )?;
    }
    aws.answer_invocations_after(Duration::ZERO);
    Ok(text)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(kib: u64) -> String {
    format!("{:.1}", kib as f64 * 1024.0 / 1e6)
}
