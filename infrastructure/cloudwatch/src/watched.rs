//! The metric, or the metric math over several metrics, that an alarm watches.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, ensure};

use crate::math::Formula;
use crate::series::{Readings, SeriesKey, period_of};

/// Maximum number of metrics in one math alarm.
const OPERANDS: usize = 10;

/// The metric or expression that an alarm watches.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// One metric.
    Metric(SeriesKey),
    /// An expression over metrics.
    Math(MetricMath),
}

/// An expression with the metrics that it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricMath {
    id: String,
    text: String,
    formula: Formula,
    operands: BTreeMap<String, SeriesKey>,
}

impl MetricMath {
    /// Returns the expression `id` over `operands`, which are keyed by their identifiers.
    ///
    /// # Errors
    /// Says which part CloudWatch or the stand-in does not accept.
    pub fn new(id: &str, text: &str, operands: BTreeMap<String, SeriesKey>) -> Result<Self> {
        let formula = Formula::parse(text)?;
        ensure!(!operands.is_empty(), "it reads no metric: {text}");
        ensure!(operands.len() <= OPERANDS, "it reads {} metrics, and {OPERANDS} are allowed", operands.len());
        let unknown = formula.metrics().into_iter().find(|metric| !operands.contains_key(*metric)).map(str::to_owned);
        ensure!(unknown.is_none(), "it has no metric {}: {text}", unknown.unwrap_or_default());
        let mut periods = operands.values().map(|series| series.period_seconds);
        let first = periods.next();
        ensure!(periods.all(|period| Some(period) == first), "its metrics have different periods");
        Ok(Self { id: id.to_owned(), text: text.to_owned(), formula, operands })
    }

    /// Returns the expression's identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the expression's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the metrics that the expression reads, by their identifiers.
    #[must_use]
    pub const fn operands(&self) -> &BTreeMap<String, SeriesKey> {
        &self.operands
    }
}

impl Watched {
    /// Returns the series that must be read for the alarm.
    #[must_use]
    pub fn series(&self) -> Vec<&SeriesKey> {
        match self {
            Self::Metric(series) => vec![series],
            Self::Math(math) => math.operands.values().collect(),
        }
    }

    /// Returns the length of a period in seconds.
    #[must_use]
    pub fn period_seconds(&self) -> u32 {
        self.series().first().map_or(0, |series| series.period_seconds)
    }

    /// Returns the values of these periods by the period's start; periods without a value are left out.
    pub(crate) fn values(&self, readings: &Readings, starts: &[i64]) -> HashMap<i64, f64> {
        match self {
            Self::Metric(series) => by_period(readings, series),
            Self::Math(math) => {
                let values: HashMap<&str, HashMap<i64, f64>> =
                    math.operands.iter().map(|(id, series)| (id.as_str(), by_period(readings, series))).collect();
                let at = |start: i64| math.formula.value(&|id| values.get(id)?.get(&start).copied());
                starts.iter().filter_map(|start| Some((*start, at(*start)?))).collect()
            }
        }
    }
}

fn by_period(readings: &Readings, series: &SeriesKey) -> HashMap<i64, f64> {
    let points = readings.get(series).map_or(&[][..], Vec::as_slice);
    points.iter().map(|point| (period_of(point.at, series.period_seconds), point.value)).collect()
}
