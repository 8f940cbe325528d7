//! Parses the body of a queue message as an alarm's notification.

use std::collections::BTreeMap;
use std::fmt;

use breaker::validation::object;
use breaker::{AlarmHint, InvalidRequest, place_of_error};
use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The kind of an alarm, by its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// Failures or slow calls of a level.
    Failure,
    /// Successes of a level, which may allow a recovery.
    Recovery,
    /// Another metric. The alarm is still a hint to evaluate.
    Other,
}

/// The parts of an alarm's notification that the alarm processor reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmNotification {
    /// The alarm, for the state machine's input.
    pub hint: AlarmHint,
    /// The kind of the alarm.
    pub kind: AlarmKind,
    /// Whether the alarm changed to ALARM. Changes to OK and `INSUFFICIENT_DATA` start no evaluation.
    pub went_off: bool,
}

/// An invalid body: the part that is invalid, and what is wrong with it. The error never quotes the content, because
/// errors are logged and the queue may carry anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an alarm notification: {part} {problem}")]
pub struct NotAnAlarm {
    /// The part that is invalid.
    pub part: Part,
    /// What is wrong with it.
    pub problem: Problem,
}

/// A part of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole body.
    Body,
    /// The alarm message inside the SNS envelope.
    EnvelopedMessage,
    /// A member of the envelope, of the alarm message or of its trigger.
    Member(&'static str),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("the body"),
            Self::EnvelopedMessage => f.write_str("`Message` of the SNS envelope"),
            Self::Member(name) => write!(f, "`{name}`"),
        }
    }
}

/// What is wrong with a part of a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The part is not a JSON object.
    #[error("is no JSON object (line {line}, column {column})")]
    NoObject {
        /// The line of the error, from 1; 0 if the text is empty.
        line: usize,
        /// The column in that line.
        column: usize,
    },
    /// The member is missing.
    #[error("is missing")]
    Missing,
    /// The member has another type. Contains the expected type and the place.
    #[error("is invalid: {0}")]
    OtherType(String),
    /// The member is none of the allowed values.
    #[error("is not {0}")]
    NotAllowed(&'static str),
    /// The state machine would refuse the member.
    #[error("would be refused: {0}")]
    Refused(InvalidRequest),
}

impl Part {
    const fn with(self, problem: Problem) -> NotAnAlarm {
        NotAnAlarm { part: self, problem }
    }
}

/// The unparsed members of an object. Only members that are needed are parsed, so all others may have any form: for
/// example, composite alarms and metric-math alarms have another trigger than alarms on one metric.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Parses a body: an SNS envelope around an alarm message, or the message itself if raw message delivery is on.
///
/// # Errors
/// Names the part that is invalid.
pub fn parse(body: &str) -> Result<AlarmNotification, NotAnAlarm> {
    let outer = members(body, Part::Body)?;
    if !outer.contains_key("Message") {
        return notification(&outer);
    }
    let kind: String = required(&outer, "Type")?;
    if kind != "Notification" {
        return Err(Part::Member("Type").with(Problem::NotAllowed("\"Notification\"")));
    }
    let message: String = required(&outer, "Message")?;
    notification(&members(&message, Part::EnvelopedMessage)?)
}

fn members(text: &str, part: Part) -> Result<Members<'_>, NotAnAlarm> {
    serde_json::from_str(text)
        .map_err(|error| part.with(Problem::NoObject { line: error.line(), column: error.column() }))
}

fn required<T: DeserializeOwned>(members: &Members<'_>, name: &'static str) -> Result<T, NotAnAlarm> {
    optional(members, name)?.ok_or_else(|| Part::Member(name).with(Problem::Missing))
}

fn optional<T: DeserializeOwned>(members: &Members<'_>, name: &'static str) -> Result<Option<T>, NotAnAlarm> {
    let Some(value) = members.get(name) else { return Ok(None) };
    serde_json::from_str(value.get())
        .map_err(|error| Part::Member(name).with(Problem::OtherType(place_of_error(&error))))
}

fn notification(message: &Members<'_>) -> Result<AlarmNotification, NotAnAlarm> {
    let name: String = required(message, "AlarmName")?;
    let went_off = match required::<String>(message, "NewStateValue")?.as_str() {
        "ALARM" => true,
        "OK" | "INSUFFICIENT_DATA" => false,
        _ => return Err(Part::Member("NewStateValue").with(Problem::NotAllowed("ALARM, OK or INSUFFICIENT_DATA"))),
    };
    let state_change_time = optional::<String>(message, "StateChangeTime")?.as_deref().map(change_time).transpose()?;
    let hint = AlarmHint::new(name, optional(message, "AlarmArn")?, state_change_time).map_err(|error| {
        let member = if error.field() == "name" { "AlarmName" } else { "AlarmArn" };
        Part::Member(member).with(Problem::Refused(error))
    })?;
    Ok(AlarmNotification { hint, kind: kind(message)?, went_off })
}

fn kind(message: &Members<'_>) -> Result<AlarmKind, NotAnAlarm> {
    let trigger: Option<&RawValue> = message.get("Trigger").copied().filter(|trigger| trigger.get() != "null");
    let Some(trigger) = trigger else { return Ok(AlarmKind::Other) };
    let trigger = members(trigger.get(), Part::Member("Trigger"))?;
    let metric: Option<String> = optional(&trigger, "MetricName")?;
    let metrics = match metric {
        Some(metric) => vec![metric],
        None => metrics_of_math(&trigger),
    };
    let watches = |names: &[&str]| metrics.iter().any(|metric| names.contains(&metric.as_str()));
    Ok(if watches(&["Error", "SlowCall"]) {
        AlarmKind::Failure
    } else if watches(&["Success"]) {
        AlarmKind::Recovery
    } else {
        AlarmKind::Other
    })
}

/// A query of a metric-math alarm. A query that is an expression has no metric.
#[derive(Deserialize)]
struct Query {
    #[serde(rename = "MetricStat")]
    stat: Option<Stat>,
}

#[derive(Deserialize)]
struct Stat {
    #[serde(rename = "Metric")]
    metric: QueryMetric,
}

#[derive(Deserialize)]
struct QueryMetric {
    #[serde(rename = "MetricName")]
    name: String,
}

/// Returns the metrics that the queries of a metric-math alarm read. If the queries are invalid, returns an empty list,
/// because the alarm is still a hint.
fn metrics_of_math(trigger: &Members<'_>) -> Vec<String> {
    let queries: Vec<Query> =
        trigger.get("Metrics").and_then(|queries| object::from_str(queries.get()).ok()).unwrap_or_default();
    queries.into_iter().filter_map(|query| Some(query.stat?.metric.name)).collect()
}

/// The allowed values of `StateChangeTime`.
const A_TIME: &str = "a time such as 2026-09-10T14:06:12.544+0000";

/// Parses the time of a state change. `CloudWatch` writes the offset without a colon, which RFC 3339 does not allow;
/// other senders write `Z`.
fn change_time(text: &str) -> Result<Timestamp, NotAnAlarm> {
    BrokenDownTime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text)
        .and_then(|time| time.to_timestamp())
        .or_else(|_| text.parse())
        // The parser's own message quotes the text.
        .map_err(|_| Part::Member("StateChangeTime").with(Problem::NotAllowed(A_TIME)))
}
