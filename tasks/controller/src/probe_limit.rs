//! How many probes one environment sends.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use breaker::Policy;
use tokio::time::Instant;

/// Lets through so many probes in any second, however the traffic comes.
#[derive(Debug)]
pub struct ProbeLimit {
    per_second: usize,
    /// When those of the last second were sent, oldest first.
    sent: Mutex<VecDeque<Instant>>,
}

impl ProbeLimit {
    /// At most `per_second`.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second: usize::try_from(per_second).unwrap_or(usize::MAX), sent: Mutex::default() }
    }

    /// What a policy allows; nothing without one.
    #[must_use]
    pub fn of(policy: Option<&Policy>) -> Self {
        Self::new(policy.map_or(0, Policy::probe_limit_per_second))
    }

    /// Whether a probe may be sent at `now`; one that may, counts.
    pub fn allows(&self, now: Instant) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while sent.front().is_some_and(|first| now.duration_since(*first) >= Duration::from_secs(1)) {
            sent.pop_front();
        }
        let allowed = sent.len() < self.per_second;
        if allowed {
            sent.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_second_has_more_probes_than_allowed_and_none_is_refused_without_need(
            limit in 1_u32..5, pauses_ms in prop::collection::vec(0_u64..700, 1..60),
        ) {
            let probes = ProbeLimit::new(limit);
            let mut now = Instant::now();
            let mut sent: Vec<Instant> = Vec::new();
            for pause in pauses_ms {
                now += Duration::from_millis(pause);
                let recent = sent.iter().filter(|at| now - **at < Duration::from_secs(1)).count();
                let allowed = probes.allows(now);
                prop_assert_eq!(allowed, recent < limit as usize);
                sent.extend(allowed.then_some(now));
            }
        }
    }
}
