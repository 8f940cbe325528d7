//! The metrics that the system emits: names, units and dimensions.

use breaker::Level;
use jiff::{SignedDuration, Timestamp};

use serde::Serialize;

/// The namespaces of the metrics.
pub mod namespace {
    /// Outcomes of service invocations.
    pub const SERVICE: &str = "CircuitBreaker/Service";
    /// The controller's requests and answers.
    pub const CONTROLLER: &str = "CircuitBreaker/Controller";
    /// The alarm processor's records.
    pub const ALARM_PROCESSOR: &str = "CircuitBreaker/AlarmProcessor";
    /// Evaluations and transitions of the state machine.
    pub const TRANSITIONS: &str = "CircuitBreaker/Transitions";
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Unit {
    /// A number.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// No unit.
    None,
}

impl Unit {
    /// Returns the name that CloudWatch knows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::None => "None",
        }
    }
}

/// How several values of a metric within one second are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adding {
    /// The sum of the values.
    Sum,
    /// All values, so that percentiles stay correct.
    Each,
    /// The largest value.
    Maximum,
    /// The newest value.
    Newest,
}

/// One value of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The metric's name.
    pub name: &'static str,
    /// The unit of `value`.
    pub unit: Unit,
    /// How several values are combined.
    pub adding: Adding,
    /// The value.
    pub value: f64,
}

impl Metric {
    /// A count.
    #[must_use]
    pub fn count(name: &'static str, value: u32) -> Self {
        Self { name, unit: Unit::Count, adding: Adding::Sum, value: f64::from(value) }
    }

    /// The present number of something, which is not added up.
    #[must_use]
    pub fn number(name: &'static str, value: u32) -> Self {
        Self { name, unit: Unit::Count, adding: Adding::Newest, value: f64::from(value) }
    }

    /// A duration in milliseconds, to the microsecond: log lines are billed by the byte.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: f64) -> Self {
        Self { name, unit: Unit::Milliseconds, adding: Adding::Each, value: (value * 1_000.0).round() / 1_000.0 }
    }

    /// A duration in minutes, for which CloudWatch has no unit.
    #[must_use]
    pub fn minutes(name: &'static str, value: SignedDuration) -> Self {
        Self { name, unit: Unit::None, adding: Adding::Newest, value: value.as_secs_f64() / 60.0 }
    }

    /// A duration in seconds.
    #[must_use]
    pub fn seconds(name: &'static str, value: f64) -> Self {
        Self { name, unit: Unit::Seconds, adding: Adding::Maximum, value }
    }

    /// A level, 1 to 3, which has no unit.
    #[must_use]
    pub fn level(name: &'static str, level: Level) -> Self {
        Self { name, unit: Unit::None, adding: Adding::Newest, value: f64::from(level.number()) }
    }
}

/// Metrics of one namespace that share their dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSet {
    /// The namespace.
    pub namespace: &'static str,
    /// Names and values of the one dimension set. With another dimension it would be another metric.
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
    /// Records the metrics as of `now`, at once.
    fn record(&self, now: Timestamp, metrics: &MetricSet);

    /// Records the metrics as of `now`, at the latest when the second is over.
    fn record_soon(&self, now: Timestamp, metrics: &MetricSet) {
        self.record(now, metrics);
    }

    /// Takes note of a request that begins at `now`: whether metrics may wait depends on the traffic.
    fn request(&self, _now: Timestamp) {}
}
