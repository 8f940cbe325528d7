//! Writes metrics with `PutMetricData`, for the task `emit-metrics`.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use jiff::Timestamp;

use crate::call_error::CallError;
use crate::metrics::MetricSet;

/// The metrics were not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metrics cannot be stored: {0}")]
pub struct NotStored(#[from] pub CallError);

/// Stores metrics.
pub trait MetricWriter {
    /// Stores the metrics as of `now`.
    fn put(&self, now: Timestamp, metrics: &MetricSet) -> impl Future<Output = Result<(), NotStored>> + Send;
}

/// `CloudWatch`.
#[derive(Clone, Debug)]
pub struct CloudWatch(pub Client);

impl MetricWriter for CloudWatch {
    async fn put(&self, now: Timestamp, set: &MetricSet) -> Result<(), NotStored> {
        let dimensions: Vec<_> =
            set.dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(value).build()).collect();
        let data = set.metrics.iter().map(|metric| {
            MetricDatum::builder()
                .metric_name(metric.name)
                .set_dimensions(Some(dimensions.clone()))
                .timestamp(DateTime::from_millis(now.as_millisecond()))
                .value(metric.value)
                .unit(StandardUnit::from(metric.unit.name()))
                .build()
        });
        self.0
            .put_metric_data()
            .namespace(set.namespace)
            .set_metric_data(Some(data.collect()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| NotStored(error.into()))
    }
}
