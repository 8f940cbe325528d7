//! The account's trail of the last 90 days.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::sleep;

use super::errors::call_error;
use crate::ports::{StartEvent, Trail};

/// `CloudTrail` allows two calls a second in an account and region.
const PAUSE: Duration = Duration::from_millis(550);

/// The event history of `CloudTrail`.
#[derive(Clone, Debug)]
pub struct CloudTrail {
    client: Client,
}

impl CloudTrail {
    /// The event history of the account.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    user_identity: UserIdentity,
    #[serde(default)]
    request_parameters: Option<RequestParameters>,
    #[serde(default)]
    response_elements: Option<ResponseElements>,
    #[serde(default)]
    error_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity {
    arn: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct RequestParameters {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseElements {
    execution_arn: Option<String>,
}

/// Reads an event; `None` if it has another form, or if AWS refused the start.
fn start_event(event: &str) -> Option<StartEvent> {
    let Event { user_identity, request_parameters, response_elements, error_code } =
        serde_json::from_str(event).ok()?;
    if error_code.is_some() {
        return None;
    }
    let principal = user_identity.arn.or(user_identity.kind).unwrap_or_else(|| "unknown".to_owned());
    let name = request_parameters.and_then(|parameters| parameters.name);
    let execution = response_elements.and_then(|elements| elements.execution_arn);
    Some(StartEvent { name, execution, principal })
}

impl Trail for CloudTrail {
    async fn starts(&self, from: Timestamp, until: Timestamp) -> Result<Vec<StartEvent>, CallError> {
        let by_name = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value("StartExecution")
            .build()
            .map_err(|error| CallError::new(ErrorKind::Refused, error))?;
        let mut pages = self
            .client
            .lookup_events()
            .lookup_attributes(by_name)
            .start_time(DateTime::from_secs(from.as_second()))
            .end_time(DateTime::from_secs(until.as_second()))
            .into_paginator()
            .send();
        let mut events = Vec::new();
        loop {
            sleep(PAUSE).await;
            let Some(page) = pages.next().await else { return Ok(events) };
            let page = page.map_err(|error| call_error("the trail cannot be read", error))?;
            events.extend(page.events().iter().filter_map(|event| start_event(event.cloud_trail_event()?)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use super::*;

    #[test]
    fn an_event_tells_the_execution_and_who_started_it() {
        let execution = "arn:aws:states:eu-central-1:1:express:bank:release-1:2";
        let event = serde_json::json!({
            "eventName": "StartExecution",
            "userIdentity": {"type": "AssumedRole", "arn": "alice"},
            "requestParameters": {"name": "release-1", "input": "HIDDEN_DUE_TO_SECURITY_REASONS"},
            "responseElements": {"executionArn": execution},
        });
        let StartEvent { name, execution: read, principal } = start_event(&event.to_string()).unwrap();
        assert_eq!((name.as_deref(), read.as_deref()), (Some("release-1"), Some(execution)));
        assert_eq!(principal, "alice");
    }

    #[test]
    fn an_event_of_a_start_that_was_refused_proves_nothing() {
        let refused =
            r#"{"userIdentity": {"arn": "a"}, "errorCode": "AccessDenied", "requestParameters": {"name": "x"}}"#;
        assert_eq!(start_event(refused), None);
        assert_eq!(start_event("no JSON"), None);
    }
}
