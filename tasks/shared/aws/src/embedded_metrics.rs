//! Metrics as log lines: the embedded metric format.
//!
//! Every line names its metrics and dimensions in about 400 bytes, and log bytes are billed. So a busy environment adds
//! up the metrics of each second of the wall clock, and writes one line for each set and second:
//!
//! - An environment is busy if its last request came less than a second before. Otherwise each set is a line.
//! - [`MetricLog::record`] writes at once, with all that is pending: failures and slow calls may make the level fall.
//!   [`MetricLog::record_soon`] may wait for the end of the second.
//! - A line has the time of the second in which its outcomes happened, even if it is written later.
//! - Pending metrics are written when their second is over ([`EmbeddedMetricLog::write_each_second`]), or at the end of
//!   the
//!   environment ([`EmbeddedMetricLog::write_pending`]). A killed environment loses at most one second, and no failure.

use std::io::{Stdout, Write, stdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::metrics::{Adding, Metric, MetricLog, MetricSet, Unit};

/// Initial capacity of a line, large enough for the metrics that the system writes.
const LINE_BYTES: usize = 1024;
/// Maximum number of values of one metric in a line, by the specification of the format.
const MAX_VALUES: usize = 100;
/// An environment whose last request came less than this before is busy.
const BUSY: Duration = Duration::from_secs(1);

/// Writes lines of embedded metric format to `W`, by default standard output, from where Lambda's log delivery takes
/// them to CloudWatch: no call, no latency.
///
/// The metadata of a line is longer than its values and the same for each line, so it is serialized once.
#[derive(Debug)]
pub struct EmbeddedMetricLog<W = Stdout> {
    output: Mutex<W>,
    /// The metadata, each with a set that it describes. The code has about a dozen kinds of sets.
    directives: Mutex<Vec<(MetricSet, Arc<RawValue>)>>,
    pending: Mutex<Pending>,
    /// Signals that metrics became pending.
    began: Notify,
}

/// The sets of one second that are not written yet.
#[derive(Debug, Default)]
struct Pending {
    /// Unix time of the second.
    second: i64,
    sets: Vec<Summed>,
    last_request: Option<Timestamp>,
    is_busy: bool,
}

/// Sets of the same namespace and dimensions, added up.
#[derive(Debug)]
struct Summed {
    namespace: &'static str,
    dimensions: Vec<(&'static str, String)>,
    metrics: Vec<SummedMetric>,
}

/// One metric with its values of a second.
#[derive(Debug)]
struct SummedMetric {
    name: &'static str,
    unit: Unit,
    values: Vec<f64>,
}

impl SummedMetric {
    fn add(&mut self, metric: &Metric) {
        match (self.values.as_mut_slice(), metric.adding) {
            ([one], Adding::Sum) => *one += metric.value,
            ([one], Adding::Maximum) => *one = one.max(metric.value),
            ([one], Adding::Newest) => *one = metric.value,
            _ => self.values.push(metric.value),
        }
    }
}

impl From<&Metric> for SummedMetric {
    fn from(metric: &Metric) -> Self {
        Self { name: metric.name, unit: metric.unit, values: vec![metric.value] }
    }
}

impl From<&MetricSet> for Summed {
    fn from(set: &MetricSet) -> Self {
        Self {
            namespace: set.namespace,
            dimensions: set.dimensions.clone(),
            metrics: set.metrics.iter().map(SummedMetric::from).collect(),
        }
    }
}

impl Summed {
    fn is_of(&self, set: &MetricSet) -> bool {
        self.namespace == set.namespace && self.dimensions == set.dimensions
    }

    fn is_full(&self) -> bool {
        self.metrics.iter().any(|metric| metric.values.len() >= MAX_VALUES)
    }

    fn add(&mut self, set: &MetricSet) {
        for metric in &set.metrics {
            match self.metrics.iter_mut().find(|known| known.name == metric.name && known.unit == metric.unit) {
                Some(known) => known.add(metric),
                None => self.metrics.push(SummedMetric::from(metric)),
            }
        }
    }
}

impl Default for EmbeddedMetricLog {
    fn default() -> Self {
        Self::new(stdout())
    }
}

impl<W: Write> MetricLog for EmbeddedMetricLog<W> {
    fn request(&self, now: Timestamp) {
        let mut pending = self.pending();
        pending.is_busy = pending.last_request.is_some_and(|last| {
            let gap = now.duration_since(last);
            !gap.is_negative() && gap.unsigned_abs() < BUSY
        });
        pending.last_request = Some(now);
        if pending.second != now.as_second() || !pending.is_busy {
            self.write_all(&mut pending);
        }
    }

    fn record(&self, now: Timestamp, metrics: &MetricSet) {
        let mut pending = self.pending();
        if pending.sets.is_empty() {
            return self.write(now.as_millisecond(), &Summed::from(metrics));
        }
        self.add(&mut pending, now, metrics);
        self.write_all(&mut pending);
    }

    fn record_soon(&self, now: Timestamp, metrics: &MetricSet) {
        let mut pending = self.pending();
        if pending.is_busy {
            self.add(&mut pending, now, metrics);
        } else {
            self.write(now.as_millisecond(), &Summed::from(metrics));
        }
    }
}

impl<W: Write> EmbeddedMetricLog<W> {
    /// Writes to `output`.
    #[must_use]
    pub fn new(output: W) -> Self {
        Self {
            output: Mutex::new(output),
            directives: Mutex::default(),
            pending: Mutex::default(),
            began: Notify::new(),
        }
    }

    /// Writes the pending metrics.
    pub fn write_pending(&self) {
        self.write_all(&mut self.pending());
    }

    /// Writes the pending metrics as soon as their second is over, for as long as the returned future is polled. Lambda
    /// stops it between requests; then the next request writes the pending metrics.
    pub async fn write_each_second(&self) {
        loop {
            self.began.notified().await;
            while let Some(left) = self.write_if_over(Timestamp::now()) {
                sleep(left).await;
            }
        }
    }

    /// Writes the pending metrics if their second is over at `now`. Returns the time until then if it is not.
    fn write_if_over(&self, now: Timestamp) -> Option<Duration> {
        let mut pending = self.pending();
        if pending.sets.is_empty() {
            return None;
        }
        if pending.second != now.as_second() {
            self.write_all(&mut pending);
            return None;
        }
        let passed = u64::try_from(now.as_millisecond().rem_euclid(1_000)).unwrap_or_default();
        Some(Duration::from_millis(1_000 - passed))
    }

    /// Adds a set to the pending metrics. Those of another second, and a set that is full, are written first.
    fn add(&self, pending: &mut Pending, now: Timestamp, set: &MetricSet) {
        let second = now.as_second();
        if pending.second != second {
            self.write_all(pending);
        }
        if pending.sets.is_empty() {
            pending.second = second;
            self.began.notify_one();
        }
        match pending.sets.iter_mut().find(|summed| summed.is_of(set)) {
            Some(summed) if summed.is_full() => {
                let full = std::mem::replace(summed, Summed::from(set));
                self.write(second.saturating_mul(1_000), &full);
            }
            Some(summed) => summed.add(set),
            None => pending.sets.push(Summed::from(set)),
        }
    }

    fn write_all(&self, pending: &mut Pending) {
        let at = pending.second.saturating_mul(1_000);
        for summed in pending.sets.drain(..) {
            self.write(at, &summed);
        }
    }

    fn write(&self, timestamp_ms: i64, summed: &Summed) {
        let written = self.line(timestamp_ms, summed).map_err(Into::into).and_then(|line| {
            let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
            output.write_all(&line)
        });
        if let Err(error) = written {
            tracing::warn!(error.message = %error, metrics.namespace = summed.namespace, "metrics not recorded");
        }
    }

    /// Returns one line, with its line break, at a storage resolution of one second. A value that is not a number, or
    /// infinite, is written as `null`.
    fn line(&self, timestamp_ms: i64, summed: &Summed) -> serde_json::Result<Vec<u8>> {
        let directive = self.directive(summed)?;
        let metadata = Metadata { timestamp_ms, directives: [&directive] };
        let mut line = Vec::with_capacity(LINE_BYTES);
        serde_json::to_writer(&mut line, &Line { metadata, summed })?;
        line.push(b'\n');
        Ok(line)
    }

    fn directive(&self, summed: &Summed) -> serde_json::Result<Arc<RawValue>> {
        let mut directives = self.directives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, directive)) = directives.iter().find(|(described, _)| describes(described, summed)) {
            return Ok(Arc::clone(directive));
        }
        let directive: Arc<RawValue> = to_raw_value(&Directive::from(summed))?.into();
        let metric =
            |metric: &SummedMetric| Metric { name: metric.name, unit: metric.unit, adding: Adding::Sum, value: 0.0 };
        let described = MetricSet {
            namespace: summed.namespace,
            dimensions: summed.dimensions.clone(),
            metrics: summed.metrics.iter().map(metric).collect(),
        };
        directives.push((described, Arc::clone(&directive)));
        Ok(directive)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the sets differ in values alone.
fn describes(one: &MetricSet, other: &Summed) -> bool {
    let dimension = |(name, _): &(&'static str, String)| *name;
    let described = one.metrics.iter().map(|metric| (metric.name, metric.unit));
    one.namespace == other.namespace
        && one.dimensions.iter().map(dimension).eq(other.dimensions.iter().map(dimension))
        && described.eq(other.metrics.iter().map(|metric| (metric.name, metric.unit)))
}

/// The description of a line's metrics.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    dimensions: [Vec<&'a str>; 1],
    metrics: Vec<Definition<'a>>,
    namespace: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'a> {
    name: &'a str,
    unit: Unit,
    /// In seconds: 1.
    storage_resolution: u8,
}

impl<'a> From<&'a Summed> for Directive<'a> {
    fn from(summed: &'a Summed) -> Self {
        let definition =
            |metric: &'a SummedMetric| Definition { name: metric.name, unit: metric.unit, storage_resolution: 1 };
        Self {
            dimensions: [summed.dimensions.iter().map(|(name, _)| *name).collect()],
            metrics: summed.metrics.iter().map(definition).collect(),
            namespace: summed.namespace,
        }
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
    summed: &'a Summed,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("_aws", &self.metadata)?;
        for (name, value) in &self.summed.dimensions {
            line.serialize_entry(name, value)?;
        }
        for metric in &self.summed.metrics {
            match metric.values.as_slice() {
                [value] => line.serialize_entry(metric.name, &Number(*value))?,
                values => line.serialize_entry(metric.name, &values.iter().copied().map(Number).collect::<Vec<_>>())?,
            }
        }
        line.end()
    }
}

/// A number in as few bytes as it needs: log lines are billed by the byte.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "a whole number that a double holds exactly")]
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

#[cfg(test)]
mod tests;
