//! One policy in one scenario.

use std::collections::HashMap;
use std::time::Duration;

use breaker::{Call, Level, Plan, ProbeAllowance, Purpose, RequestRules, Route, ServiceOutcome, Step, draw, route};
use fastrand::Rng;
use jiff::Timestamp;

use crate::arrivals::Arrivals;
use crate::contender::Contender;
use crate::control::{ControlPlane, Evaluation};
use crate::metrics::Metrics;
use crate::report::Report;
use crate::request::{Ids, Request};
use crate::scenario::Scenario;
use crate::summary::EndedRun;
use crate::tally::Tally;
use crate::time::{milliseconds, seconds};
use crate::world::{Attempt, World};

/// Start of the simulated time: 2026-01-01 (UTC), a whole minute.
const MIDNIGHT: i64 = 1_767_225_600;
/// Maximum age of a routed state, as a multiple of the cache's time to live.
const CACHE_JITTER: f64 = 1.2;
/// One log line of so many is delivered twice.
const LINES_A_DUPLICATE: u64 = 10_000;
/// Maximum time that a caller may wait: API Gateway's limit less the time for the way there and back.
const LONGEST_WAIT: Duration = Duration::from_millis(28_500);
/// Mean time for which a request occupies a controller. It decides how many environments Lambda starts.
const SECONDS_A_REQUEST: f64 = 0.25;

/// Runs `contender` in `scenario`.
#[must_use]
pub fn simulate(scenario: &Scenario, contender: &Contender, seed: u64) -> Report {
    simulate_watched(scenario, contender, seed, &mut |_| ())
}

/// Runs `contender` in `scenario`; `watch` is called with each evaluation.
#[must_use]
pub fn simulate_watched(
    scenario: &Scenario,
    contender: &Contender,
    seed: u64,
    watch: &mut dyn FnMut(&Evaluation<'_>),
) -> Report {
    let world = World::new(scenario);
    let mut rng = Rng::with_seed(seed);
    // A random offset, so that schedule, alarms and the scenario's minutes do not coincide.
    let start = Timestamp::from_second(MIDNIGHT + rng.i64(0..60)).unwrap_or(Timestamp::UNIX_EPOCH);
    // Drawn for every contender, so that each gets the same requests.
    let first_look = rng.f64();
    let control = contender.policy.map(|policy| ControlPlane::new(policy, scenario, start, first_look, watch));
    let requests = Arrivals::new(&world, scenario, rng.fork());
    let mut bank = Bank {
        scenario,
        rules: contender.rules(scenario),
        no_probes: contender.policy.as_ref().map_or_else(|| ProbeAllowance::new(0), ProbeAllowance::from),
        world: &world,
        start,
        control,
        metrics: Metrics::new(start),
        tally: Tally::new(scenario.seconds()),
        ids: Ids::default(),
        environments: environments(scenario),
        probes: HashMap::new(),
    };
    for request in requests {
        bank.answer(&request);
    }
    let end = start + seconds(scenario.seconds().into());
    if let Some(control) = &mut bank.control {
        control.advance(end, &bank.metrics);
    }
    EndedRun { scenario, contender, seed, world: &world, start, control: bank.control.as_ref() }.report(bank.tally)
}

/// Returns the number of controllers at the busiest time.
fn environments(scenario: &Scenario) -> f64 {
    let factor = scenario.traffic.iter().map(|point| point.factor).reduce(f64::max).unwrap_or(1.0);
    (scenario.requests_per_second * factor * SECONDS_A_REQUEST).ceil().max(1.0)
}

struct Bank<'a> {
    scenario: &'a Scenario,
    rules: RequestRules,
    world: &'a World<'a>,
    start: Timestamp,
    control: Option<ControlPlane<'a>>,
    metrics: Metrics,
    tally: Tally,
    ids: Ids,
    environments: f64,
    /// The allowance of a controller that has sent no probe.
    no_probes: ProbeAllowance,
    /// The probes of each controller.
    probes: HashMap<u64, ProbeAllowance>,
}

impl Bank<'_> {
    /// Answers one request by the same plan as the controller.
    fn answer(&mut self, request: &Request) {
        let now = self.start + jiff::SignedDuration::from_millis(request.at);
        if let Some(control) = &mut self.control {
            control.advance(now, &self.metrics);
        }
        let age = seconds(request.cache_age * CACHE_JITTER * self.scenario.control_plane.cache_seconds);
        let state = self.control.as_ref().and_then(|control| control.state_at(now - age));
        let (current, route) = match state {
            Some(state) => (state.current_level, route(state, draw(self.ids.id(request)), request.retryable, now)),
            None => (Level::Full, Route { level: Level::Full, probe: false }),
        };
        let rules = self.rules;
        let mut plan = Plan::new(&rules, current, route, request.retryable);
        let mut waited = Duration::ZERO;
        let mut answers = Vec::with_capacity(3);
        loop {
            let at = arrival(request) + waited;
            match plan.next(LONGEST_WAIT.saturating_sub(waited), || self.allowance(request).begin(at)) {
                Step::Call(call) => {
                    let attempt = self.attempt(&call, request, now);
                    let outcome = ServiceOutcome::from(attempt.outcome);
                    waited += milliseconds(attempt.milliseconds);
                    if call.purpose == Purpose::Probe {
                        self.tally.probe(attempt.outcome);
                        self.allowance(request).end(at, arrival(request) + waited, outcome);
                    }
                    plan.ended(call.purpose, outcome, outcome != ServiceOutcome::Failure);
                    answers.push((call, attempt));
                }
                Step::Answer(purpose) => {
                    if let Some((call, attempt)) = answers.iter().find(|(call, _)| call.purpose == purpose) {
                        let waited = waited.as_secs_f64() * 1_000.0;
                        self.tally.request(request, attempt.outcome, waited, call.level);
                    }
                    return;
                }
            }
        }
    }

    /// Calls a service and records the outcome as the controller does.
    fn attempt(&mut self, call: &Call, request: &Request, now: Timestamp) -> Attempt {
        let second = u32::try_from(request.at / 1_000).unwrap_or(u32::MAX);
        let attempt = self.world.call(call.level, request, second, call.time);
        let taken = milliseconds(attempt.milliseconds);
        if let Some(counts) = self.rules.counts_of(call.purpose, attempt.outcome.into(), taken) {
            let ended = now + seconds(attempt.milliseconds / 1_000.0);
            self.metrics.record(call.level, ended, counts);
            // Log lines are delivered at least once.
            if request.id.is_multiple_of(LINES_A_DUPLICATE) {
                self.metrics.record(call.level, ended, counts);
            }
        }
        attempt
    }

    /// Returns the probes of the controller that answers.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor near the limit")]
    fn allowance(&mut self, request: &Request) -> &mut ProbeAllowance {
        let environment = (request.environment * self.environments) as u64;
        self.probes.entry(environment).or_insert_with(|| self.no_probes.clone())
    }
}

fn arrival(request: &Request) -> Duration {
    Duration::from_millis(request.at.unsigned_abs())
}
