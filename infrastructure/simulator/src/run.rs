//! One policy in one scenario.

use std::collections::HashMap;

use breaker::{Level, PROBE_REST_FACTOR, Policy, Route, draw, route};
use fastrand::Rng;
use jiff::Timestamp;

use crate::control::{ControlPlane, Look, seconds};
use crate::metrics::{Counts, Metrics};
use crate::report::{Played, Report, Tally};
use crate::requests::{Ids, Request, Requests};
use crate::scenario::Scenario;
use crate::world::{Attempt, Outcome, World};

/// Start of the simulated time: 2026-01-01 (UTC), a whole minute.
const MIDNIGHT: i64 = 1_767_225_600;
/// Maximum age of a routed state, as a multiple of the cache's time to live.
const CACHE_JITTER: f64 = 1.2;
/// Mean time for which a request occupies a controller. It decides how many environments Lambda starts.
const SECONDS_A_REQUEST: f64 = 0.25;

/// A policy to simulate.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in tables and charts.
    pub name: String,
    /// The policy; `None` means no breaker: every request goes to level 1.
    pub policy: Option<Policy>,
    /// Whether the next level answers a retryable request that fails, within the same request.
    pub request_fallback: bool,
}

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
    watch: &mut dyn FnMut(&Look<'_>),
) -> Report {
    let world = World::new(scenario);
    let mut rng = Rng::with_seed(seed);
    // A random offset, so that schedule, alarms and the scenario's minutes do not coincide.
    let start = Timestamp::from_second(MIDNIGHT + rng.i64(0..60)).unwrap_or(Timestamp::UNIX_EPOCH);
    // Drawn for every contender, so that each gets the same requests.
    let first_look = rng.f64();
    let control = contender.policy.map(|policy| ControlPlane::new(policy, scenario, start, first_look, watch));
    let requests = Requests::new(&world, scenario, rng.fork());
    let mut bank = Bank {
        scenario,
        contender,
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
    Report::new(&Played { scenario, contender, seed, world: &world, start, control: bank.control.as_ref() }, bank.tally)
}

/// Returns the number of controllers at the busiest time.
fn environments(scenario: &Scenario) -> f64 {
    let factor = scenario.traffic.iter().map(|point| point.factor).reduce(f64::max).unwrap_or(1.0);
    (scenario.requests_per_second * factor * SECONDS_A_REQUEST).ceil().max(1.0)
}

/// The probes of one controller, in milliseconds from the scenario's start.
#[derive(Debug, Default)]
struct SentProbes {
    /// Times at which the probes of the last second were sent.
    sent: Vec<i64>,
    /// Earliest time of the next probe: after the newest has ended, and then [`PROBE_REST_FACTOR`] times its duration.
    rests_until: f64,
}

struct Bank<'a> {
    scenario: &'a Scenario,
    contender: &'a Contender,
    world: &'a World<'a>,
    start: Timestamp,
    control: Option<ControlPlane<'a>>,
    metrics: Metrics,
    tally: Tally,
    ids: Ids,
    environments: f64,
    /// The limits of each controller's probes.
    probes: HashMap<u64, SentProbes>,
}

impl Bank<'_> {
    /// Answers one request, as the controller does.
    fn answer(&mut self, request: &Request) {
        let now = self.start + jiff::SignedDuration::from_millis(request.at);
        if let Some(control) = &mut self.control {
            control.advance(now, &self.metrics);
        }
        let age = seconds(request.cache_age * CACHE_JITTER * self.scenario.control_plane.cache_seconds);
        let state = self.control.as_ref().and_then(|control| control.state_at(now - age));
        let (current, planned) = match state {
            Some(state) => (state.current_level, route(state, draw(self.ids.of(request)), request.retryable, now)),
            None => (Level::Full, Route { level: Level::Full, probe: false }),
        };
        let mut waited = 0.0;
        if planned.probe && self.may_probe(request) {
            let cut_off = self.slow_call();
            let probe = self.attempt(planned, request, now, cut_off);
            self.tally.probe(probe.outcome);
            self.rest(request, &probe);
            waited = probe.milliseconds;
            if matches!(probe.outcome, Outcome::Answered | Outcome::Declined) {
                return self.tally.request(request.at, probe.outcome, waited, planned.level);
            }
        }
        let level = if planned.probe { current } else { planned.level };
        let first = self.attempt(Route { level, probe: false }, request, now, None);
        waited += first.milliseconds;
        let next = level.worse().filter(|_| request.retryable && self.contender.request_fallback);
        if let (Outcome::Failed, Some(next)) = (first.outcome, next) {
            let second = self.attempt(Route { level: next, probe: false }, request, now, None);
            waited += second.milliseconds;
            if second.outcome != Outcome::Failed {
                return self.tally.request(request.at, second.outcome, waited, next);
            }
        }
        self.tally.request(request.at, first.outcome, waited, level);
    }

    /// Calls a service and records what the controller records: one outcome for each call, but none for a refused
    /// request that is not a probe.
    fn attempt(&mut self, route: Route, request: &Request, now: Timestamp, cut_off: Option<f64>) -> Attempt {
        let second = u32::try_from(request.at / 1_000).unwrap_or(u32::MAX);
        let attempt = self.world.call(route.level, request, second, cut_off);
        let slow = u64::from(self.slow_call().is_some_and(|slow| attempt.milliseconds >= slow));
        let counts = match attempt.outcome {
            Outcome::Answered | Outcome::Declined => Counts { successes: 1, slow_calls: slow, ..Counts::default() },
            Outcome::Failed => Counts { errors: 1, slow_calls: slow, ..Counts::default() },
            Outcome::Refused => Counts { refused: route.probe.into(), ..Counts::default() },
        };
        self.metrics.record(route.level, now + seconds(attempt.milliseconds / 1_000.0), counts);
        attempt
    }

    /// Returns the duration from which on a call is slow, in milliseconds.
    fn slow_call(&self) -> Option<f64> {
        self.contender.policy.and_then(|policy| policy.slow_call()).map(|slow| slow.as_secs_f64() * 1_000.0)
    }

    /// Whether the controller that answers may send another probe: only a maximum number in any second, and none while
    /// it rests.
    fn may_probe(&mut self, request: &Request) -> bool {
        let limit = self.contender.policy.map_or(0, |policy| policy.probe_limit_per_second());
        let probes = self.probes_of(request);
        probes.sent.retain(|at| request.at - at < 1_000);
        let allowed = u32::try_from(probes.sent.len()).is_ok_and(|sent| sent < limit)
            && milliseconds_of(request) >= probes.rests_until;
        if allowed {
            probes.sent.push(request.at);
        }
        allowed
    }

    /// The controller that answers has sent a probe.
    fn rest(&mut self, request: &Request, probe: &Attempt) {
        let (taken, failed) = (probe.milliseconds, probe.outcome == Outcome::Failed);
        let longest = self.contender.policy.map_or(0.0, |policy| policy.longest_probe_rest(failed).as_secs_f64() * 1e3);
        let rest = (taken * f64::from(PROBE_REST_FACTOR)).min(longest);
        self.probes_of(request).rests_until = milliseconds_of(request) + taken + rest;
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor near the limit")]
    fn probes_of(&mut self, request: &Request) -> &mut SentProbes {
        self.probes.entry((request.environment * self.environments) as u64).or_default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a week has fewer milliseconds than a double can tell apart")]
const fn milliseconds_of(request: &Request) -> f64 {
    request.at as f64
}
