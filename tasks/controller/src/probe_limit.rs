//! Limits how many probes one environment sends, and how much of its callers' time they take.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_edge::connections::AgeClock;
use breaker::{PROBE_REST_FACTOR, Policy};
use tokio::time::Instant;

use crate::outcome::ServiceOutcome;

/// Limits the probes of one environment in number and in time.
///
/// In any second, it allows a maximum number of probes. After a probe, it allows none for [`PROBE_REST_FACTOR`] times
/// as long as the probe took, so that probes that hang take about a tenth of the environment's time.
#[derive(Debug)]
pub struct ProbeLimit {
    per_second: usize,
    longest_rest: LongestRest,
    clock: AgeClock,
    used: Mutex<Used>,
}

/// Maximum pauses after a probe, so that a pause is not taken for idle probes.
#[derive(Clone, Copy, Debug)]
struct LongestRest {
    after_failure: Duration,
    otherwise: Duration,
}

#[derive(Debug, Default)]
struct Used {
    /// Start of each probe of the last second, oldest first.
    sent: VecDeque<Instant>,
    under_way: bool,
    rests_until: Option<Instant>,
}

impl LongestRest {
    const fn same(rest: Duration) -> Self {
        Self { after_failure: rest, otherwise: rest }
    }
}

impl ProbeLimit {
    /// Allows at most `per_second` probes in any second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let per_second = usize::try_from(per_second).unwrap_or(usize::MAX);
        Self {
            per_second,
            longest_rest: LongestRest::same(Duration::MAX),
            clock: AgeClock::monotonic(),
            used: Mutex::default(),
        }
    }

    /// Takes the time from `clock`, because a monotonic clock may stand still while Lambda freezes the environment: a
    /// rest would then outlast its end.
    #[must_use]
    pub fn with_clock(self, clock: AgeClock) -> Self {
        Self { clock, ..self }
    }

    /// The time by the clock of this limit.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Allows what a policy allows, and no probe without a policy.
    #[must_use]
    pub fn of(policy: Option<&Policy>) -> Self {
        let limit = Self::new(policy.map_or(0, Policy::probe_limit_per_second));
        let longest = |failed| policy.map_or(Duration::MAX, |policy| policy.longest_probe_rest(failed).unsigned_abs());
        let longest_rest = LongestRest { after_failure: longest(true), otherwise: longest(false) };
        Self { longest_rest, ..limit }
    }

    /// Begins a probe at `now`, or returns `None` if none is allowed then. The probe is under way until the returned
    /// value is ended or dropped.
    pub fn begin(&self, now: Instant) -> Option<ProbeUnderWay<'_>> {
        let mut used = self.used();
        while used.sent.front().is_some_and(|first| now.saturating_duration_since(*first) >= Duration::from_secs(1)) {
            used.sent.pop_front();
        }
        let rests = used.under_way || used.rests_until.is_some_and(|until| now < until);
        if rests || used.sent.len() >= self.per_second {
            return None;
        }
        used.sent.push_back(now);
        used.under_way = true;
        Some(ProbeUnderWay { limit: self, begun: now, has_ended: false })
    }

    fn end(&self, begun: Instant, ended: Instant, outcome: ServiceOutcome) {
        let failed = outcome == ServiceOutcome::Failure;
        let longest = if failed { self.longest_rest.after_failure } else { self.longest_rest.otherwise };
        let taken = ended.saturating_duration_since(begun);
        let mut used = self.used();
        used.under_way = false;
        used.rests_until = ended.checked_add(taken.saturating_mul(PROBE_REST_FACTOR).min(longest));
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A probe that has begun. While it exists, its environment sends no other.
#[derive(Debug)]
#[must_use = "the probe ends when this is dropped"]
pub struct ProbeUnderWay<'a> {
    limit: &'a ProbeLimit,
    begun: Instant,
    has_ended: bool,
}

impl ProbeUnderWay<'_> {
    /// Ends the probe at `now` with its outcome: after a failure the rest may be longer.
    pub fn end(mut self, now: Instant, outcome: ServiceOutcome) {
        self.has_ended = true;
        self.limit.end(self.begun, now, outcome);
    }
}

impl Drop for ProbeUnderWay<'_> {
    /// A request that is given up drops its probe unfinished, and the next request must still be able to probe.
    fn drop(&mut self) {
        if !self.has_ended {
            self.limit.end(self.begun, self.limit.now(), ServiceOutcome::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use aws_smithy_async::time::TimeSource;
    use breaker::PolicySettings;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    proptest! {
        #[test]
        fn no_second_has_more_probes_than_allowed(
            limit in 1_u32..5, pauses_ms in prop::collection::vec(0_u64..700, 1..60),
        ) {
            let probes = ProbeLimit::new(limit);
            let mut now = Instant::now();
            let mut sent: Vec<Instant> = Vec::new();
            for pause in pauses_ms {
                now += Duration::from_millis(pause);
                let recent = sent.iter().filter(|at| now - **at < SECOND).count();
                let probe = probes.begin(now);
                prop_assert_eq!(probe.is_some(), recent < limit as usize);
                if let Some(probe) = probe {
                    sent.push(now);
                    probe.end(now, ServiceOutcome::Success);
                }
            }
        }

        /// Requests come at any time, also while a probe is under way, and each probe takes any time.
        #[test]
        fn after_a_probe_nothing_probes_for_nine_times_as_long(
            limit in 1_u32..5, longest_rest_ms in prop_oneof![Just(u64::MAX), 1_u64..2_000],
            requests in prop::collection::vec((0_u64..700, prop_oneof![Just(0_u64), 1_u64..400]), 1..80),
        ) {
            let longest_rest = Duration::from_millis(longest_rest_ms);
            let probes = ProbeLimit { longest_rest: LongestRest::same(longest_rest), ..ProbeLimit::new(limit) };
            let mut now = Instant::now();
            let mut under_way: Option<(ProbeUnderWay<'_>, Instant)> = None;
            let mut sent: Vec<(Instant, Instant)> = Vec::new();
            for (pause, taken) in requests {
                now += Duration::from_millis(pause);
                if let Some((probe, ends)) = under_way.take_if(|(_, ends)| *ends <= now) {
                    probe.end(ends, ServiceOutcome::Failure);
                }
                let recent = sent.iter().filter(|(begun, _)| now - *begun < SECOND).count();
                let rested = sent.last().is_none_or(|(begun, ended)| {
                    now >= *ended && now - *ended >= longest_rest.min((*ended - *begun) * 9)
                });
                let probe = probes.begin(now);
                prop_assert_eq!(probe.is_some(), recent < limit as usize && rested);
                if let Some(probe) = probe {
                    let ends = now + Duration::from_millis(taken);
                    sent.push((now, ends));
                    under_way = Some((probe, ends));
                }
            }
            let Some((first, _)) = sent.first() else { return Ok(()) };
            let spent: Duration = sent.iter().map(|(begun, ended)| *ended - *begun).sum();
            let last = sent.last().map_or(Duration::ZERO, |(begun, ended)| *ended - *begun);
            let time = now.max(*first) - *first;
            let is_capped = longest_rest_ms != u64::MAX;
            prop_assert!(is_capped || spent <= time / 10 + last, "{spent:?} of {time:?}");
        }
    }

    #[test]
    fn a_probe_that_was_given_up_ends_and_rests_too() {
        let probes = ProbeLimit::new(5);
        let now = Instant::now();
        let probe = probes.begin(now.checked_sub(SECOND).unwrap()).unwrap();
        assert!(probes.begin(now).is_none(), "under way");
        drop(probe);
        assert!(probes.begin(now + 8 * SECOND).is_none(), "it took a second");
        assert!(probes.begin(now + 10 * SECOND).is_some());
    }

    #[test]
    fn a_rest_is_shorter_than_what_counts_as_no_probes() {
        let rest = |probe_idle_seconds, outcome| {
            let policy = Policy::new(PolicySettings { probe_idle_seconds, ..PolicySettings::production() }).unwrap();
            let probes = ProbeLimit::of(Some(&policy));
            let now = Instant::now();
            probes.begin(now).unwrap().end(now + 14 * SECOND, outcome);
            let after = |seconds| probes.begin(now + (14 + seconds) * SECOND).is_some();
            (1..200_u32).find(|seconds| after(*seconds)).unwrap()
        };
        let (failed, refused) = (ServiceOutcome::Failure, ServiceOutcome::Neutral);
        assert_eq!((rest(300, failed), rest(300, refused)), (126, 126), "9 times 14 s");
        assert_eq!(rest(40, ServiceOutcome::Success), 15, "half of what settling leaves of 40 s");
        assert_eq!(rest(40, refused), 15, "a refusal among answers counts for one idle time");
        assert_eq!(rest(40, failed), 55, "a failure counts for three: half of what settling leaves of 120 s");
        assert!(ProbeLimit::of(None).begin(Instant::now()).is_none(), "without a policy");
    }

    #[derive(Clone, Debug)]
    struct Wall(Arc<Mutex<SystemTime>>);

    impl TimeSource for Wall {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_goes_on_while_frozen() {
        let wall = Wall(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH)));
        let probes = ProbeLimit::new(5).with_clock(AgeClock::new(wall.clone()));
        let probe = probes.begin(probes.now()).unwrap();
        tokio::time::advance(SECOND).await;
        drop(probe);
        assert!(probes.begin(probes.now()).is_none(), "it took a second");
        *wall.0.lock().unwrap() += 10 * SECOND;
        assert!(probes.begin(probes.now()).is_some());
    }
}
