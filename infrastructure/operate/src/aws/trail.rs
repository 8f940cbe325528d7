//! The account's trail of the last 90 days.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::Timestamp;
use tokio::time::sleep;

use super::errors::call_error;
use crate::history::StartEvent;
use crate::ports::{CallError, CallErrorKind, Trail};

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

impl Trail for CloudTrail {
    async fn starts(&self, from: Timestamp, until: Timestamp) -> Result<Vec<StartEvent>, CallError> {
        let by_name = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value("StartExecution")
            .build()
            .map_err(|error| CallError { kind: CallErrorKind::Refused, message: error.to_string() })?;
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
            let page = page.map_err(|error| call_error("the trail cannot be read", &error))?;
            events.extend(page.events().iter().filter_map(|event| StartEvent::parse(event.cloud_trail_event()?)));
        }
    }
}
