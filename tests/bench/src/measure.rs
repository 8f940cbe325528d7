//! The measurements. Candidates take turns, so that other work of the machine affects all of them equally.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use crate::aws::Aws;
use crate::candidate::Candidate;
use crate::environment::{Environment, Surroundings};
use crate::statistics::{Sample, rate};

/// Turns in which warm requests are measured; each starts a new environment.
const ROUNDS: u32 = 20;
/// Requests that are sent before the first one counts.
const UNCOUNTED: u32 = 200;
/// Time for which requests are sent to count calls that are not made for each request.
const STEADY: Duration = Duration::from_secs(10);
/// Pause of an environment before its first request, if it has one.
pub const PAUSE: Duration = Duration::from_millis(100);

/// Times and memory of starts and first requests.
#[derive(Clone, Debug, Default)]
pub struct Starts {
    /// Time from before `exec` to the call for the first event.
    pub start: Sample,
    /// Time of a first request that was waiting when the environment asked for it, as in a cold start.
    pub first_at_once: Sample,
    /// Time of the start and that first request together: a caller's wait for a cold start.
    pub cold: Sample,
    /// Time of a first request that came [`PAUSE`] after the start. The environment was frozen meanwhile, as with
    /// provisioned concurrency.
    pub first_later: Sample,
    /// Maximum of the peak memory after the first answer, in KiB.
    pub memory_kib: u64,
    /// Maximum number of TLS handshakes until the first answer.
    pub handshakes: u64,
}

/// Times, memory and calls of warm requests.
#[derive(Clone, Debug, Default)]
pub struct Warm {
    /// Time from sending the event to the whole answer.
    pub request: Sample,
    /// Time of a request without the service's invocation, if the bootstrap records that, as the controller does in
    /// `ResponseTime` of `CircuitBreaker/Service`.
    pub own: Sample,
    /// Time from the first counted event to the call after the last one, of all rounds together.
    pub elapsed: Duration,
    /// Maximum of the peak memory after all requests, in KiB.
    pub memory_kib: u64,
    /// Calls to AWS while the requests were counted, by operation.
    pub calls: BTreeMap<String, u64>,
}

/// Starts each candidate `times` times.
///
/// # Errors
/// A candidate fails.
pub async fn starts(candidates: &[Candidate], times: u32, around: Surroundings<'_>, aws: &Aws) -> Result<Vec<Starts>> {
    let mut results = vec![Starts::default(); candidates.len()];
    for turn in 0..times {
        for (candidate, result) in candidates.iter().zip(&mut results) {
            drop(aws.take());
            let (environment, start) = Environment::start(candidate, around).await?;
            result.start.add(start);
            let later = turn % 2 == 1;
            if later {
                environment.freeze()?;
                tokio::time::sleep(PAUSE).await;
                environment.thaw()?;
            }
            let (environment, first) = environment.request().await?;
            result.memory_kib = result.memory_kib.max(environment.peak_memory_kib()?);
            if later {
                result.first_later.add(first);
            } else {
                result.first_at_once.add(first);
                result.cold.add(start + first);
            }
            drop(environment);
            result.handshakes = result.handshakes.max(aws.take().handshakes);
        }
    }
    Ok(results)
}

/// Sends each candidate this number of requests, one after the other.
///
/// # Errors
/// A candidate fails.
pub async fn warm(candidates: &[Candidate], requests: u32, around: Surroundings<'_>, aws: &Aws) -> Result<Vec<Warm>> {
    let mut results = vec![Warm::default(); candidates.len()];
    for _ in 0..ROUNDS {
        for (candidate, result) in candidates.iter().zip(&mut results) {
            let (mut environment, _) = Environment::start(candidate, around).await?;
            for _ in 0..UNCOUNTED {
                (environment, _) = environment.request().await?;
            }
            drop(aws.take());
            let mut durations = Vec::new();
            let begun = Instant::now();
            for _ in 0..requests / ROUNDS {
                let duration;
                (environment, duration) = environment.request().await?;
                durations.push(duration);
            }
            result.elapsed += begun.elapsed();
            let invocations = invocations(&environment.log()?);
            // The last second may still be pending, so the newest requests have no invocation in the log yet.
            let counted = invocations.get(usize::try_from(UNCOUNTED)?..);
            for (duration, invocation) in durations.iter().zip(counted.unwrap_or_default()) {
                result.own.add(duration.saturating_sub(*invocation));
            }
            for duration in durations {
                result.request.add(duration);
            }
            for (operation, calls) in aws.take().calls {
                *result.calls.entry(operation).or_default() += calls;
            }
            result.memory_kib = result.memory_kib.max(environment.peak_memory_kib()?);
        }
    }
    Ok(results)
}

/// Sends requests to one environment for [`STEADY`], and returns how many calls of `operation` it made a second.
///
/// # Errors
/// The candidate fails.
pub async fn calls_a_second(
    candidate: &Candidate,
    operation: &str,
    around: Surroundings<'_>,
    aws: &Aws,
) -> Result<f64> {
    let (mut environment, _) = Environment::start(candidate, around).await?;
    (environment, _) = environment.request().await?;
    drop(aws.take());
    let begun = Instant::now();
    while begun.elapsed() < STEADY {
        (environment, _) = environment.request().await?;
    }
    let calls = aws.take().calls.get(operation).copied().unwrap_or_default();
    Ok(rate(calls, begun.elapsed()))
}

/// Returns the duration of each invocation of a service, from the metrics in a log.
fn invocations(log: &str) -> Vec<Duration> {
    log.lines()
        .filter(|line| line.contains(r#""CircuitBreaker/Service""#))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get_mut("ResponseTime").map(Value::take))
        .flat_map(|times| match times {
            Value::Array(times) => times,
            time => vec![time],
        })
        .filter_map(|time| time.as_f64())
        .map(|milliseconds| Duration::from_secs_f64(milliseconds.max(0.0) / 1e3))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_are_read_from_the_metrics_of_the_service_alone() {
        let log = r#"{"level":"WARN"}
{"_aws":{"CloudWatchMetrics":[{"Namespace":"CircuitBreaker/Service"}]},"ResponseTime":1.5}
{"_aws":{"CloudWatchMetrics":[{"Namespace":"CircuitBreaker/Controller"}]},"ResponseTime":2.5}
{"_aws":{"CloudWatchMetrics":[{"Namespace":"CircuitBreaker/Service"}]},"ResponseTime":[2,0.5]}
"#;
        assert_eq!(invocations(log), [1_500, 2_000, 500].map(Duration::from_micros));
    }
}
