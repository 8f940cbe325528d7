//! The clock for the age of connections and of the state, and for the pauses of probes.
//!
//! Whether the monotonic clock goes on while Lambda freezes an environment is not documented, and reports contradict
//! each other: an AWS engineer measured that it goes on, over freezes of up to three minutes
//! (<https://github.com/aws/aws-lambda-web-adapter/issues/830>); operators saw that it does not
//! (<https://github.com/ConductorOne/baton-sdk/pull/1007>), and after a restored snapshot it does not
//! (<https://github.com/hyperium/hyper/issues/3810>). So neither clock is trusted alone.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as StdInstant, SystemTime};

use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource, SystemTimeSource, TimeSource};
use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use tokio::time::Instant;

/// A clock that advances as fast as the faster of two clocks. The monotonic clock may stand still during a freeze. The
/// wall clock goes on, but may be set back; if it is set ahead, ages only look older than they are. Do not use these
/// times as deadlines of the runtime, because its timers may stand still.
#[derive(Clone, Debug)]
pub struct AgeClock {
    wall: SharedTimeSource,
    last: Arc<Mutex<Reading>>,
}

#[derive(Debug)]
struct Reading {
    monotonic: Instant,
    wall: SystemTime,
    now: Instant,
}

impl AgeClock {
    /// Returns a clock that reads the runtime's monotonic clock and this wall clock.
    pub fn new(wall: impl TimeSource + 'static) -> Self {
        let (wall, monotonic) = (SharedTimeSource::new(wall), Instant::now());
        let last = Reading { monotonic, wall: wall.now(), now: monotonic };
        Self { wall, last: Arc::new(Mutex::new(last)) }
    }

    /// Returns the clock of a Lambda, which reads the machine's wall clock.
    #[must_use]
    pub fn of_system() -> Self {
        Self::new(SystemTimeSource::new())
    }

    /// Returns the monotonic clock alone, for tests that pause the runtime's time.
    #[must_use]
    pub fn monotonic() -> Self {
        Self::new(StaticTimeSource::new(SystemTime::UNIX_EPOCH))
    }

    /// The time by the faster clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.read(Instant::now())
    }

    fn read(&self, monotonic: Instant) -> Instant {
        let wall = self.wall.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let by_wall = wall.duration_since(last.wall).unwrap_or_default();
        let passed = monotonic.saturating_duration_since(last.monotonic).max(by_wall);
        let now = last.now.checked_add(passed).unwrap_or(last.now);
        *last = Reading { monotonic, wall, now };
        now
    }
}

impl Timer for AgeClock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep(duration)
    }

    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Timer::now(self)))
    }

    fn now(&self) -> StdInstant {
        Self::now(self).into_std()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug)]
    struct Wall(Arc<Mutex<SystemTime>>);

    impl TimeSource for Wall {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn time_passes_by_the_faster_of_two_clocks() {
        let wall = Wall(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_hours(1))));
        let clock = AgeClock::new(wall.clone());
        let begun = clock.last.lock().unwrap().monotonic;
        let after = |monotonic_s: u64, wall_s: i64| {
            let mut now = wall.0.lock().unwrap();
            let step = Duration::from_secs(wall_s.unsigned_abs());
            *now = if wall_s < 0 { *now - step } else { *now + step };
            drop(now);
            clock.read(begun + Duration::from_secs(monotonic_s)).duration_since(begun).as_secs()
        };
        assert_eq!(after(2, 2), 2);
        // Frozen for a minute: the monotonic clock stands still.
        assert_eq!(after(2, 60), 62);
        // The wall clock is set back by ten minutes: five seconds passed all the same.
        assert_eq!(after(7, -600), 67);
        assert_eq!(after(8, 1), 68);
    }
}
