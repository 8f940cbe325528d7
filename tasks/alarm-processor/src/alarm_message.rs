//! From the body of a queue message to an alarm's notification.

use breaker::AlarmHint;
use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use serde::Deserialize;
use serde_json::Value;

/// What an alarm's metric tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// Failures of a level.
    Failure,
    /// Successes of a level, which may allow a recovery.
    Recovery,
    /// Something else; still a hint to look.
    Other,
}

/// An alarm's notification, as far as anybody here needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmNotification {
    /// What the state machine is told.
    pub hint: AlarmHint,
    /// What the alarm watches.
    pub kind: AlarmKind,
    /// Whether it went off. OK and `INSUFFICIENT_DATA` are no reason to look.
    pub went_off: bool,
}

/// A body that is no alarm's notification; says which part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an alarm notification: {0}")]
pub struct NotAnAlarm(String);

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Message")]
    message: String,
}

/// Only what is read: unknown members are none of our business, and composite or metric-math alarms
/// have no plain trigger.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    alarm_name: String,
    alarm_arn: Option<String>,
    new_state_value: String,
    state_change_time: Option<String>,
    trigger: Option<Trigger>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger {
    metric_name: Option<String>,
}

/// Reads a body: an SNS envelope around an alarm message, or the message itself, as it comes with
/// raw message delivery.
///
/// # Errors
/// Says what is not as it should be.
pub fn parse(body: &str) -> Result<AlarmNotification, NotAnAlarm> {
    let outer: Value =
        serde_json::from_str(body).map_err(|error| NotAnAlarm(format!("the body is no JSON: {error}")))?;
    let message = if outer.get("Message").is_some() {
        let envelope: Envelope = typed(outer, "the SNS envelope")?;
        if envelope.kind != "Notification" {
            return Err(NotAnAlarm("`Type` of the SNS envelope is not \"Notification\"".to_owned()));
        }
        serde_json::from_str(&envelope.message)
            .map_err(|error| NotAnAlarm(format!("`Message` of the SNS envelope is no JSON: {error}")))?
    } else {
        outer
    };
    notification(typed(message, "the alarm message")?)
}

fn typed<T: for<'de> Deserialize<'de>>(value: Value, what: &str) -> Result<T, NotAnAlarm> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        NotAnAlarm(format!("{what}, at `{path}`: {}", error.into_inner()))
    })
}

fn notification(message: Message) -> Result<AlarmNotification, NotAnAlarm> {
    let went_off = match message.new_state_value.as_str() {
        "ALARM" => true,
        "OK" | "INSUFFICIENT_DATA" => false,
        _ => return Err(NotAnAlarm("`NewStateValue` is not ALARM, OK or INSUFFICIENT_DATA".to_owned())),
    };
    if message.alarm_name.is_empty() {
        return Err(NotAnAlarm("`AlarmName` is empty".to_owned()));
    }
    let state_change_time = message.state_change_time.as_deref().map(change_time).transpose()?;
    let kind = match message.trigger.and_then(|trigger| trigger.metric_name).as_deref() {
        Some("Error") => AlarmKind::Failure,
        Some("Success") => AlarmKind::Recovery,
        _ => AlarmKind::Other,
    };
    let hint = AlarmHint { name: message.alarm_name, arn: message.alarm_arn, state_change_time };
    Ok(AlarmNotification { hint, kind, went_off })
}

/// `CloudWatch` writes the offset without a colon, which RFC 3339 does not know; others write `Z`.
fn change_time(text: &str) -> Result<Timestamp, NotAnAlarm> {
    BrokenDownTime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text)
        .and_then(|time| time.to_timestamp())
        .or_else(|_| text.parse())
        .map_err(|error| NotAnAlarm(format!("`StateChangeTime` is no time: {error}")))
}
