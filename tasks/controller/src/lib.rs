//! Routes each request to the Lambda of the current level. Reads only; changes nothing.

mod answer;
mod deadline;
mod http_event;
mod invoke;
mod outcome;
mod page;
mod settings;
mod state_cache;
mod state_reader;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use breaker::{Level, Policy};
use jiff::Timestamp;
use platform::metrics::{Metric, MetricLog, MetricSet, namespace};
use platform::state_store::HistoryReader;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

pub use answer::{ErrorBody, ErrorCode};
use answer::{Route, ServiceAnswer, error_answer, json_answer, text_answer, without_service};
pub use deadline::answer_by;
use deadline::{LEAST_TIME, time_for};
use http_event::{BreakerContext, Request, with_breaker_context};
pub use invoke::{InvokeError, LambdaServices, PAYLOAD_LIMIT, ServiceInvoker};
pub use outcome::ServiceOutcome;
pub use page::CommandTarget;
pub use settings::{PerLevel, Settings};
pub use state_cache::{Current, Routing, Source, StateCache};
pub use state_reader::{LevelReader, StoredLevel, level_of};
pub use status::Status;
use status::{History, View, history_count};

/// The route that tells about the breaker itself.
const STATUS_PATH: &str = "/circuit-breaker";
/// The route that describes the API.
const DESCRIPTION_PATH: &str = "/openapi.json";
/// What it answers. A test writes it from the types and holds it to them.
const DESCRIPTION: &str = include_str!("../../../infrastructure/openapi.json");

/// The controller, with its ports.
#[derive(Debug)]
pub struct Controller<R, I, M, H> {
    /// The state.
    pub states: StateCache<R>,
    /// The transitions of the past, for the status.
    pub history: H,
    /// The services.
    pub services: I,
    /// How long each service may take.
    pub service_timeouts: PerLevel<Duration>,
    /// Whether a failed GET or HEAD is answered by the next level's service.
    pub request_fallback: bool,
    /// Where metrics are recorded.
    pub metrics: M,
    /// The deployment whose metrics they are.
    pub deployment: String,
    /// The thresholds, for the status.
    pub policy: Policy,
    /// Where operators' commands go, for the status.
    pub commands: CommandTarget,
}

/// What one invocation of a service came to.
struct Attempt {
    level: Level,
    outcome: ServiceOutcome,
    answered: Result<ServiceAnswer, InvokeError>,
}

impl Attempt {
    /// How it failed, for the header that names it.
    fn failure(&self) -> Option<String> {
        (self.outcome == ServiceOutcome::Failure).then(|| match &self.answered {
            Ok(answer) => format!("{}; status-{}", self.level.service(), answer.status),
            Err(error) => format!("{}; {}", self.level.service(), error.code()),
        })
    }
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog, H: HistoryReader> Controller<R, I, M, H> {
    /// Answers one request, before `answer_by`.
    ///
    /// # Errors
    /// An answer that cannot be written as JSON, which does not happen.
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
                tracing::warn!(error.message = %error, "not an HTTP API event of payload format 2.0");
                let message = "This function answers HTTP API events, payload format 2.0.";
                error_answer(400, BTreeMap::new(), ErrorCode::BadEvent, message)
            }
            Ok(request) => match request.raw_path.trim_end_matches('/') {
                STATUS_PATH => self.status(&request, current, answer_by).await,
                DESCRIPTION_PATH => description(&request, current),
                _ => self.forward(event, &request, current, answer_by).await,
            },
        }
    }

    async fn status(
        &self,
        request: &Request<'_>,
        current: &Current,
        answer_by: Instant,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        let mut headers = Route::direct(current.level).headers();
        headers.insert("Cache-Control", "no-store".to_owned());
        if !request.is_read() {
            return only_read(headers, "The level is forced by starting the state machine, not over HTTP.");
        }
        let count = match history_count(&request.raw_query_string) {
            Ok(count) => count,
            Err(message) => return error_answer(400, headers, ErrorCode::BadHistory, message),
        };
        // One address, two answers: what stands between must not mix them up.
        headers.insert("Vary", "Accept".to_owned());
        let as_page = request.header("accept").is_some_and(|accept| page::prefers_html(&accept));
        let count = if as_page { page::TRANSITIONS } else { count };
        let history = self.history(current, count, answer_by).await;
        let view = View {
            current,
            history: history.as_ref(),
            policy: &self.policy,
            deployment: &self.deployment,
            commands: &self.commands,
            now: Timestamp::now(),
        };
        if as_page {
            headers.extend(page::headers());
            return text_answer(200, headers, "text/html; charset=utf-8", &page::page(&view).into_string());
        }
        json_answer(200, headers, &Status::of(&view))
    }

    /// The newest transitions, where some are asked for. The status is worth having without them.
    async fn history(&self, current: &Current, count: u64, answer_by: Instant) -> Option<History> {
        let epoch = current.state.as_ref().map(|state| state.epoch).filter(|_| count > 0)?;
        let read = timeout_at(answer_by, self.history.transitions(epoch, count)).await;
        let problem = match read {
            Ok(Ok(transitions)) => return Some(Ok(transitions)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error.message = problem, "the history cannot be read");
        Some(Err("the records cannot be read now".to_owned()))
    }

    /// Asks the service of the current level and, where that fails what may be repeated, the next one.
    async fn forward(
        &self,
        event: &RawValue,
        request: &Request<'_>,
        current: &Current,
        answer_by: Instant,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        let level = current.level;
        if event.get().len() > PAYLOAD_LIMIT {
            return without_service(&InvokeError::TooLarge, level, request.is_safe());
        }
        let fallback = level.worse().filter(|_| self.request_fallback && request.may_fall_back());
        let time = time_for(level, fallback, &self.service_timeouts, answer_by, Instant::now());
        let attempt = self.attempt(event, &self.context(current, level), time).await?;
        if let (Some(next), Some(failure)) = (fallback, attempt.failure()) {
            let time = time_for(next, None, &self.service_timeouts, answer_by, Instant::now());
            if time >= LEAST_TIME {
                let second = self.attempt(event, &self.context(current, next), time).await?;
                if let Attempt {
                    outcome: ServiceOutcome::Success | ServiceOutcome::Neutral,
                    answered: Ok(answer),
                    ..
                } = second
                {
                    let route = Route { level, answered_by: next, fallback_from: Some(failure) };
                    return answer.for_caller(&route);
                }
            }
        }
        match attempt.answered {
            Ok(answer) => answer.for_caller(&Route::direct(level)),
            Err(error) => without_service(&error, level, request.is_safe()),
        }
    }

    fn context(&self, current: &Current, level: Level) -> BreakerContext<'_> {
        BreakerContext {
            level,
            status: level.status(),
            epoch: current.state.as_ref().map(|state| state.epoch),
            deployment: &self.deployment,
            fallback_from: Some(current.level).filter(|current| *current != level),
        }
    }

    /// Invokes the service of one level and records the one outcome that each invocation has.
    async fn attempt(
        &self,
        event: &RawValue,
        context: &BreakerContext<'_>,
        time: Duration,
    ) -> Result<Attempt, serde_json::Error> {
        let level = context.level;
        let payload = with_breaker_context(event, context)?;
        let begun = Instant::now();
        let answered = self.services.invoke(level, payload, time).await.and_then(ServiceAnswer::read);
        let milliseconds = elapsed_ms(begun);
        let outcome = ServiceOutcome::of(&answered);
        self.record_outcome(level, outcome, milliseconds);
        if let Err(error) = &answered {
            tracing::warn!(
                error.message = %error,
                service.level = level.number(),
                service.duration_ms = milliseconds,
                "the service gave no answer"
            );
        }
        Ok(Attempt { level, outcome, answered })
    }

    fn record_outcome(&self, level: Level, outcome: ServiceOutcome, milliseconds: f64) {
        let mut metrics = vec![Metric::milliseconds("ResponseTime", milliseconds)];
        match outcome {
            ServiceOutcome::Success => metrics.push(Metric::count("Success", 1)),
            ServiceOutcome::Failure => metrics.push(Metric::count("Error", 1)),
            ServiceOutcome::Neutral => {}
        }
        self.metrics.record(Timestamp::now(), &MetricSet::of_service(&self.deployment, level, metrics));
    }

    fn record_request(&self, routing: &Routing, begun: Instant) {
        let current = &routing.current;
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
        // Log lines are paid for by the byte, and a fresh state has nothing to tell.
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

/// The description of the API, as it was built in.
fn description(request: &Request<'_>, current: &Current) -> Result<Box<RawValue>, serde_json::Error> {
    let headers = Route::direct(current.level).headers();
    if !request.is_read() {
        return only_read(headers, "The description of the API can only be read.");
    }
    text_answer(200, headers, "application/json", DESCRIPTION)
}

/// The answer to a method that would change what can only be read.
fn only_read(mut headers: BTreeMap<&'static str, String>, message: &str) -> Result<Box<RawValue>, serde_json::Error> {
    headers.insert("Allow", "GET, HEAD".to_owned());
    error_answer(405, headers, ErrorCode::MethodNotAllowed, message)
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}
