//! The series that an alarm reads, and their values.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

/// A metric: namespace, name and the exact set of dimensions. With one more dimension it is another metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Metric {
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// The metric's dimensions; their order has no meaning.
    pub dimensions: BTreeMap<String, String>,
}

/// A statistic, which reduces the samples of a period to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Statistic {
    /// The sum of the samples.
    Sum,
    /// The number of samples.
    SampleCount,
    /// The mean of the samples.
    Average,
    /// The smallest sample.
    Minimum,
    /// The largest sample.
    Maximum,
}

impl Statistic {
    /// Returns the name that `GetMetricData` and `PutMetricAlarm` use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::SampleCount => "SampleCount",
            Self::Average => "Average",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }
}

/// A series: one metric, reduced by one statistic over periods of one length.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The metric.
    pub metric: Metric,
    /// The statistic.
    pub statistic: Statistic,
    /// Length of a period in seconds.
    pub period_seconds: u32,
}

/// The value of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// Start of the period, or another time within it (UTC).
    pub at: Timestamp,
    /// Value of the statistic over the period.
    pub value: f64,
}

/// The datapoints of each series.
pub type Readings = HashMap<SeriesKey, Vec<Datapoint>>;

/// Returns the start of the period that a time lies in, in seconds since 1970.
pub(crate) fn period_of(at: Timestamp, period_seconds: u32) -> i64 {
    let length = i64::from(period_seconds.max(1));
    at.as_second().div_euclid(length) * length
}
