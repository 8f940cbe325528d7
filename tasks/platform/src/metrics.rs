//! The metrics that the system emits: names, dimensions, and the embedded metric format.

use std::io::{Write, stdout};

use breaker::Level;
use jiff::{SignedDuration, Timestamp};
use metrique_writer_format_emf::{MetricDefinition, MetricDirective, StorageResolution};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use metrique_writer_core::unit::{NegativeScale, Unit};

/// The namespaces of the seed, and that of the transitions.
pub mod namespace {
    /// Outcomes of service invocations.
    pub const SERVICE: &str = "CircuitBreaker/Service";
    /// What the controller saw and answered.
    pub const CONTROLLER: &str = "CircuitBreaker/Controller";
    /// What the alarm processor made of the queue.
    pub const ALARM_PROCESSOR: &str = "CircuitBreaker/AlarmProcessor";
    /// What the state machine evaluated and changed.
    pub const TRANSITIONS: &str = "CircuitBreaker/Transitions";
}

/// Milliseconds, as a unit of a metric.
pub const MILLISECONDS: Unit = Unit::Second(NegativeScale::Milli);

/// Seconds, as a unit of a metric.
pub const SECONDS: Unit = Unit::Second(NegativeScale::One);

/// One value of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The metric's name.
    pub name: &'static str,
    /// The unit of `value`.
    pub unit: Unit,
    /// The value.
    pub value: f64,
}

impl Metric {
    /// A count.
    #[must_use]
    pub fn count(name: &'static str, value: u32) -> Self {
        Self { name, unit: Unit::Count, value: f64::from(value) }
    }

    /// A duration in milliseconds.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: f64) -> Self {
        Self { name, unit: MILLISECONDS, value }
    }

    /// A duration in minutes, for which CloudWatch has no unit.
    #[must_use]
    pub fn minutes(name: &'static str, value: SignedDuration) -> Self {
        Self { name, unit: Unit::None, value: value.as_secs_f64() / 60.0 }
    }

    /// A duration in seconds.
    #[must_use]
    pub fn seconds(name: &'static str, value: f64) -> Self {
        Self { name, unit: SECONDS, value }
    }

    /// A level, 1 to 3, which has no unit.
    #[must_use]
    pub fn level(name: &'static str, level: Level) -> Self {
        Self { name, unit: Unit::None, value: f64::from(level.number()) }
    }
}

/// Metrics of one namespace that share their dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSet {
    /// The namespace.
    pub namespace: &'static str,
    /// Names and values of the one dimension set; a dimension more would be another metric.
    pub dimensions: Vec<(&'static str, String)>,
    /// The values.
    pub metrics: Vec<Metric>,
}

impl MetricSet {
    /// Metrics whose only dimension is the deployment.
    #[must_use]
    pub fn of_deployment(namespace: &'static str, deployment: &str, metrics: Vec<Metric>) -> Self {
        Self { namespace, dimensions: vec![("Deployment", deployment.to_owned())], metrics }
    }

    /// Metrics of one level's service: what the level alarms and the evidence read.
    #[must_use]
    pub fn of_service(deployment: &str, level: Level, metrics: Vec<Metric>) -> Self {
        Self { namespace: namespace::SERVICE, dimensions: service_dimensions(deployment, level), metrics }
    }
}

/// The dimensions of a level's service metrics.
#[must_use]
pub fn service_dimensions(deployment: &str, level: Level) -> Vec<(&'static str, String)> {
    vec![
        ("Deployment", deployment.to_owned()),
        ("ServiceLevel", level.to_string()),
        ("ServiceType", level.service_type().to_owned()),
    ]
}

/// The port through which a Lambda records metrics without a call.
pub trait MetricLog {
    /// Records the metrics as of `now`.
    fn record(&self, now: Timestamp, metrics: &MetricSet);
}

/// Writes each set as one line of embedded metric format on standard output, from where Lambda's log
/// delivery takes it to CloudWatch: no call, no latency.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddedMetricLog;

impl MetricLog for EmbeddedMetricLog {
    fn record(&self, now: Timestamp, metrics: &MetricSet) {
        let written = embedded_line(now, metrics).map_err(Into::into).and_then(|line| stdout().write_all(&line));
        if let Err(error) = written {
            tracing::warn!(error.message = %error, metrics.namespace = metrics.namespace, "metrics were not recorded");
        }
    }
}

/// Room for a line as they are, so that it need not grow.
const LINE_BYTES: usize = 1024;

/// One line of embedded metric format at a storage resolution of one second, with its end. A value that is not a
/// number, or infinite, is written as `null`.
///
/// # Errors
/// Never in practice.
pub fn embedded_line(now: Timestamp, set: &MetricSet) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(LINE_BYTES);
    serde_json::to_writer(&mut line, &Line { metadata: Metadata::of(now, set), set })?;
    line.push(b'\n');
    Ok(line)
}

/// What tells metrics from whatever else is logged.
#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "Timestamp")]
    timestamp_ms: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: [MetricDirective<'a>; 1],
}

impl<'a> Metadata<'a> {
    fn of(now: Timestamp, set: &'a MetricSet) -> Self {
        let definition = |metric: &Metric| MetricDefinition {
            name: metric.name,
            unit: metric.unit,
            storage_resolution: Some(StorageResolution::Second),
        };
        let directive = MetricDirective {
            dimensions: vec![set.dimensions.iter().map(|(name, _)| *name).collect()],
            metrics: set.metrics.iter().map(definition).collect(),
            namespace: set.namespace,
        };
        Self { timestamp_ms: now.as_millisecond(), directives: [directive] }
    }
}

struct Line<'a> {
    metadata: Metadata<'a>,
    set: &'a MetricSet,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("_aws", &self.metadata)?;
        for (name, value) in &self.set.dimensions {
            line.serialize_entry(name, value)?;
        }
        for metric in &self.set.metrics {
            line.serialize_entry(metric.name, &metric.value)?;
        }
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_metadata_dimensions_and_values() {
        let metrics = vec![Metric::count("Success", 1), Metric::milliseconds("ResponseTime", 12.5)];
        let set = MetricSet::of_service("bank-dev", Level::Degraded, metrics);
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let expected = concat!(
            r#"{"_aws":{"Timestamp":1700000000123,"CloudWatchMetrics":[{"#,
            r#""Dimensions":[["Deployment","ServiceLevel","ServiceType"]],"Metrics":["#,
            r#"{"Name":"Success","Unit":"Count","StorageResolution":1},"#,
            r#"{"Name":"ResponseTime","Unit":"Milliseconds","StorageResolution":1}],"#,
            r#""Namespace":"CircuitBreaker/Service"}]},"#,
            r#""Deployment":"bank-dev","ServiceLevel":"2","ServiceType":"degraded","#,
            r#""Success":1.0,"ResponseTime":12.5}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(embedded_line(now, &set).unwrap()).unwrap(), expected);
    }
}
