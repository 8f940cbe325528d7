//! Routes each request to the Lambda of the current level. Reads only; changes nothing.

mod answer;
mod deadline;
mod forward;
mod http_event;
mod invoke;
mod json;
mod outcome;
mod probe_limit;
mod recording;
mod retry_after;
mod route_headers;
mod service_answer;
mod settings;
mod state_cache;
mod state_reader;

use std::time::Duration;

use aws_edge::metrics::MetricLog;
use breaker::{Policy, RequestRules, place_of_error};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::time::Instant;

pub use answer::{ErrorBody, ErrorCode};
use answer::{empty_answer, error_answer};
pub use deadline::answer_by;
use http_event::Request;
pub use invoke::{InvokeError, LambdaServices, PAYLOAD_LIMIT, ServiceInvoker};
pub use probe_limit::{ProbeLimit, ProbeUnderWay};
use route_headers::RouteHeaders;
pub use route_headers::{CONTROLLER, PROBE_MARK};
pub use settings::Settings;
pub use state_cache::{Current, Routing, Source, StateCache};
pub use state_reader::{LevelReader, StoredLevel, level_of};

/// Header of the answer to an event that is no request: the source of the level. `breaker check` reads it, because such
/// an event calls no service and adds no outcome.
const SOURCE_HEADER: &str = "X-Circuit-Breaker-State-Source";

/// The controller, with its ports.
#[derive(Debug)]
pub struct Controller<R, I, M> {
    /// The state.
    pub states: StateCache<R>,
    /// The services.
    pub services: I,
    /// The rules for requests: timeouts, fallback, outcomes.
    pub rules: RequestRules,
    /// Limits the probes of this environment.
    pub probe_limit: ProbeLimit,
    /// The metric log.
    pub metrics: M,
    /// Name of the deployment, a dimension of the metrics.
    pub deployment: String,
    /// The policy. `Retry-After` depends on when it allows a recovery.
    pub policy: Policy,
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog> Controller<R, I, M> {
    /// Answers one request, before `answer_by`.
    pub async fn handle(&self, event: &RawValue, answer_by: Instant) -> Box<RawValue> {
        let begun = Instant::now();
        self.metrics.request(Timestamp::now());
        let routing = self.states.routing().await;
        let refresh = async {
            if routing.refresh_due {
                self.states.refresh().await;
            }
        };
        let (answer, ()) = tokio::join!(self.answer(event, &routing.current, answer_by), refresh);
        let read_errors = self.states.take_read_errors();
        let set = recording::of_request(&self.deployment, &routing, read_errors, begun.elapsed());
        self.metrics.record_soon(Timestamp::now(), &set);
        answer
    }

    async fn answer(&self, event: &RawValue, current: &Current, answer_by: Instant) -> Box<RawValue> {
        match Request::read(event) {
            Err(error) => {
                tracing::warn!(error.message = place_of_error(&error), "not an HTTP API event of payload format 2.0");
                let message = "This function answers HTTP API events, payload format 2.0.";
                let mut headers = RouteHeaders::own(current.level).headers();
                headers.insert(SOURCE_HEADER, current.source.to_string());
                error_answer(400, headers, ErrorCode::BadEvent, message)
            }
            Ok(request) if request.is_open() => preflight(current),
            Ok(request) => self.forward(event, &request, current, answer_by).await,
        }
    }
}

/// Answers an OPTIONS request that API Gateway let through without credentials. API Gateway answers preflights of CORS by
/// itself, and adds the headers of CORS to this answer. A request without credentials reaches no service and has no
/// outcome.
fn preflight(current: &Current) -> Box<RawValue> {
    empty_answer(204, &RouteHeaders::own(current.level).headers())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
