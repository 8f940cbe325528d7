//! The metrics that the system emits: names, units and dimensions.

use breaker::Level;
use jiff::{SignedDuration, Timestamp};

pub use metrique_writer_core::unit::{NegativeScale, Unit};

/// The namespaces of the seed, and that of the transitions.
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
    /// Records the metrics as of `now`.
    fn record(&self, now: Timestamp, metrics: &MetricSet);
}
