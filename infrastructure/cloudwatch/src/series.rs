//! Which series an alarm reads, and the values that come back.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

/// What an alarm watches: namespace, name and the exact set of dimensions. A dimension more is
/// another metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Metric {
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// Its dimensions; their order means nothing.
    pub dimensions: BTreeMap<String, String>,
}

/// How the samples of a period become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Statistic {
    /// All samples added up.
    Sum,
    /// How many samples there were.
    SampleCount,
    /// Their mean.
    Average,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
}

impl Statistic {
    /// The name that `GetMetricData` and `PutMetricAlarm` use.
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

/// One metric, reduced by one statistic over one period: what a query asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The metric.
    pub metric: Metric,
    /// The statistic.
    pub statistic: Statistic,
    /// The period.
    pub period_seconds: u32,
}

/// The value of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// The start of the period, or any moment in it.
    pub at: Timestamp,
    /// The statistic over the period.
    pub value: f64,
}

/// Datapoints by what was asked for.
pub type Readings = HashMap<SeriesKey, Vec<Datapoint>>;

/// Returns the start of the period that a time lies in, in seconds since 1970.
pub(crate) fn period_of(at: Timestamp, period_seconds: u32) -> i64 {
    let length = i64::from(period_seconds.max(1));
    at.as_second().div_euclid(length) * length
}
