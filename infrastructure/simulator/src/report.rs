//! The report of a run: the effect of a policy on callers.

use breaker::{Cause, DRAWS, Level, PerLevel};
use jiff::Timestamp;
use serde::Serialize;

use crate::control::{ControlPlane, seconds};
use crate::requests::Request;
use crate::run::Contender;
use crate::scenario::Scenario;
use crate::world::{Outcome, World};

/// Maximum number of points of a timeline, as many as a chart can show.
const POINTS: u32 = 240;
/// Maximum wait that is counted to the millisecond: three timeouts of maximum length, one after the other.
const LONGEST_WAIT: usize = 42_000;

/// A change of the level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Move {
    /// Time at which the table held the new level, in seconds from the start.
    pub second: f64,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// The reason: the text of the cause.
    pub reason: String,
    /// The cause, as the rules give it.
    pub cause: Cause,
}

/// The results of the requests in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Beginning of the span, in seconds from the start.
    pub second: u32,
    /// Number of requests.
    pub requests: u64,
    /// Requests that failed for their callers.
    pub failed: u64,
    /// Requests that were declined by design.
    pub declined: u64,
    /// Requests that were refused (4xx).
    pub refused: u64,
    /// Requests that were answered below level 1.
    pub degraded: u64,
    /// Whether level 1 was healthy at the beginning of the span.
    pub healthy: bool,
}

/// The effect of a policy on callers. Times are in seconds unless stated otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The contender's name.
    pub policy: String,
    /// The settings that differ from the preset's.
    pub overrides: Vec<String>,
    /// Requests a second if the traffic's factor is 1.
    pub requests_per_second: f64,
    /// The seed of the random numbers.
    pub seed: u64,
    /// Duration of the run, in simulated time.
    pub seconds: u32,
    /// All requests.
    pub requests: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that failed for their callers: a 5xx that is not by design.
    pub failed: u64,
    /// Requests that a level declined by design.
    pub declined: u64,
    /// Requests that a level refused (4xx) because of an event.
    pub refused: u64,
    /// The share that failed, in percent.
    pub failed_percent: f64,
    /// The share that was declined, in percent.
    pub declined_percent: f64,
    /// The wait that one in a hundred requests exceeds, in milliseconds.
    pub p99_wait_milliseconds: u32,
    /// The wait that one in a hundred retryable requests (GET, HEAD) exceeds, in milliseconds.
    pub p99_read_wait_milliseconds: u32,
    /// Transitions.
    pub transitions: u32,
    /// Time for which each level was current.
    pub seconds_at_level: PerLevel<f64>,
    /// Unnecessary degradation: time below level 1 while level 1 was healthy.
    pub unnecessary_degradation_seconds: f64,
    /// Time for which ramps kept requests from a healthy level 1. Each second counts by the share of requests kept from
    /// it.
    pub unnecessary_ramp_seconds: f64,
    /// Probes sent.
    pub probes: u64,
    /// Probes that failed or were slow. Their callers got the current level's answer.
    pub failed_probes: u64,
    /// Probes that were refused. Their callers got the current level's answer.
    pub refused_probes: u64,
    /// Evaluations.
    pub looks: u64,
    /// Each transition.
    pub moves: Vec<Move>,
    /// The results of the requests over time.
    pub timeline: Vec<Point>,
}

/// Counts requests.
#[derive(Debug)]
pub struct Tally {
    /// Waits of the requests that are not retryable, by millisecond.
    waits: Vec<u64>,
    /// Waits of the retryable requests, by millisecond.
    read_waits: Vec<u64>,
    seconds_a_point: u32,
    timeline: Vec<Point>,
    probes: u64,
    failed_probes: u64,
    refused_probes: u64,
}

impl Tally {
    pub fn new(seconds: u32) -> Self {
        let seconds_a_point = seconds.div_ceil(POINTS).max(1);
        let points = seconds.div_ceil(seconds_a_point);
        let timeline = (0..points).map(|point| Point { second: point * seconds_a_point, ..Point::default() }).collect();
        let (waits, read_waits) = (vec![0; LONGEST_WAIT], vec![0; LONGEST_WAIT]);
        Self { waits, read_waits, seconds_a_point, timeline, probes: 0, failed_probes: 0, refused_probes: 0 }
    }

    /// Counts the answer to a request, after a wait in milliseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "waits are short and not negative")]
    pub fn request(&mut self, request: &Request, outcome: Outcome, waited: f64, level: Level) {
        let wait = (waited as usize).min(LONGEST_WAIT - 1);
        let waits = if request.retryable { &mut self.read_waits } else { &mut self.waits };
        if let Some(count) = waits.get_mut(wait) {
            *count += 1;
        }
        let point = usize::try_from(request.at / 1_000 / i64::from(self.seconds_a_point)).unwrap_or(usize::MAX);
        let Some(point) = self.timeline.get_mut(point) else { return };
        point.requests += 1;
        point.failed += u64::from(outcome == Outcome::Failed);
        point.declined += u64::from(outcome == Outcome::Declined);
        point.refused += u64::from(outcome == Outcome::Refused);
        point.degraded += u64::from(level > Level::Full);
    }

    pub const fn probe(&mut self, outcome: Outcome) {
        self.probes += 1;
        match outcome {
            Outcome::Failed => self.failed_probes += 1,
            Outcome::Refused => self.refused_probes += 1,
            Outcome::Answered | Outcome::Declined => {}
        }
    }
}

/// Returns the wait that one in a hundred requests exceeds. `waits` are numbers of requests by millisecond.
fn p99(waits: &[u64]) -> u32 {
    let all: u64 = waits.iter().sum();
    let mut left = all - all / 100;
    let found = waits.iter().position(|count| {
        left = left.saturating_sub(*count);
        left == 0
    });
    u32::try_from(found.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// A run that has ended.
pub struct Played<'a> {
    pub scenario: &'a Scenario,
    pub contender: &'a Contender,
    pub seed: u64,
    pub world: &'a World<'a>,
    pub start: Timestamp,
    pub control: Option<&'a ControlPlane<'a>>,
}

/// Adds up the time at each level.
#[derive(Default)]
struct Stays {
    at_level: PerLevel<f64>,
    unnecessary: f64,
    unnecessary_ramp: f64,
}

impl Stays {
    fn of(played: &Played<'_>) -> Self {
        let Played { scenario, world, start, control, .. } = *played;
        let mut stays = Self::default();
        for second in 0..scenario.seconds() {
            let at = start + seconds(f64::from(second) + 0.5);
            let state = control.and_then(|control| control.state_at(at));
            let level = state.map_or(Level::Full, |state| state.current_level);
            *stays.at_level.of_mut(level) += 1.0;
            if !world.is_healthy(second) {
                continue;
            }
            if level > Level::Full {
                stays.unnecessary += 1.0;
            } else if let Some(ramp) = state.and_then(|state| state.active_ramp(at)) {
                stays.unnecessary_ramp += 1.0 - f64::from(ramp.share(at)) / f64::from(DRAWS);
            }
        }
        stays
    }
}

impl Report {
    pub(crate) fn new(played: &Played<'_>, mut tally: Tally) -> Self {
        let Played { scenario, contender, seed, world, control, .. } = *played;
        for point in &mut tally.timeline {
            point.healthy = world.is_healthy(point.second);
        }
        let sum = |of: fn(&Point) -> u64| tally.timeline.iter().map(of).sum::<u64>();
        let (requests, failed) = (sum(|point| point.requests), sum(|point| point.failed));
        let (declined, refused) = (sum(|point| point.declined), sum(|point| point.refused));
        let stays = Stays::of(played);
        let moves = control.map(|control| control.moves.clone()).unwrap_or_default();
        let overrides = contender.policy.map(|policy| policy.settings().overrides()).unwrap_or_default();
        Self {
            policy: contender.name.clone(),
            overrides: overrides.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            requests_per_second: scenario.requests_per_second,
            seed,
            seconds: scenario.seconds(),
            requests,
            answered: requests - failed - declined - refused,
            failed,
            declined,
            refused,
            failed_percent: percent(failed, requests),
            declined_percent: percent(declined, requests),
            p99_wait_milliseconds: p99(&tally
                .waits
                .iter()
                .zip(&tally.read_waits)
                .map(|(all, reads)| all + reads)
                .collect::<Vec<_>>()),
            p99_read_wait_milliseconds: p99(&tally.read_waits),
            transitions: u32::try_from(moves.len()).unwrap_or(u32::MAX),
            seconds_at_level: stays.at_level,
            unnecessary_degradation_seconds: stays.unnecessary,
            unnecessary_ramp_seconds: stays.unnecessary_ramp,
            probes: tally.probes,
            failed_probes: tally.failed_probes,
            refused_probes: tally.refused_probes,
            looks: control.map_or(0, |control| control.looks),
            moves,
            timeline: tally.timeline,
        }
    }
}

/// Returns `part` of `whole` in percent; 0 if `whole` is 0.
#[expect(clippy::cast_precision_loss, reason = "exact far beyond any number of requests")]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
