//! Compares the slowest answers of level 1 with the time that a GET or HEAD waits for them.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_edge::metrics::{namespace, service_dimensions};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use breaker::{Level, Preset};
use jiff::Timestamp;
use serde_json::Value;

use crate::deployment::Deployment;

/// Time range of the response times, in seconds: one period.
const DAY: i32 = 86_400;
/// The time that all but one of a thousand calls do not exceed.
const STATISTIC: &str = "p99.9";
/// Parameter of the main stack with the settings that differ from their defaults, as JSON.
const SETTINGS: &str = "BreakerConfig";
const READ_TIMEOUT: &str = "request_path.read_timeout_milliseconds";

/// Returns a warning if reads of a deployed system would lose answers to its read timeout. Without a read timeout, without
/// data and without the right to read either there is none.
pub async fn warning_of_deployed(config: &SdkConfig, deployment: &Deployment, now: Timestamp) -> Option<String> {
    let stacks = aws_sdk_cloudformation::Client::new(config);
    let described = stacks.describe_stacks().stack_name(&deployment.place.stack).send().await.ok()?;
    let parameters = described.stacks().first()?.parameters();
    let settings = parameters.iter().find(|one| one.parameter_key() == Some(SETTINGS))?.parameter_value()?;
    warning(config, &deployment.name(), read_timeout(settings)?, now).await
}

/// Returns a warning if reads with this timeout would lose answers of level 1 by the metrics of the last day. Without data
/// and without the right to read them there is none.
pub async fn warning(config: &SdkConfig, deployment: &str, read_timeout: Duration, now: Timestamp) -> Option<String> {
    let dimensions = service_dimensions(deployment, Level::Full).into_iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
    let metric = Metric::builder().namespace(namespace::SERVICE).metric_name("ResponseTime");
    let metric = metric.set_dimensions(Some(dimensions)).build();
    let statistic = MetricStat::builder().metric(metric).period(DAY).stat(STATISTIC).build();
    let call = aws_sdk_cloudwatch::Client::new(config)
        .get_metric_data()
        .metric_data_queries(MetricDataQuery::builder().id("slowest").metric_stat(statistic).build())
        .start_time(DateTime::from_secs(now.as_second() - i64::from(DAY)))
        .end_time(DateTime::from_secs(now.as_second() + 1));
    let answer = call.send().await.ok()?;
    // A day that does not begin at midnight is two buckets.
    let milliseconds = answer.metric_data_results().first()?.values().iter().copied().reduce(f64::max)?;
    sentence(Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()?, read_timeout)
}

/// A call that the controller gives up has the read timeout as its response time, so equal is too slow.
fn sentence(slowest: Duration, read_timeout: Duration) -> Option<String> {
    (slowest >= read_timeout).then(|| {
        format!(
            "one of 1,000 calls of level 1 took {} ms or longer in the last day, and a read waits {} ms for it \
             ({READ_TIMEOUT}): such reads are answered by level 2 and count as failures of level 1. Raise the timeout, or \
             make level 1 faster",
            slowest.as_millis(),
            read_timeout.as_millis()
        )
    })
}

/// Returns the read timeout of a deployment's settings; `None` if reads wait as long as the service may take.
fn read_timeout(settings: &str) -> Option<Duration> {
    let settings: Value = serde_json::from_str(settings).ok()?;
    let preset = || serde_json::from_value(settings.get("policy.preset")?.clone()).ok();
    match settings.get(READ_TIMEOUT).and_then(Value::as_u64) {
        Some(milliseconds) => Some(Duration::from_millis(milliseconds)),
        None => preset().unwrap_or(Preset::default()).read_timeout(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_the_set_one_or_that_of_the_preset() {
        let of = |settings: &str| read_timeout(settings).map(|timeout| timeout.as_millis());
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"policy.preset":"production"}"#), Some(2_000));
        let both = r#"{"policy.preset":"production","request_path.read_timeout_milliseconds":1500}"#;
        assert_eq!(of(both), Some(1_500));
        assert_eq!(of(r#"{"request_path.read_timeout_milliseconds":900}"#), Some(900));
        assert_eq!(of("unreadable"), None);
    }

    #[test]
    fn only_a_tail_that_reaches_the_timeout_is_warned_of() {
        let timeout = Duration::from_secs(2);
        assert_eq!(sentence(Duration::from_millis(1_999), timeout), None);
        let text = sentence(Duration::from_millis(2_001), timeout).unwrap();
        assert!(text.contains("took 2001 ms") && text.contains("waits 2000 ms"), "{text}");
    }
}
