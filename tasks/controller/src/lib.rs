//! Routes each request to the Lambda of the current level. Reads only; changes nothing.

mod answer;
mod deadline;
mod forward;
mod http_event;
mod invoke;
mod json;
mod outcome;
mod page;
mod probe_limit;
mod recording;
mod retry_after;
mod route_headers;
mod rules;
mod service_answer;
mod settings;
mod state_cache;
mod state_reader;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_edge::clients::HISTORY_TIMEOUTS;
use aws_edge::config::BasePath;
use aws_edge::metrics::MetricLog;
use aws_edge::stores::state::{HistoryReader, Transitions};
use breaker::{Policy, RequestRules, place_of_error};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

pub use answer::{ErrorBody, ErrorCode};
use answer::{empty_answer, error_answer, json_answer, text_answer};
pub use deadline::answer_by;
use http_event::Request;
pub use invoke::{InvokeError, LambdaServices, PAYLOAD_LIMIT, ServiceInvoker};
pub use page::CommandTarget;
pub use probe_limit::{ProbeLimit, ProbeUnderWay};
use route_headers::RouteHeaders;
pub use route_headers::{CONTROLLER, PROBE_MARK};
pub use settings::Settings;
pub use state_cache::{Current, Routing, Source, StateCache};
pub use state_reader::{LevelReader, StoredLevel, level_of};
pub use status::Status;
use status::{History, View, history_count};

/// The path of the breaker's status.
const STATUS_PATH: &str = "/circuit-breaker";
/// The route of the status. It has callers and a limit of its own, so requests through any other route do not see the
/// status.
const STATUS_ROUTE: &str = "GET /circuit-breaker";
/// The path of the API's description. It shows nothing of the breaker's state, so every route may answer it.
const DESCRIPTION_PATH: &str = "/openapi.json";
/// The API's description (OpenAPI). A test generates it from the types and compares it.
const DESCRIPTION: &str = include_str!("../../../infrastructure/openapi.json");
/// Maximum time that the status waits for the history. The status page's script gives up after 4 s, and the status is
/// useful without the history.
const HISTORY_LIMIT: Duration = HISTORY_TIMEOUTS.operation;

/// The controller, with its ports.
#[derive(Debug)]
pub struct Controller<R, I, M, H> {
    /// The state.
    pub states: StateCache<R>,
    /// The transitions of the past, for the status.
    pub history: H,
    /// The services.
    pub services: I,
    /// The rules for requests: timeouts, fallback, outcomes.
    pub rules: RequestRules,
    /// The path that a custom domain's mapping puts before the API's own.
    pub base_path: BasePath,
    /// How many probes this environment may send.
    pub probe_limit: ProbeLimit,
    /// The metric log.
    pub metrics: M,
    /// The deployment whose metrics they are.
    pub deployment: String,
    /// The policy, for the status.
    pub policy: Policy,
    /// The target of operators' commands, for the status.
    pub commands: CommandTarget,
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog, H: HistoryReader> Controller<R, I, M, H> {
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
                error_answer(400, BTreeMap::new(), ErrorCode::BadEvent, message)
            }
            Ok(request) if request.route_key == STATUS_ROUTE => self.status(&request, current, answer_by).await,
            Ok(request) if request.is_open() => preflight(current),
            Ok(request) => match request.path(&self.base_path) {
                path if path.trim_matches('/') == STATUS_PATH.trim_matches('/') => no_status(&request, current),
                path if path.trim_end_matches('/') == DESCRIPTION_PATH => description(&request, current),
                _ => self.forward(event, &request, current, answer_by).await,
            },
        }
    }

    async fn status(&self, request: &Request<'_>, current: &Current, answer_by: Instant) -> Box<RawValue> {
        let mut headers = RouteHeaders::own(current.level).headers();
        headers.insert("Cache-Control", "no-store".to_owned());
        let count = match history_count(&request.raw_query_string) {
            Ok(count) => count,
            Err(message) => return error_answer(400, headers, ErrorCode::BadHistory, message),
        };
        // One address has two answers, and caches must not mix them up.
        headers.insert("Vary", "Accept".to_owned());
        let as_page = request.header("accept").is_some_and(|accept| page::prefers_html(&accept));
        let count = if as_page { page::TRANSITIONS } else { count };
        let history = self.history(current, count, answer_by).await;
        let view = View {
            current,
            history: history.as_ref(),
            policy: Some(&self.policy),
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

    /// Returns the newest transitions if the request asks for some. The status does not fail because of them.
    async fn history(&self, current: &Current, count: u64, answer_by: Instant) -> Option<History> {
        if count == 0 {
            return None;
        }
        let epoch = match (&current.state, current.source) {
            (Some(state), _) => state.epoch,
            (None, Source::FirstStart) => return Some(Ok(Transitions::default())),
            (None, _) => {
                let problem = "the state is not known or written by a newer version, so its epoch is not known either";
                return Some(Err(problem.to_owned()));
            }
        };
        let answer_by = answer_by.min(Instant::now() + HISTORY_LIMIT);
        let read = timeout_at(answer_by, self.history.transitions(epoch, count)).await;
        let problem = match read {
            Ok(Ok(transitions)) => return Some(Ok(transitions)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the table did not answer in time".to_owned(),
        };
        tracing::warn!(error.message = problem, "the history cannot be read");
        Some(Err("the records cannot be read now".to_owned()))
    }
}

/// Returns the API's description.
fn description(request: &Request<'_>, current: &Current) -> Box<RawValue> {
    let mut headers = RouteHeaders::own(current.level).headers();
    if !request.is_read() {
        headers.insert("Allow", "GET, HEAD".to_owned());
        let message = "The description of the API can only be read.";
        return error_answer(405, headers, ErrorCode::MethodNotAllowed, message);
    }
    text_answer(200, headers, "application/json", DESCRIPTION)
}

/// Answers an OPTIONS request for which API Gateway asked no caller's credentials. API Gateway answers preflights of CORS
/// by itself and adds the headers of CORS to this answer. Without credentials no request reaches a service, and none
/// has an outcome.
fn preflight(current: &Current) -> Box<RawValue> {
    empty_answer(204, &RouteHeaders::own(current.level).headers())
}

/// Answers requests whose path resembles the status route but does not match it.
fn no_status(request: &Request<'_>, current: &Current) -> Box<RawValue> {
    let mut headers = RouteHeaders::own(current.level).headers();
    if request.method() == "GET" {
        let message = "There is nothing here; the breaker's status is at GET /circuit-breaker, spelled exactly so.";
        return error_answer(404, headers, ErrorCode::NotFound, message);
    }
    headers.insert("Allow", "GET".to_owned());
    let message = "The status is read with GET; the level is forced by starting the state machine, not over HTTP.";
    error_answer(405, headers, ErrorCode::MethodNotAllowed, message)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
