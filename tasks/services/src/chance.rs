//! Random failures and latency, behind a port, so that tests can be deterministic and fast.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Settings;

/// Simulates the work of a back end.
pub trait Simulation {
    /// Returns whether this request fails at random.
    fn fails(&self) -> bool;
    /// Waits for the duration of the simulated work.
    fn work(&self) -> impl Future<Output = ()> + Send;
    /// Waits longer than any caller waits for an answer.
    fn hang(&self) -> impl Future<Output = ()> + Send;
}

/// Random failures and latency according to the settings.
#[derive(Debug)]
pub struct Chance {
    random: Mutex<StdRng>,
    failure_rate: f64,
    shortest: Duration,
    longest: Duration,
}

impl Chance {
    /// Returns the simulation for the settings. It is repeatable if they have a seed.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let random = settings.random_seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64);
        Self {
            random: Mutex::new(random),
            failure_rate: settings.failure_rate,
            shortest: settings.latency_min,
            longest: settings.latency_max,
        }
    }

    fn latency(&self) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.random_range(self.shortest..=self.longest)
    }
}

impl Simulation for Chance {
    fn fails(&self) -> bool {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.random_bool(self.failure_rate.clamp(0.0, 1.0))
    }

    async fn work(&self) {
        let latency = self.latency();
        // Tokio would wait a millisecond for a duration of zero.
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    async fn hang(&self) {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use aws_edge::settings::Environment;
    use breaker::Level;

    use super::*;

    fn chance(variables: &[(&str, &str)]) -> Chance {
        let environment = variables.iter().copied().chain([("DEPLOYMENT", "bank-test")]).collect::<Environment>();
        Chance::new(&Settings::from_environment(&environment, Level::Full).unwrap())
    }

    #[test]
    fn the_same_seed_gives_the_same_failures_and_latencies() {
        let variables = [("RANDOM_SEED", "7"), ("BREAKER_CONFIG", r#"{"samples.full_failure_percent":50}"#)];
        let (first, second) = (chance(&variables), chance(&variables));
        let sequence = |chance: &Chance| (0..50).map(|_| (chance.fails(), chance.latency())).collect::<Vec<_>>();
        let drawn = sequence(&first);
        assert_eq!(drawn, sequence(&second));
        assert_ne!(drawn, sequence(&first), "the state is kept from one request to the next");
    }

    #[test]
    fn latency_stays_within_its_bounds() {
        let chance = chance(&[("RANDOM_SEED", "7")]);
        let bounds = Duration::from_millis(50)..=Duration::from_millis(150);
        assert!((0..500).all(|_| bounds.contains(&chance.latency())));
    }

    #[test]
    fn a_rate_of_zero_never_fails_and_a_rate_of_one_always_does() {
        for (percent, fails) in [(0, false), (100, true)] {
            let config = format!("{{\"samples.full_failure_percent\":{percent}}}");
            let chance = chance(&[("BREAKER_CONFIG", &config)]);
            assert!((0..100).all(|_| chance.fails() == fails));
        }
    }
}
