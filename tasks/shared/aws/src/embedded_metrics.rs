//! Metrics as log lines: the embedded metric format.

use std::io::{Write, stdout};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use metrique_writer_format_emf::{MetricDefinition, MetricDirective, StorageResolution};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::metrics::{Metric, MetricLog, MetricSet};

/// Initial capacity of a line, large enough for the metrics that the system writes.
const LINE_BYTES: usize = 1024;

/// Writes each set as one line of embedded metric format on standard output, from where Lambda's log
/// delivery takes it to CloudWatch: no call, no latency.
///
/// The metadata of a line is longer than its values and the same for each request, so it is serialized once.
#[derive(Debug, Default)]
pub struct EmbeddedMetricLog {
    /// The metadata, each with a set that it describes. The code has about a dozen kinds of sets.
    directives: Mutex<Vec<(MetricSet, Arc<RawValue>)>>,
}

impl MetricLog for EmbeddedMetricLog {
    fn record(&self, now: Timestamp, metrics: &MetricSet) {
        let written = self.line(now, metrics).map_err(Into::into).and_then(|line| stdout().write_all(&line));
        if let Err(error) = written {
            tracing::warn!(error.message = %error, metrics.namespace = metrics.namespace, "metrics were not recorded");
        }
    }
}

impl EmbeddedMetricLog {
    /// Returns one line, with its line break, at a storage resolution of one second. A value that is not a number, or
    /// infinite, is written as `null`.
    ///
    /// # Errors
    /// Never in practice.
    pub fn line(&self, now: Timestamp, set: &MetricSet) -> serde_json::Result<Vec<u8>> {
        let directive = self.directive(set)?;
        let metadata = Metadata { timestamp_ms: now.as_millisecond(), directives: [&directive] };
        let mut line = Vec::with_capacity(LINE_BYTES);
        serde_json::to_writer(&mut line, &Line { metadata, set })?;
        line.push(b'\n');
        Ok(line)
    }

    fn directive(&self, set: &MetricSet) -> serde_json::Result<Arc<RawValue>> {
        let mut directives = self.directives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, directive)) = directives.iter().find(|(described, _)| differ_in_values_alone(described, set)) {
            return Ok(Arc::clone(directive));
        }
        let directive: Arc<RawValue> = to_raw_value(&directive_of(set))?.into();
        directives.push((set.clone(), Arc::clone(&directive)));
        Ok(directive)
    }
}

fn differ_in_values_alone(one: &MetricSet, other: &MetricSet) -> bool {
    let dimension = |(name, _): &(&'static str, String)| *name;
    let metric = |metric: &Metric| (metric.name, metric.unit);
    one.namespace == other.namespace
        && one.dimensions.iter().map(dimension).eq(other.dimensions.iter().map(dimension))
        && one.metrics.iter().map(metric).eq(other.metrics.iter().map(metric))
}

fn directive_of(set: &MetricSet) -> MetricDirective<'_> {
    let definition = |metric: &Metric| MetricDefinition {
        name: metric.name,
        unit: metric.unit,
        storage_resolution: Some(StorageResolution::Second),
    };
    MetricDirective {
        dimensions: vec![set.dimensions.iter().map(|(name, _)| *name).collect()],
        metrics: set.metrics.iter().map(definition).collect(),
        namespace: set.namespace,
    }
}

/// The prefix that distinguishes metrics from other log lines.
#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "Timestamp")]
    timestamp_ms: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: [&'a RawValue; 1],
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
    use breaker::Level;

    use super::*;

    fn line(log: &EmbeddedMetricLog, set: &MetricSet) -> String {
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        String::from_utf8(log.line(now, set).unwrap()).unwrap()
    }

    fn service(level: Level, metrics: Vec<Metric>) -> MetricSet {
        MetricSet::of_service("bank-dev", level, metrics)
    }

    #[test]
    fn a_line_is_metadata_dimensions_and_values() {
        let metrics = vec![Metric::count("Success", 1), Metric::milliseconds("ResponseTime", 12.5)];
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
        assert_eq!(line(&EmbeddedMetricLog::default(), &service(Level::Degraded, metrics)), expected);
    }

    #[test]
    fn what_was_written_before_changes_no_line() {
        let success = |level, value| service(level, vec![Metric::milliseconds("ResponseTime", value)]);
        let log = EmbeddedMetricLog::default();
        for set in [
            success(Level::Full, 1.0),
            success(Level::Full, 2.0),
            success(Level::Degraded, 3.0),
            service(Level::Full, vec![Metric::seconds("ResponseTime", 1.0)]),
            service(Level::Full, vec![Metric::count("Error", 1), Metric::milliseconds("ResponseTime", 1.0)]),
            MetricSet::of_deployment(
                "CircuitBreaker/Service",
                "bank-dev",
                vec![Metric::milliseconds("ResponseTime", 1.0)],
            ),
            MetricSet::of_deployment(
                "CircuitBreaker/Controller",
                "bank-dev",
                vec![Metric::milliseconds("ResponseTime", 1.0)],
            ),
        ] {
            assert_eq!(line(&log, &set), line(&EmbeddedMetricLog::default(), &set));
        }
        // The metrics of all levels share their metadata.
        assert_eq!(log.directives.lock().unwrap().len(), 5);
    }
}
