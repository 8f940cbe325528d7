//! The start of every Lambda: it sets up logs, then serves events or exits with an error.

use std::fmt::Debug;
use std::pin::Pin;
use std::process::ExitCode;
#[cfg(feature = "at-once")]
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tokio::sync::SetOnce;
use tokio::time::timeout;

use crate::settings::Environment;
use crate::telemetry;

/// Maximum time that the first event waits for connections to open. After that time the event opens its own, with their
/// own timeouts.
const AHEAD_LIMIT: Duration = Duration::from_secs(2);

/// Runs a Lambda's `body` (settings, clients, handler) until the environment ends.
///
/// If the body cannot start, the error is logged once and the process exits. Lambda then reports that initialisation
/// failed.
pub async fn run<F>(body: impl FnOnce(Environment) -> F) -> ExitCode
where
    F: Future<Output = Result<(), lambda_runtime::Error>>,
{
    let environment = Environment::of_process();
    let outcome = match telemetry::init(&environment) {
        Ok(()) => body(environment).await,
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error.message = %error, "refused to start");
            ExitCode::FAILURE
        }
    }
}

/// Returns the present time in whole milliseconds, the precision that other systems store.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Begins the calls `connect`, and serves events with `handler` until the environment ends.
///
/// `connect` waits for the network, so the first event is requested as soon as `connect` has begun. An event that
/// arrives before `connect` is done waits, because otherwise the event would open the same connections, one after the
/// other. Work that
/// needs the processor is done before the first event: a starting environment has the whole processor, and a running
/// one a share by its memory, a seventh at 256 MB.
///
/// Boxed, because the futures of SDK calls are tens of kilobytes, which each `await` on the way would move.
///
/// # Errors
/// The runtime API does not answer.
pub fn serve<A, F, R, E>(
    connect: impl Future,
    handler: impl Fn(LambdaEvent<A>) -> F,
) -> Pin<Box<impl Future<Output = Result<(), lambda_runtime::Error>>>>
where
    A: for<'de> Deserialize<'de>,
    F: Future<Output = Result<R, E>>,
    R: Serialize,
    E: Into<Diagnostic> + Debug,
{
    Box::pin(async move {
        let gate = Gate::default();
        let gated = service_fn(|event| {
            let (gate, handler) = (&gate, &handler);
            async move {
                gate.passed().await;
                handler(event).await
            }
        });
        let ((), ended) = tokio::join!(gate.open_after(connect), lambda_runtime::run(gated));
        ended
    })
}

/// Begins the calls `connect`, and serves events as [`serve`] does, but as many at once as Lambda gives this
/// environment. Only Lambda Managed Instances give it more than one, and say how many in `AWS_LAMBDA_MAX_CONCURRENCY`.
///
/// # Errors
/// The runtime API does not answer.
#[cfg(feature = "at-once")]
pub fn serve_at_once<A, F, R, E>(
    connect: impl Future,
    handler: impl Fn(LambdaEvent<A>) -> F + Clone + Send + 'static,
) -> Pin<Box<impl Future<Output = Result<(), lambda_runtime::Error>>>>
where
    A: for<'de> Deserialize<'de> + Send + 'static,
    F: Future<Output = Result<R, E>> + Send + 'static,
    R: Serialize + Send + 'static,
    E: Into<Diagnostic> + Debug + Send + 'static,
{
    Box::pin(async move {
        let gate = Arc::new(Gate::default());
        let gated = {
            let gate = Arc::clone(&gate);
            service_fn(move |event| {
                let (gate, handler) = (Arc::clone(&gate), handler.clone());
                async move {
                    gate.passed().await;
                    handler(event).await
                }
            })
        };
        let ((), ended) = tokio::join!(gate.open_after(connect), lambda_runtime::run_concurrent(gated));
        ended
    })
}

/// The gate at which events wait for connections.
#[derive(Debug, Default)]
struct Gate(SetOnce<()>);

impl Gate {
    /// Opens when `connect` is done or takes too long.
    async fn open_after(&self, connect: impl Future) {
        drop(timeout(AHEAD_LIMIT, connect).await);
        drop(self.0.set(()));
    }

    async fn passed(&self) {
        self.0.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Instant, sleep};

    use super::*;

    /// Returns how long an event waits at a gate that opens after this time.
    async fn waits(connect: impl Future) -> Duration {
        let (gate, begun) = (Gate::default(), Instant::now());
        let ((), waited) = tokio::join!(gate.open_after(connect), async {
            gate.passed().await;
            begun.elapsed()
        });
        waited
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_waits_until_the_connections_are_open() {
        assert_eq!(waits(sleep(Duration::from_millis(20))).await.as_millis(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_does_not_wait_for_a_service_that_does_not_answer() {
        assert_eq!(waits(pending::<()>()).await.as_secs(), AHEAD_LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_event_does_not_wait() {
        let gate = Gate::default();
        gate.open_after(async {}).await;
        gate.passed().await;
        gate.passed().await;
    }
}
