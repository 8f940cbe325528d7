//! What happens to the bank: traffic, and what its services do.

use breaker::{LOOKS, Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scenarios that come with the simulator, by name: the text of their files.
pub const BUILT_IN: [(&str, &str); 6] = [
    ("outage", include_str!("../scenarios/outage.toml")),
    ("slow-degradation", include_str!("../scenarios/slow-degradation.toml")),
    ("brown-out", include_str!("../scenarios/brown-out.toml")),
    ("blips", include_str!("../scenarios/blips.toml")),
    ("double-outage", include_str!("../scenarios/double-outage.toml")),
    ("day", include_str!("../scenarios/day.toml")),
];

/// A week: longer than any outage that a policy could be chosen for.
const MOST_MINUTES: u32 = 7 * 24 * 60;
/// Five times what one region's default concurrency carries.
const MOST_REQUESTS_PER_SECOND: f64 = 50_000.0;
/// `CloudWatch` evaluates a level alarm at one of these.
const ALARM_PERIODS: [u32; 4] = [10, 20, 30, 60];

/// A scenario that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ScenarioError {
    /// The field, as a path from the top of the file.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// Traffic, what the services of the three levels do, and how quick the control plane is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// What happens, in a sentence.
    pub description: String,
    /// How long it lasts, in minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub minutes: u32,
    /// Requests a second where the traffic's factor is 1.
    #[schemars(range(min = 0.001, max = 50_000))]
    pub requests_per_second: f64,
    /// The share of GET and HEAD, in percent: they may be asked twice, and are answered at level 2.
    #[serde(default = "eighty")]
    #[schemars(range(min = 0, max = 100))]
    pub safe_percent: f64,
    /// The traffic over time: points of a line; before the first and after the last it is level. Without any,
    /// the factor is 1.
    #[serde(default)]
    pub traffic: Vec<TrafficPoint>,
    /// The service of level 1 in health.
    #[serde(default = "full")]
    pub level1: LevelBehaviour,
    /// The service of level 2 in health.
    #[serde(default = "degraded")]
    pub level2: LevelBehaviour,
    /// The service of level 3 in health.
    #[serde(default = "maintenance")]
    pub level3: LevelBehaviour,
    /// What goes wrong. Where two overlap at one level, the later in the list counts.
    #[serde(default)]
    pub events: Vec<Event>,
    /// How quick the control plane is.
    #[serde(default)]
    pub control_plane: ControlPlane,
}

/// A point of the traffic's line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficPoint {
    /// When, in minutes from the start.
    #[schemars(range(min = 0))]
    pub at_minute: f64,
    /// How many times `requestsPerSecond`.
    #[schemars(range(min = 0, max = 1_000))]
    pub factor: f64,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LevelBehaviour {
    /// The share of calls that fail by themselves, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub failure_percent: f64,
    /// The shortest and the longest call, in milliseconds; all between are as likely.
    pub latency_milliseconds: [f64; 2],
    /// After so many milliseconds the controller gives up on a call.
    #[serde(default = "five_seconds")]
    #[schemars(range(min = 100, max = 14_000))]
    pub timeout_milliseconds: f64,
    /// The share of safe requests that it declines by design, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub declines_safe_percent: f64,
    /// The share of the other requests that it declines by design, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub declines_unsafe_percent: f64,
}

/// A time in which a service does something else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// Which: 1, 2 or 3.
    pub level: Level,
    /// From when, in seconds from the start.
    pub from_second: u32,
    /// Until when, in seconds from the start.
    pub until_second: u32,
    /// The share of calls that fail, in percent; as in health where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failure_percent: Option<f64>,
    /// What that share grows to by the event's end, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failure_percent_at_end: Option<f64>,
    /// The share of calls that hang until somebody gives up on them, in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub hang_percent: f64,
    /// The share of calls that it refuses (4xx), in percent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub refuse_percent: f64,
    /// How many times as long as in health the calls take.
    #[serde(default = "one")]
    #[schemars(range(min = 0.01, max = 1_000))]
    pub latency_factor: f64,
}

/// How quick the control plane is. The defaults are what the template deploys and what AWS takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlane {
    /// Between two looks of the schedule, in seconds.
    #[schemars(range(min = 1, max = 3_600))]
    pub schedule_seconds: u32,
    /// How often the execution that the schedule starts looks while probes or a ramp are to prove a level, a
    /// quarter of a minute apart.
    #[schemars(range(min = 1, max = 4))]
    pub looks: u8,
    /// How long a level alarm collects, in seconds: 10, 20, 30 or 60.
    pub alarm_period_seconds: u32,
    /// From the end of an alarm's period to the look that it causes, in seconds: metrics, evaluation, SNS, SQS.
    #[schemars(range(min = 0, max = 600))]
    pub alarm_delay_seconds: f64,
    /// How old an outcome is before an evaluation sees it, in seconds.
    #[schemars(range(min = 0, max = 600))]
    pub metric_delay_seconds: f64,
    /// From an evaluation to the new state in the table, in seconds.
    #[schemars(range(min = 0, max = 60))]
    pub execution_seconds: f64,
    /// How long a controller routes by the state that it read, in seconds, give or take a fifth.
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

/// The sample services: what they decline, and how long they take.
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

/// Of the two routes to read, level 3 answers one.
const fn maintenance() -> LevelBehaviour {
    service(10.0, 30.0, 50.0, 100.0)
}

impl Scenario {
    /// Reads a scenario file (TOML).
    ///
    /// # Errors
    /// Names the field that is missing, unknown or makes no sense.
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

    /// The built-in scenario of that name.
    ///
    /// # Errors
    /// The name is none of them.
    pub fn built_in(name: &str) -> Result<Self, ScenarioError> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| Self::parse(text));
        found.unwrap_or_else(|| {
            let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            let problem = format!("{name:?} is not one of: {known}; for a file, give a path that ends in .toml");
            Err(ScenarioError { field: "scenario".to_owned(), problem })
        })
    }

    /// How long it lasts, in seconds.
    #[must_use]
    pub const fn seconds(&self) -> u32 {
        self.minutes.saturating_mul(60)
    }

    /// The service of `level` in health.
    #[must_use]
    pub const fn service(&self, level: Level) -> &LevelBehaviour {
        match level {
            Level::Full => &self.level1,
            Level::Degraded => &self.level2,
            Level::Maintenance => &self.level3,
        }
    }

    /// Whether each number makes sense.
    ///
    /// # Errors
    /// Names the field and what would be right.
    pub fn check(&self) -> Result<(), ScenarioError> {
        within("minutes", self.minutes.into(), 1.0, MOST_MINUTES.into())?;
        within("requestsPerSecond", self.requests_per_second, 0.001, MOST_REQUESTS_PER_SECOND)?;
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

/// Where in the file an error is.
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
