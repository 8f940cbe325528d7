//! The services' behaviour, second by second.

use std::time::Duration;

use breaker::{Level, PerLevel, ServiceOutcome};

use crate::request::{Luck, Request};
use crate::scenario::{Event, LevelBehaviour, Scenario};

/// Level 1 is healthy if it fails or refuses less than this share of its calls: below it, level 1 serves callers better
/// than level 2, whatever the policy.
const HEALTHY_BELOW: f64 = 0.05;

/// The result of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The level worked as designed.
    Answered,
    /// The level declined by design, which is a success too.
    Declined,
    /// The level refused the request (4xx): neither success nor failure.
    Refused,
    /// The call failed or timed out.
    Failed,
}

/// The outcome that the controller counts.
impl From<Outcome> for ServiceOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered | Outcome::Declined => Self::Success,
            Outcome::Refused => Self::Neutral,
            Outcome::Failed => Self::Failure,
        }
    }
}

/// One call of a service.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub outcome: Outcome,
    pub milliseconds: f64,
}

/// A service's behaviour in one second.
#[derive(Clone, Copy, Debug)]
struct Doing {
    failing: f64,
    hanging: f64,
    refusing: f64,
    shortest: f64,
    span: f64,
}

impl Doing {
    fn in_health(service: &LevelBehaviour) -> Self {
        let [shortest, longest] = service.latency_milliseconds;
        let failing = service.failure_percent / 100.0;
        Self { failing, hanging: 0.0, refusing: 0.0, shortest, span: longest - shortest }
    }

    fn during(self, event: &Event, second: u32) -> Self {
        let begin = event.failure_percent.map_or(self.failing, |percent| percent / 100.0);
        let end = event.failure_percent_at_end.map_or(begin, |percent| percent / 100.0);
        let passed = f64::from(second - event.from_second) / f64::from(event.until_second - event.from_second);
        Self {
            failing: begin + (end - begin) * passed,
            hanging: event.hang_percent / 100.0,
            refusing: event.refuse_percent / 100.0,
            shortest: self.shortest * event.latency_factor,
            span: self.span * event.latency_factor,
        }
    }
}

/// The services over the time of a scenario.
#[derive(Debug)]
pub struct World<'a> {
    scenario: &'a Scenario,
    seconds: Vec<PerLevel<Doing>>,
}

impl<'a> World<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let at = |level: Level, second: u32| {
            let health = Doing::in_health(scenario.service(level));
            let during =
                |event: &&Event| event.level == level && (event.from_second..event.until_second).contains(&second);
            scenario.events.iter().rfind(during).map_or(health, |event| health.during(event, second))
        };
        let seconds = (0..scenario.seconds()).map(|second| PerLevel {
            full: at(Level::Full, second),
            degraded: at(Level::Degraded, second),
            maintenance: at(Level::Maintenance, second),
        });
        Self { scenario, seconds: seconds.collect() }
    }

    /// Returns the number of requests a second.
    pub fn traffic(&self, second: u32) -> f64 {
        let minute = f64::from(second) / 60.0;
        let points = &self.scenario.traffic;
        let next = points.partition_point(|point| point.at_minute <= minute);
        let before = next.checked_sub(1).and_then(|before| points.get(before));
        let factor = match (before, points.get(next)) {
            (Some(a), Some(b)) => {
                a.factor + (b.factor - a.factor) * (minute - a.at_minute) / (b.at_minute - a.at_minute)
            }
            (Some(point), None) | (None, Some(point)) => point.factor,
            (None, None) => 1.0,
        };
        factor * self.scenario.requests_per_second
    }

    /// Whether level 1 is healthy.
    pub fn is_healthy(&self, second: u32) -> bool {
        let bad = |doing: &Doing| doing.failing + doing.hanging + doing.refusing;
        self.at(second).is_none_or(|doing| bad(&doing.full) < HEALTHY_BELOW)
    }

    /// Calls the service of `level`. The caller gives up after `time`.
    pub fn call(&self, level: Level, request: &Request, second: u32, time: Duration) -> Attempt {
        let service = self.scenario.service(level);
        let doing = self.at(second).map_or_else(|| Doing::in_health(service), |doing| *doing.of(level));
        let Luck { outcome, latency, declining, starting } = *request.luck.of(level);
        let longest = time.as_secs_f64() * 1_000.0;
        let starts = starting * 100.0 < service.cold_start_percent;
        let start = if starts { service.cold_start_milliseconds } else { 0.0 };
        let milliseconds = start + doing.shortest + doing.span * latency;
        if outcome < doing.hanging || milliseconds > longest {
            return Attempt { outcome: Outcome::Failed, milliseconds: longest };
        }
        let declined =
            if request.retryable { service.declines_safe_percent } else { service.declines_unsafe_percent } / 100.0;
        let outcome = if outcome < doing.hanging + doing.failing {
            Outcome::Failed
        } else if outcome < doing.hanging + doing.failing + doing.refusing {
            Outcome::Refused
        } else if declining < declined {
            Outcome::Declined
        } else {
            Outcome::Answered
        };
        Attempt { outcome, milliseconds }
    }

    fn at(&self, second: u32) -> Option<&PerLevel<Doing>> {
        self.seconds.get(usize::try_from(second).unwrap_or(usize::MAX))
    }
}
