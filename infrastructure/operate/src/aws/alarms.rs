//! The deployment's alarms in `CloudWatch`.

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::StateValue;

use super::errors::call_error;
use crate::ports::{Alarm, Alarms};

/// The alarms of a deployment.
#[derive(Clone, Debug)]
pub struct AlarmsOf {
    client: Client,
    project: String,
    environment: String,
}

impl AlarmsOf {
    /// The alarms of the deployment of `project` in `environment`.
    #[must_use]
    pub fn new(config: &SdkConfig, project: &str, environment: &str) -> Self {
        let (project, environment) = (project.to_owned(), environment.to_owned());
        Self { client: Client::new(config), project, environment }
    }
}

impl Alarms for AlarmsOf {
    async fn alarms(&self) -> Result<Vec<Alarm>, CallError> {
        let call = self.client.describe_alarms().alarm_name_prefix(format!("{}-", self.project));
        let mut pages = call.into_paginator().send();
        let mut alarms = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("the alarms cannot be read", error))?;
            alarms.extend(page.metric_alarms().iter().filter_map(|alarm| {
                // Another deployment of the same project has another environment at the end.
                let name = alarm.alarm_name()?;
                name.ends_with(&format!("-{}", self.environment)).then(|| Alarm {
                    name: name.to_owned(),
                    is_on: alarm.state_value() == Some(&StateValue::Alarm),
                    actions_enabled: alarm.actions_enabled().unwrap_or(true),
                    since: alarm
                        .state_updated_timestamp()
                        .and_then(|time| jiff::Timestamp::from_second(time.secs()).ok()),
                })
            }));
        }
        Ok(alarms)
    }
}
