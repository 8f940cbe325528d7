//! The limit of this environment's probes: [`ProbeAllowance`] of the crate `breaker`, with a clock and a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_edge::connections::AgeClock;
use breaker::{Policy, ProbeAllowance, ServiceOutcome};
use tokio::time::Instant;

/// Limits the probes of one environment in number and in time.
#[derive(Debug)]
pub struct ProbeLimit {
    allowance: Mutex<ProbeAllowance>,
    clock: AgeClock,
    /// Zero of the allowance's times.
    origin: Instant,
}

impl ProbeLimit {
    /// Allows at most `per_second` probes in any second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self::by(ProbeAllowance::new(per_second))
    }

    fn by(allowance: ProbeAllowance) -> Self {
        let clock = AgeClock::monotonic();
        let origin = clock.now();
        Self { allowance: Mutex::new(allowance), clock, origin }
    }

    /// Measures time with `clock`. A monotonic clock may stand still while Lambda freezes the environment, and a pause
    /// would then last too long.
    #[must_use]
    pub fn with_clock(self, clock: AgeClock) -> Self {
        Self { origin: clock.now(), clock, ..self }
    }

    /// Begins a probe, or returns `None` if none is allowed now. The probe is under way until the returned value is
    /// ended or dropped.
    pub fn begin(&self) -> Option<ProbeUnderWay<'_>> {
        let begun = self.now();
        let is_allowed = self.allowance().begin(begun);
        is_allowed.then(|| ProbeUnderWay { limit: self, begun, has_ended: false })
    }

    fn end(&self, begun: Duration, outcome: ServiceOutcome) {
        let ended = self.now();
        self.allowance().end(begun, ended, outcome);
    }

    fn now(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.origin)
    }

    fn allowance(&self) -> MutexGuard<'_, ProbeAllowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&Policy> for ProbeLimit {
    fn from(policy: &Policy) -> Self {
        Self::by(ProbeAllowance::from(policy))
    }
}

/// A probe that has begun. While it exists, its environment sends no other.
#[derive(Debug)]
#[must_use = "the probe ends when this is dropped"]
pub struct ProbeUnderWay<'a> {
    limit: &'a ProbeLimit,
    begun: Duration,
    has_ended: bool,
}

impl ProbeUnderWay<'_> {
    /// Ends the probe with its outcome: after a failure the pause may be longer.
    pub fn end(mut self, outcome: ServiceOutcome) {
        self.has_ended = true;
        self.limit.end(self.begun, outcome);
    }
}

impl Drop for ProbeUnderWay<'_> {
    /// A cancelled request drops its probe unfinished. The next request must still be able to probe.
    fn drop(&mut self) {
        if !self.has_ended {
            self.limit.end(self.begun, ServiceOutcome::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use aws_smithy_async::time::TimeSource;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_ends_with_a_pause_too() {
        let probes = ProbeLimit::new(5);
        let probe = probes.begin().unwrap();
        tokio::time::advance(SECOND).await;
        assert!(probes.begin().is_none(), "under way");
        drop(probe);
        tokio::time::advance(8 * SECOND).await;
        assert!(probes.begin().is_none(), "it took a second");
        tokio::time::advance(SECOND).await;
        assert!(probes.begin().is_some());
    }

    #[derive(Clone, Debug)]
    struct Wall(Arc<Mutex<SystemTime>>);

    impl TimeSource for Wall {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_goes_on_while_frozen() {
        let wall = Wall(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH)));
        let probes = ProbeLimit::new(5).with_clock(AgeClock::new(wall.clone()));
        let probe = probes.begin().unwrap();
        tokio::time::advance(SECOND).await;
        drop(probe);
        assert!(probes.begin().is_none(), "it took a second");
        *wall.0.lock().unwrap() += 10 * SECOND;
        assert!(probes.begin().is_some());
    }
}
