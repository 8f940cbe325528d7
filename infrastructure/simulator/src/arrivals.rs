//! The arrival of requests, at random times.

use breaker::PerLevel;
use fastrand::Rng;

use crate::request::{Luck, Request};
use crate::scenario::Scenario;
use crate::world::World;

/// The requests of a scenario in the order of their arrival.
#[derive(Debug)]
pub struct Arrivals<'a> {
    world: &'a World<'a>,
    scenario: &'a Scenario,
    rng: Rng,
    second: u32,
    /// The part of the second that is over.
    passed: f64,
    /// Expected number of arrivals until the next one.
    until_next: f64,
}

impl<'a> Arrivals<'a> {
    pub fn new(world: &'a World<'a>, scenario: &'a Scenario, mut rng: Rng) -> Self {
        let until_next = exponential(&mut rng);
        Self { world, scenario, rng, second: 0, passed: 0.0, until_next }
    }

    fn luck(&mut self) -> Luck {
        let (outcome, latency, declining) = (self.rng.f64(), self.rng.f64(), self.rng.f64());
        // Derived, so that a scenario without cold starts keeps its requests.
        Luck { outcome, latency, declining, starting: (latency * 1_009.0).fract() }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        while self.second < self.scenario.seconds() {
            let rate = self.world.traffic(self.second);
            let rest = (1.0 - self.passed) * rate;
            if self.until_next >= rest {
                self.until_next -= rest;
                self.second += 1;
                self.passed = 0.0;
                continue;
            }
            self.passed += self.until_next / rate;
            self.until_next = exponential(&mut self.rng);
            return Some(Request {
                at: i64::from(self.second) * 1_000 + milliseconds(self.passed),
                id: self.rng.u64(..),
                retryable: self.rng.f64() * 100.0 < self.scenario.safe_percent,
                cache_age: self.rng.f64(),
                environment: self.rng.f64(),
                luck: PerLevel { full: self.luck(), degraded: self.luck(), maintenance: self.luck() },
            });
        }
        None
    }
}

/// A share of a second in whole milliseconds, never a whole second.
#[expect(clippy::cast_possible_truncation, reason = "below 1,000")]
fn milliseconds(share: f64) -> i64 {
    ((share * 1_000.0) as i64).min(999)
}

/// Returns the gap to the next arrival of a Poisson process with one arrival per unit of time.
fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - rng.f64()).ln()
}
