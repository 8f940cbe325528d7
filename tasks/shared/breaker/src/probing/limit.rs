//! Limits how many probes one controller environment sends, and how much of its callers' time they take.

use std::collections::VecDeque;
use std::time::Duration;

use crate::plan::ServiceOutcome;
use crate::policy::Policy;

/// An environment's pause after a probe, as a multiple of the probe's duration.
const REST_FACTOR: u32 = 9;

/// The probes of one environment, limited in number and in time.
///
/// In any second, it allows a maximum number of probes. After a probe, it allows none for nine times as long as the
/// probe took, so that probes that hang take about a tenth of the environment's time. The pause ends in time to send
/// the next probe before probes count as idle.
///
/// Times are durations since any fixed moment, the same for all calls.
#[derive(Clone, Debug)]
pub struct ProbeAllowance {
    per_second: usize,
    longest_rest_after_failure: Duration,
    longest_rest: Duration,
    /// Start of each probe of the last second, oldest first.
    sent: VecDeque<Duration>,
    under_way: bool,
    rests_until: Option<Duration>,
}

impl ProbeAllowance {
    /// Allows at most `per_second` probes in any second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: usize::try_from(per_second).unwrap_or(usize::MAX),
            longest_rest_after_failure: Duration::MAX,
            longest_rest: Duration::MAX,
            sent: VecDeque::new(),
            under_way: false,
            rests_until: None,
        }
    }

    /// Begins a probe at `now`. Returns false if none is allowed then.
    pub fn begin(&mut self, now: Duration) -> bool {
        while self.sent.front().is_some_and(|first| now.saturating_sub(*first) >= Duration::from_secs(1)) {
            self.sent.pop_front();
        }
        let rests = self.under_way || self.rests_until.is_some_and(|until| now < until);
        if rests || self.sent.len() >= self.per_second {
            return false;
        }
        self.sent.push_back(now);
        self.under_way = true;
        true
    }

    /// Ends the probe that began at `begun`. After a failure the pause may be longer.
    pub fn end(&mut self, begun: Duration, ended: Duration, outcome: ServiceOutcome) {
        let failed = outcome == ServiceOutcome::Failure;
        let longest = if failed { self.longest_rest_after_failure } else { self.longest_rest };
        let taken = ended.saturating_sub(begun);
        self.under_way = false;
        self.rests_until = ended.checked_add(taken.saturating_mul(REST_FACTOR).min(longest));
    }
}

impl From<&Policy> for ProbeAllowance {
    fn from(policy: &Policy) -> Self {
        Self {
            longest_rest_after_failure: policy.longest_probe_rest(true).unsigned_abs(),
            longest_rest: policy.longest_probe_rest(false).unsigned_abs(),
            ..Self::new(policy.probe_limit_per_second())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use proptest::prelude::*;

    use super::*;
    use crate::PolicySettings;

    const SECOND: Duration = Duration::from_secs(1);

    proptest! {
        #[test]
        fn no_second_has_more_probes_than_allowed(
            limit in 1_u32..5, pauses_ms in prop::collection::vec(0_u64..700, 1..60),
        ) {
            let mut probes = ProbeAllowance::new(limit);
            let mut now = SECOND;
            let mut sent: Vec<Duration> = Vec::new();
            for pause in pauses_ms {
                now += Duration::from_millis(pause);
                let recent = sent.iter().filter(|at| now.saturating_sub(**at) < SECOND).count();
                let allowed = probes.begin(now);
                prop_assert_eq!(allowed, recent < limit as usize);
                if allowed {
                    sent.push(now);
                    probes.end(now, now, ServiceOutcome::Success);
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
            let mut probes = ProbeAllowance {
                longest_rest, longest_rest_after_failure: longest_rest, ..ProbeAllowance::new(limit)
            };
            let mut now = SECOND;
            let mut under_way: Option<(Duration, Duration)> = None;
            let mut sent: Vec<(Duration, Duration)> = Vec::new();
            for (pause, taken) in requests {
                now += Duration::from_millis(pause);
                if let Some((begun, ends)) = under_way.take_if(|(_, ends)| *ends <= now) {
                    probes.end(begun, ends, ServiceOutcome::Failure);
                }
                let recent = sent.iter().filter(|(begun, _)| now.saturating_sub(*begun) < SECOND).count();
                let rested = sent.last().is_none_or(|(begun, ended)| {
                    now >= *ended && now.saturating_sub(*ended) >= longest_rest.min(ended.saturating_sub(*begun) * 9)
                });
                let allowed = probes.begin(now);
                prop_assert_eq!(allowed, recent < limit as usize && rested);
                if allowed {
                    let ends = now + Duration::from_millis(taken);
                    sent.push((now, ends));
                    under_way = Some((now, ends));
                }
            }
            let Some((first, _)) = sent.first() else { return Ok(()) };
            let spent: Duration = sent.iter().map(|(begun, ended)| ended.saturating_sub(*begun)).sum();
            let last = sent.last().map_or(Duration::ZERO, |(begun, ended)| ended.saturating_sub(*begun));
            let time = now.saturating_sub(*first);
            let is_capped = longest_rest_ms != u64::MAX;
            prop_assert!(is_capped || spent <= time / 10 + last, "{spent:?} of {time:?}");
        }
    }

    #[test]
    fn a_pause_ends_before_probes_count_as_idle() {
        let rest = |probe_idle_seconds, outcome| {
            let settings = PolicySettings { probe_idle_seconds, ..PolicySettings::production() };
            let mut probes = ProbeAllowance::from(&Policy::new(settings).unwrap());
            assert!(probes.begin(SECOND));
            probes.end(SECOND, 15 * SECOND, outcome);
            (1..200_u32).find(|seconds| probes.clone().begin((15 + seconds) * SECOND)).unwrap()
        };
        let (failed, refused) = (ServiceOutcome::Failure, ServiceOutcome::Neutral);
        assert_eq!((rest(300, failed), rest(300, refused)), (126, 126), "9 times 14 s");
        assert_eq!(rest(40, ServiceOutcome::Success), 15, "half of what settling leaves of 40 s");
        assert_eq!(rest(40, refused), 15, "a refusal among answers counts for one idle time");
        assert_eq!(rest(40, failed), 55, "a failure counts for three: half of what settling leaves of 120 s");
    }
}
