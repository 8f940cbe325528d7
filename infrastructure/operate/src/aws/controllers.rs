//! What the controllers report to `CloudWatch`.

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use jiff::Timestamp;

use super::errors::call_error;
use crate::ports::{Controllers, ControllersView};

/// Time range of the metrics, and their period.
const REACH_SECONDS: i64 = 300;
const PERIOD_SECONDS: i32 = 60;

/// The series: id, metric and statistic.
const SERIES: [(&str, &str, &str); 3] = [
    ("lowest", "CurrentLevel", "Minimum"),
    ("highest", "CurrentLevel", "Maximum"),
    ("age", "StateAgeSeconds", "Maximum"),
];

/// The controllers of a deployment.
#[derive(Clone, Debug)]
pub struct ControllersOf {
    client: Client,
    deployment: String,
}

impl ControllersOf {
    /// The controllers of the deployment with this name.
    #[must_use]
    pub fn new(config: &SdkConfig, deployment: String) -> Self {
        Self { client: Client::new(config), deployment }
    }

    fn query(&self, (id, metric, statistic): (&str, &str, &str)) -> MetricDataQuery {
        let deployment = Dimension::builder().name("Deployment").value(&self.deployment).build();
        let metric =
            Metric::builder().namespace("CircuitBreaker/Controller").metric_name(metric).dimensions(deployment).build();
        let statistic = MetricStat::builder().metric(metric).period(PERIOD_SECONDS).stat(statistic).build();
        MetricDataQuery::builder().id(id).metric_stat(statistic).build()
    }
}

impl Controllers for ControllersOf {
    async fn view(&self, now: Timestamp) -> Result<ControllersView, CallError> {
        let call = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(SERIES.into_iter().map(|series| self.query(series)).collect()))
            .start_time(DateTime::from_secs(now.as_second() - REACH_SECONDS))
            .end_time(DateTime::from_secs(now.as_second() + 1));
        let answer = call.send().await.map_err(|error| call_error("the controllers' metrics cannot be read", error))?;
        let values = |id: &str| {
            let found = answer.metric_data_results().iter().find(|result| result.id() == Some(id));
            found.map(MetricDataResult::values).unwrap_or_default().iter().copied()
        };
        Ok(ControllersView {
            lowest_level: values("lowest").reduce(f64::min),
            highest_level: values("highest").reduce(f64::max),
            oldest_state_seconds: values("age").reduce(f64::max),
        })
    }
}
