//! Routes each request to the Lambda of the current level. Reads only; changes nothing.

mod answer;
mod http_event;
mod invoke;
mod outcome;
mod settings;
mod state_cache;
mod status;

use std::collections::BTreeMap;
use std::time::Instant;

use breaker::Policy;
use jiff::Timestamp;
use platform::metrics::{Metric, MetricLog, MetricSet, namespace};
use platform::state_store::StateReader;
use serde_json::json;
use serde_json::value::RawValue;

pub use answer::ServiceAnswer;
use answer::{breaker_headers, json_answer, without_service};
use http_event::{Request, with_breaker_context};
pub use invoke::{InvokeError, LambdaServices, ServiceInvoker};
pub use outcome::ServiceOutcome;
pub use settings::{ServiceFunctions, Settings};
pub use state_cache::{Current, Source, StateCache};

/// The route that tells about the breaker itself.
const STATUS_PATH: &str = "/circuit-breaker";

/// The controller, with its ports.
#[derive(Debug)]
pub struct Controller<R, I, M> {
    /// The state.
    pub states: StateCache<R>,
    /// The services.
    pub services: I,
    /// Where metrics are recorded.
    pub metrics: M,
    /// The deployment whose metrics they are.
    pub deployment: String,
    /// The thresholds, for the status.
    pub policy: Policy,
}

impl<R: StateReader, I: ServiceInvoker, M: MetricLog> Controller<R, I, M> {
    /// Answers one request.
    ///
    /// # Errors
    /// An answer that cannot be written as JSON, which does not happen.
    pub async fn handle(&self, event: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
        let begun = Instant::now();
        let current = self.states.current(begun).await;
        let answer = match Request::read(event) {
            Err(error) => {
                tracing::warn!(error.message = %error, "not an HTTP API event of payload format 2.0");
                let body = json!({ "error": "badEvent", "message": "This function answers HTTP API events, payload format 2.0." });
                json_answer(400, BTreeMap::new(), &body)
            }
            Ok(request) if request.raw_path.trim_end_matches('/') == STATUS_PATH => self.status(&request, &current),
            Ok(request) => self.forward(event, &request, &current).await,
        };
        self.record_request(&current, begun);
        answer
    }

    fn status(&self, request: &Request<'_>, current: &Current) -> Result<Box<RawValue>, serde_json::Error> {
        let mut headers = breaker_headers(current.level);
        headers.insert("Cache-Control", "no-store".to_owned());
        if matches!(request.method(), "GET" | "HEAD") {
            let body = status::status(current, &self.policy, &self.deployment, Timestamp::now());
            return json_answer(200, headers, &body);
        }
        headers.insert("Allow", "GET, HEAD".to_owned());
        let message = "The level is forced by starting the state machine, not over HTTP.";
        json_answer(405, headers, &json!({ "error": "methodNotAllowed", "message": message }))
    }

    async fn forward(
        &self,
        event: &RawValue,
        request: &Request<'_>,
        current: &Current,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        let level = current.level;
        let payload = with_breaker_context(event, current, &self.deployment)?;
        let begun = Instant::now();
        let answered = self.services.invoke(level, payload).await;
        let milliseconds = elapsed_ms(begun);
        let read = answered.as_deref().map_err(Clone::clone).and_then(ServiceAnswer::read);
        let outcome = match &read {
            Ok(answer) => ServiceOutcome::of_answer(answer),
            Err(error) => ServiceOutcome::of_error(error),
        };
        self.record_outcome(current, outcome, milliseconds);
        match read {
            Ok(answer) => answer.for_caller(level),
            Err(error) => {
                tracing::warn!(
                    error.message = %error,
                    level.current = level.number(),
                    service.duration_ms = milliseconds,
                    "the service gave no answer"
                );
                without_service(&error, level, request.is_safe())
            }
        }
    }

    fn record_outcome(&self, current: &Current, outcome: ServiceOutcome, milliseconds: f64) {
        let mut metrics = vec![Metric::milliseconds("ResponseTime", milliseconds)];
        match outcome {
            ServiceOutcome::Success => metrics.push(Metric::count("Success", 1)),
            ServiceOutcome::Failure => metrics.push(Metric::count("Error", 1)),
            ServiceOutcome::Neutral => {}
        }
        self.metrics.record(Timestamp::now(), &MetricSet::of_service(&self.deployment, current.level, metrics));
    }

    fn record_request(&self, current: &Current, begun: Instant) {
        let counted = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let mut metrics = vec![
            Metric::count("Invocation", 1),
            Metric::level("CurrentLevel", current.level),
            Metric::milliseconds("ResponseTime", elapsed_ms(begun)),
        ];
        if let Some(state) = &current.state {
            metrics.push(Metric::count("FailureCount", counted(state.failure_count)));
            metrics.push(Metric::count("SuccessCount", counted(state.success_count)));
        }
        let set = MetricSet::of_deployment(namespace::CONTROLLER, &self.deployment, metrics);
        self.metrics.record(Timestamp::now(), &set);
    }
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}
