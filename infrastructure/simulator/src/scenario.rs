//! A scenario: the traffic, and the behaviour of the services.

use breaker::{LOOKS, Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The built-in scenarios: name and text of the file.
pub const BUILT_IN: [(&str, &str); 6] = [
    ("outage", include_str!("../scenarios/outage.toml")),
    ("slow-degradation", include_str!("../scenarios/slow-degradation.toml")),
    ("brown-out", include_str!("../scenarios/brown-out.toml")),
    ("blips", include_str!("../scenarios/blips.toml")),
    ("double-outage", include_str!("../scenarios/double-outage.toml")),
    ("day", include_str!("../scenarios/day.toml")),
];

/// Maximum duration: a week, longer than any outage that a policy is chosen for.
const MAX_MINUTES: u32 = 7 * 24 * 60;
/// Maximum rate of requests: five times what one region's default concurrency carries.
const MAX_REQUESTS_PER_SECOND: f64 = 50_000.0;
/// The periods, in seconds, at which `CloudWatch` evaluates a level alarm.
const ALARM_PERIODS: [u32; 4] = [10, 20, 30, 60];

/// An invalid scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ScenarioError {
    /// The field, as a path from the top of the file.
    pub field: String,
    /// The problem, and the allowed values.
    pub problem: String,
}

/// The traffic, the behaviour of the services of the three levels, and the delays of the control plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// The scenario as a sentence.
    pub description: String,
    /// Duration in minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub minutes: u32,
    /// Requests a second if the traffic's factor is 1.
    #[schemars(range(min = 0.001, max = 50_000))]
    pub requests_per_second: f64,
    /// Share of retryable requests (GET, HEAD), in percent. Level 2 answers them.
    #[serde(default = "eighty")]
    #[schemars(range(min = 0, max = 100))]
    pub safe_percent: f64,
    /// The traffic over time, as points of a line. It is constant before the first and after the last point. Without
    /// points the factor is 1.
    #[serde(default)]
    pub traffic: Vec<TrafficPoint>,
    /// The healthy service of level 1.
    #[serde(default = "full")]
    pub level1: LevelBehaviour,
    /// The healthy service of level 2.
    #[serde(default = "degraded")]
    pub level2: LevelBehaviour,
    /// The healthy service of level 3.
    #[serde(default = "maintenance")]
    pub level3: LevelBehaviour,
    /// The faults. If two overlap at one level, the later in the list counts.
    #[serde(default)]
    pub events: Vec<Event>,
    /// The delays of the control plane.
    #[serde(default)]
    pub control_plane: ControlPlane,
}

/// A point of the traffic's line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficPoint {
    /// Time in minutes from the start.
    #[schemars(range(min = 0))]
    pub at_minute: f64,
    /// Factor of `requestsPerSecond`.
    #[schemars(range(min = 0, max = 1_000))]
    pub factor: f64,
}

/// The behaviour of a service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LevelBehaviour {
    /// Share of calls that fail, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub failure_percent: f64,
    /// Minimum and maximum duration of a call, in milliseconds. Durations are evenly distributed.
    pub latency_milliseconds: [f64; 2],
    /// The controller's timeout of a call, in milliseconds.
    #[serde(default = "five_seconds")]
    #[schemars(range(min = 100, max = 14_000))]
    pub timeout_milliseconds: f64,
    /// Share of calls that start a new environment, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub cold_start_percent: f64,
    /// Time that the start of an environment adds to its first call, in milliseconds.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60_000))]
    pub cold_start_milliseconds: f64,
    /// Share of retryable requests (GET, HEAD) that it declines by design, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub declines_safe_percent: f64,
    /// Share of all other requests that it declines by design, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub declines_unsafe_percent: f64,
}

/// A fault: a time in which a service behaves differently.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// The level: 1, 2 or 3.
    pub level: Level,
    /// Beginning, in seconds from the start.
    pub from_second: u32,
    /// End, in seconds from the start.
    pub until_second: u32,
    /// Share of calls that fail, in percent; as for the healthy service if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failure_percent: Option<f64>,
    /// Share that `failurePercent` grows to by the end of the event, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failure_percent_at_end: Option<f64>,
    /// Share of calls that hang until their timeout, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub hang_percent: f64,
    /// Share of calls that the service refuses (4xx), in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub refuse_percent: f64,
    /// Factor of the calls' duration.
    #[serde(default = "one")]
    #[schemars(range(min = 0.01, max = 1_000))]
    pub latency_factor: f64,
}

/// The delays of the control plane. The defaults are those of the template and of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlane {
    /// Time between two evaluations of the schedule, in seconds.
    #[schemars(range(min = 1, max = 3_600))]
    pub schedule_seconds: u32,
    /// Number of evaluations of one execution of the schedule while probes or a ramp are being judged, 15 seconds
    /// apart.
    #[schemars(range(min = 1, max = 4))]
    pub looks: u8,
    /// Period of the level alarms, in seconds: 10, 20, 30 or 60.
    pub alarm_period_seconds: u32,
    /// Time from the end of an alarm's period to the evaluation that it causes, in seconds: metrics, alarm, SNS, SQS.
    #[schemars(range(min = 0, max = 600))]
    pub alarm_delay_seconds: f64,
    /// Delay after which an evaluation sees an outcome, in seconds.
    #[schemars(range(min = 0, max = 600))]
    pub metric_delay_seconds: f64,
    /// Time from an evaluation to the new state in the table, in seconds.
    #[schemars(range(min = 0, max = 60))]
    pub execution_seconds: f64,
    /// Time to live of a controller's state, in seconds ± 20 %.
    #[schemars(range(min = 0, max = 60))]
    pub cache_seconds: f64,
}

impl Default for ControlPlane {
    fn default() -> Self {
        Self {
            schedule_seconds: 60,
            looks: *LOOKS.end(),
            alarm_period_seconds: 10,
            alarm_delay_seconds: 8.0,
            metric_delay_seconds: 5.0,
            execution_seconds: 1.0,
            cache_seconds: 1.0,
        }
    }
}

const fn one() -> f64 {
    1.0
}

const fn eighty() -> f64 {
    80.0
}

const fn five_seconds() -> f64 {
    5_000.0
}

/// Returns the sample services: their declined shares and durations.
const fn service(
    shortest: f64,
    longest: f64,
    declines_safe_percent: f64,
    declines_unsafe_percent: f64,
) -> LevelBehaviour {
    LevelBehaviour {
        failure_percent: 0.1,
        latency_milliseconds: [shortest, longest],
        timeout_milliseconds: five_seconds(),
        cold_start_percent: 0.0,
        cold_start_milliseconds: 0.0,
        declines_safe_percent,
        declines_unsafe_percent,
    }
}

const fn full() -> LevelBehaviour {
    service(50.0, 150.0, 0.0, 0.0)
}

const fn degraded() -> LevelBehaviour {
    service(20.0, 70.0, 0.0, 100.0)
}

/// Level 3 answers one of the two routes to read.
const fn maintenance() -> LevelBehaviour {
    service(10.0, 30.0, 50.0, 100.0)
}

impl Scenario {
    /// Reads a scenario file (TOML).
    ///
    /// # Errors
    /// Names the field that is missing, unknown or invalid.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let deserializer = toml::Deserializer::parse(text)
            .map_err(|error| ScenarioError { field: place(text, &error), problem: error.message().to_owned() })?;
        let scenario: Self = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let place = place(text, error.inner());
            let field = match error.path().to_string() {
                path if path == "." => place,
                path => format!("{path} ({place})"),
            };
            ScenarioError { field, problem: error.inner().message().to_owned() }
        })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Returns the built-in scenario of this name.
    ///
    /// # Errors
    /// There is no built-in scenario of this name.
    pub fn built_in(name: &str) -> Result<Self, ScenarioError> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| Self::parse(text));
        found.unwrap_or_else(|| {
            let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            let problem = format!("{name:?} is not one of: {known}; for a file, give a path that ends in .toml");
            Err(ScenarioError { field: "scenario".to_owned(), problem })
        })
    }

    /// Returns the duration in seconds.
    #[must_use]
    pub const fn seconds(&self) -> u32 {
        self.minutes.saturating_mul(60)
    }

    /// Returns the healthy service of `level`.
    #[must_use]
    pub const fn service(&self, level: Level) -> &LevelBehaviour {
        match level {
            Level::Full => &self.level1,
            Level::Degraded => &self.level2,
            Level::Maintenance => &self.level3,
        }
    }

    /// Checks each number.
    ///
    /// # Errors
    /// Names the field and the allowed values.
    pub fn check(&self) -> Result<(), ScenarioError> {
        within("minutes", self.minutes.into(), 1.0, MAX_MINUTES.into())?;
        within("requestsPerSecond", self.requests_per_second, 0.001, MAX_REQUESTS_PER_SECOND)?;
        percent("safePercent", self.safe_percent)?;
        for (index, point) in self.traffic.iter().enumerate() {
            let field = |name: &str| format!("traffic[{index}].{name}");
            within(&field("atMinute"), point.at_minute, 0.0, self.minutes.into())?;
            within(&field("factor"), point.factor, 0.0, 1_000.0)?;
        }
        if let Some(index) =
            self.traffic.windows(2).position(|pair| matches!(pair, [a, b] if a.at_minute >= b.at_minute))
        {
            let problem = "is not after the point before it: the points must be in order of time".to_owned();
            return Err(ScenarioError { field: format!("traffic[{}].atMinute", index + 1), problem });
        }
        for (name, service) in [("level1", &self.level1), ("level2", &self.level2), ("level3", &self.level3)] {
            service.check(name)?;
        }
        self.events.iter().enumerate().try_for_each(|(index, event)| event.check(index, self.seconds()))?;
        self.control_plane.check()
    }
}

impl LevelBehaviour {
    fn check(&self, level: &str) -> Result<(), ScenarioError> {
        let field = |name: &str| format!("{level}.{name}");
        percent(&field("failurePercent"), self.failure_percent)?;
        percent(&field("declinesSafePercent"), self.declines_safe_percent)?;
        percent(&field("declinesUnsafePercent"), self.declines_unsafe_percent)?;
        percent(&field("coldStartPercent"), self.cold_start_percent)?;
        within(&field("coldStartMilliseconds"), self.cold_start_milliseconds, 0.0, 60_000.0)?;
        within(&field("timeoutMilliseconds"), self.timeout_milliseconds, 100.0, 14_000.0)?;
        let [shortest, longest] = self.latency_milliseconds;
        within(&field("latencyMilliseconds[0]"), shortest, 0.0, 60_000.0)?;
        within(&field("latencyMilliseconds[1]"), longest, shortest, 60_000.0)
    }
}

impl Event {
    fn check(&self, index: usize, seconds: u32) -> Result<(), ScenarioError> {
        let field = |name: &str| format!("events[{index}].{name}");
        within(&field("fromSecond"), self.from_second.into(), 0.0, seconds.into())?;
        within(&field("untilSecond"), self.until_second.into(), f64::from(self.from_second) + 1.0, seconds.into())?;
        self.failure_percent.map_or(Ok(()), |share| percent(&field("failurePercent"), share))?;
        self.failure_percent_at_end.map_or(Ok(()), |share| percent(&field("failurePercentAtEnd"), share))?;
        percent(&field("hangPercent"), self.hang_percent)?;
        percent(&field("refusePercent"), self.refuse_percent)?;
        within(&field("latencyFactor"), self.latency_factor, 0.01, 1_000.0)
    }
}

impl ControlPlane {
    fn check(&self) -> Result<(), ScenarioError> {
        let field = |name: &str| format!("controlPlane.{name}");
        within(&field("scheduleSeconds"), self.schedule_seconds.into(), 1.0, 3_600.0)?;
        within(&field("looks"), self.looks.into(), (*LOOKS.start()).into(), (*LOOKS.end()).into())?;
        if !ALARM_PERIODS.contains(&self.alarm_period_seconds) {
            let problem = format!("{} is not one of: 10, 20, 30, 60", self.alarm_period_seconds);
            return Err(ScenarioError { field: field("alarmPeriodSeconds"), problem });
        }
        within(&field("alarmDelaySeconds"), self.alarm_delay_seconds, 0.0, 600.0)?;
        within(&field("metricDelaySeconds"), self.metric_delay_seconds, 0.0, 600.0)?;
        within(&field("executionSeconds"), self.execution_seconds, 0.0, 60.0)?;
        within(&field("cacheSeconds"), self.cache_seconds, 0.0, 60.0)
    }
}

/// Returns the place of an error in the file.
fn place(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    before.map_or_else(|| "the file".to_owned(), |before| format!("line {}", before.matches('\n').count() + 1))
}

fn percent(field: &str, value: f64) -> Result<(), ScenarioError> {
    within(field, value, 0.0, 100.0)
}

fn within(field: &str, value: f64, least: f64, most: f64) -> Result<(), ScenarioError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("{value} is not a number from {least} to {most}");
    Err(ScenarioError { field: field.to_owned(), problem })
}
