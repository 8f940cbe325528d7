//! Routes each request to the Lambda of the current level. Reads only; changes nothing.

mod answer;
mod deadline;
mod forward;
mod http_event;
mod invoke;
mod outcome;
mod probe_limit;
mod service_answer;
mod settings;
mod state_cache;
mod state_reader;

use std::time::Duration;

use aws_edge::metrics::{Metric, MetricLog, MetricSet, namespace};
use breaker::{Policy, place_of_error};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::time::Instant;

pub use answer::{CONTROLLER, ErrorBody, ErrorCode, PROBE_MARK};
use answer::{Route, empty_answer, error_answer};
pub use deadline::{LONGEST_SERVICE_TIMEOUT_MS, answer_by};
use http_event::Request;
pub use invoke::{InvokeError, LambdaServices, PAYLOAD_LIMIT, ServiceInvoker};
pub use outcome::ServiceOutcome;
pub use probe_limit::{ProbeLimit, ProbeUnderWay};
pub use settings::{PerLevel, Settings};
pub use state_cache::{Current, Routing, Source, StateCache};
pub use state_reader::{LevelReader, StoredLevel, level_of};

/// Header of the answer to an event that is no request: where the level is from. Checks of a deployment read it, because
/// such an event asks no service and makes up no outcome.
const SOURCE_HEADER: &str = "X-Circuit-Breaker-State-Source";

/// The controller, with its ports.
#[derive(Debug)]
pub struct Controller<R, I, M> {
    /// The state.
    pub states: StateCache<R>,
    /// The services.
    pub services: I,
    /// How long each service may take.
    pub service_timeouts: PerLevel<Duration>,
    /// Whether a failed GET or HEAD is answered by the next level's service.
    pub request_fallback: bool,
    /// How many probes this environment may send.
    pub probe_limit: ProbeLimit,
    /// The metric log.
    pub metrics: M,
    /// The deployment whose metrics they are.
    pub deployment: String,
    /// The policy: when a call is slow. `None` if it is invalid; then no call is slow.
    pub policy: Option<Policy>,
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog> Controller<R, I, M> {
    /// Answers one request, before `answer_by`.
    ///
    /// # Errors
    /// Never in practice: every answer can be written as JSON.
    pub async fn handle(&self, event: &RawValue, answer_by: Instant) -> Result<Box<RawValue>, serde_json::Error> {
        let begun = Instant::now();
        let routing = self.states.routing().await;
        let refresh = async {
            if routing.refresh_due {
                self.states.refresh().await;
            }
        };
        let (answer, ()) = tokio::join!(self.answer(event, &routing.current, answer_by), refresh);
        self.record_request(&routing, begun);
        answer
    }

    async fn answer(
        &self,
        event: &RawValue,
        current: &Current,
        answer_by: Instant,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        match Request::read(event) {
            Err(error) => {
                tracing::warn!(error.message = place_of_error(&error), "not an HTTP API event of payload format 2.0");
                let message = "This function answers HTTP API events, payload format 2.0.";
                let mut headers = Route::own(current.level).headers();
                headers.insert(SOURCE_HEADER, current.source.to_string());
                error_answer(400, headers, ErrorCode::BadEvent, message)
            }
            Ok(request) if request.is_open() => preflight(current),
            Ok(request) => self.forward(event, &request, current, answer_by).await,
        }
    }

    fn record_request(&self, routing: &Routing, begun: Instant) {
        let current = &routing.current;
        let counted = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let mut metrics = vec![
            Metric::count("Invocation", 1),
            Metric::level("CurrentLevel", current.level),
            Metric::milliseconds("ResponseTime", milliseconds(begun.elapsed())),
        ];
        if let Some(state) = &current.state {
            metrics.push(Metric::count("FailureCount", counted(state.failure_count)));
            metrics.push(Metric::count("SuccessCount", counted(state.success_count)));
        }
        // Log lines are billed by the byte, and the age of a fresh state tells nothing.
        if let Some(age) = current.age.filter(|_| !routing.fresh) {
            metrics.push(Metric::seconds("StateAgeSeconds", age.as_secs_f64()));
        }
        let errors = self.states.take_read_errors();
        if errors > 0 {
            metrics.push(Metric::count("StateReadErrors", errors));
        }
        let set = MetricSet::of_deployment(namespace::CONTROLLER, &self.deployment, metrics);
        self.metrics.record(Timestamp::now(), &set);
    }
}

/// Answers an OPTIONS request for which API Gateway asked no caller's credentials. API Gateway answers preflights of CORS
/// by itself and adds the headers of CORS to this answer. Without credentials no request reaches a service, and none
/// has an outcome.
fn preflight(current: &Current) -> Result<Box<RawValue>, serde_json::Error> {
    empty_answer(204, &Route::own(current.level).headers())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
