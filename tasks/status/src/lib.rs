//! Answers `GET /circuit-breaker`, as a page for people and as JSON for programs, and `GET /openapi.json`.
//!
//! Reads only. The state is read for each answer, strongly consistent. Everything else is read at most once in ten
//! seconds, however many people look. Each source may fail alone.

mod answer;
mod event;
mod observed;
mod page;
mod place;
mod query;
mod rules;
mod settings;
mod sources;
mod status;
mod traffic;
mod view;

use std::sync::Arc;
use std::time::Duration;

use aws_edge::clients::Timeouts;
use aws_edge::connections::AgeClock;
use aws_edge::stores::state::{StateReader, StoreError, Stored};
use breaker::Policy;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use answer::Headers;
pub use answer::{Answer, ErrorBody, ErrorCode};
use event::Request;
pub use observed::{Health, LevelCalls, Observed};
pub use place::Place;
use query::{Query, QueryError, Range};
pub use settings::Settings;
pub use sources::{
    Alarm, AlarmChange, AlarmReader, CloudWatch, RecordReader, RecordTable, Records, SourceError, TrafficReader,
};
use sources::{Cached, Source};
pub use status::{BreakerStatus, Status};
pub use traffic::{Minute, Outcomes, Sample, Series, Traffic};
use traffic::{minute_of, minutes_before};
pub use view::LevelSource;
use view::View;

/// The path of the breaker's status.
const STATUS_PATH: &str = "/circuit-breaker";
/// The path of the API's description.
const DESCRIPTION_PATH: &str = "/openapi.json";
/// The API's description (OpenAPI). A test generates it from the types and compares it.
const DESCRIPTION: &str = include_str!("../../../infrastructure/openapi.json");
/// The header that names the current level.
const LEVEL_HEADER: &str = "X-Circuit-Breaker-Level";

/// Timeouts of the calls. The page's script gives up after 4 s.
pub const TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(1_200), operation: Duration::from_millis(2_400) };
/// Maximum duration of reading the state.
const STATE_LIMIT: Duration = TIMEOUTS.operation;

/// The metrics and the alarms' history of one time range.
#[derive(Debug)]
struct OfRange {
    range: Range,
    traffic: Cached<Traffic>,
    changes: Cached<Vec<AlarmChange>>,
}

impl OfRange {
    fn new(range: Range, clock: &AgeClock) -> Self {
        let (traffic, changes) =
            (Cached::new(Source::Metrics, clock.clone()), Cached::new(Source::AlarmHistory, clock.clone()));
        Self { range, traffic, changes }
    }
}

/// The status function, with its ports.
#[derive(Debug)]
pub struct StatusFunction<S, R, C> {
    states: S,
    records: R,
    cloudwatch: C,
    policy: Policy,
    place: Place,
    newest_records: Cached<Records>,
    alarms: Cached<Vec<Alarm>>,
    hour: OfRange,
    six_hours: OfRange,
    day: OfRange,
}

impl<S: StateReader, R: RecordReader, C: TrafficReader + AlarmReader> StatusFunction<S, R, C> {
    /// Returns the function.
    #[must_use]
    pub fn new(states: S, records: R, cloudwatch: C, policy: Policy, place: Place) -> Self {
        let clock = AgeClock::of_system();
        Self {
            states,
            records,
            cloudwatch,
            policy,
            place,
            newest_records: Cached::new(Source::Records, clock.clone()),
            alarms: Cached::new(Source::Alarms, clock.clone()),
            hour: OfRange::new(Range::Hour, &clock),
            six_hours: OfRange::new(Range::SixHours, &clock),
            day: OfRange::new(Range::Day, &clock),
        }
    }

    /// Answers one request.
    ///
    /// # Errors
    /// Never in practice: every answer can be written as JSON.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Result<Answer, serde_json::Error> {
        let bad_event = |message: &str| Answer::error(400, Headers::new(), ErrorCode::BadEvent, message);
        let Ok(request) = serde_json::from_value::<Request>(event) else {
            return bad_event("This function answers HTTP API events, payload format 2.0.");
        };
        let description = || Answer::text(200, Headers::new(), "application/json", DESCRIPTION.to_owned());
        match request.route_key.split_once(' ') {
            Some(("GET", STATUS_PATH)) => self.status(&request, now).await,
            Some(("HEAD", STATUS_PATH)) => self.status(&request, now).await.map(Answer::without_body),
            Some(("GET", DESCRIPTION_PATH)) => Ok(description()),
            Some(("HEAD", DESCRIPTION_PATH)) => Ok(description().without_body()),
            _ => bad_event("The event is of none of this function's routes."),
        }
    }

    async fn status(&self, request: &Request, now: Timestamp) -> Result<Answer, serde_json::Error> {
        // One address has two answers, and caches must not mix them up.
        let mut headers = Headers::from([("Cache-Control", "no-store".to_owned()), ("Vary", "Accept".to_owned())]);
        let query = match Query::read(&request.raw_query_string) {
            Ok(query) => query,
            Err(error) => {
                let code = match error {
                    QueryError::History => ErrorCode::BadHistory,
                    QueryError::Hours => ErrorCode::BadHours,
                };
                return Answer::error(400, headers, code, error.to_string());
            }
        };
        let of_range = match query.range {
            Range::Hour => &self.hour,
            Range::SixHours => &self.six_hours,
            Range::Day => &self.day,
        };
        let from = minutes_before(minute_of(now), of_range.range.hours() * 60);
        let (stored, records, traffic, alarms, changes) = tokio::join!(
            self.stored(),
            self.newest_records.get(self.records.records()),
            of_range.traffic.get(self.cloudwatch.traffic(from, now)),
            self.alarms.get(self.cloudwatch.alarms()),
            of_range.changes.get(self.cloudwatch.changes(from)),
        );
        let view = View {
            now,
            place: &self.place,
            policy: &self.policy,
            stored: stored.as_ref(),
            traffic: Arc::as_ref(&traffic).as_ref(),
            alarms: Arc::as_ref(&alarms).as_ref(),
            changes: Arc::as_ref(&changes).as_ref(),
            records: Arc::as_ref(&records).as_ref(),
            range: query.range,
        };
        if let (Some(level), _) = view.level() {
            headers.insert(LEVEL_HEADER, level.to_string());
        }
        if request.header("accept").is_some_and(page::prefers_html) {
            headers.extend(page::headers());
            return Ok(Answer::text(200, headers, "text/html; charset=utf-8", page::page(&view).into_string()));
        }
        let body = serde_json::to_string(&Status::new(&view, query.history))?;
        Ok(Answer::text(200, headers, "application/json", body))
    }

    /// Reads the state. It is never cached, so that a level that was forced shows at once.
    async fn stored(&self) -> Result<Stored, SourceError> {
        let read = timeout(STATE_LIMIT, self.states.read()).await;
        let read = read.map_err(|_| SourceError::TooSlow)?;
        read.map_err(|error: StoreError| {
            tracing::warn!(error.message = %error, source = Source::State.name(), "unreadable source");
            SourceError::Unreachable(Box::new(error))
        })
    }
}
