//! The plan of a request: which services are called, in which order, for how long, and what each call counts as. The
//! controller and the simulator follow it.
//!
//! 1. If the [`Route`] says so, the better level is called as a **probe**. A probe that succeeds is the answer.
//! 2. Otherwise, or if the probe failed, was slow or was refused, the **routed** level is called.
//! 3. If that call fails and the request is retryable (GET, HEAD), the next worse level is called as the **fallback**.
//!    If the fallback fails too, the routed level's answer is the answer.
//!
//! A call has the service's timeout at most, and a retryable request has [`RequestRules::read_timeout`] at most,
//! because another service can still answer it. A call that uses up its time counts as a failure by timeout.

use std::time::Duration;

use crate::level::Level;
use crate::per_level::PerLevel;
use crate::policy::{Policy, Preset};
use crate::route::Route;

/// Minimum time for a call. With less time left, no service is called.
pub const MIN_CALL_TIME: Duration = Duration::from_millis(50);

/// Minimum timeout of a service, in milliseconds.
pub const SHORTEST_SERVICE_TIMEOUT_MS: u64 = 100;

/// Maximum timeout of a service, in milliseconds. A read of the state (300 ms) and two calls, one after the other, fit
/// into the time for an answer (28.5 s).
pub const LONGEST_SERVICE_TIMEOUT_MS: u64 = 14_000;

/// Timeout of a service if nothing sets another one, in milliseconds.
pub const SERVICE_TIMEOUT_MS: u64 = 5_000;

impl Preset {
    /// Time budget of a call for a GET or HEAD if the deployment sets none. `None` means the service's timeout.
    #[must_use]
    pub const fn read_timeout(self) -> Option<Duration> {
        match self {
            Self::Classic => None,
            Self::Production => Some(Duration::from_secs(2)),
        }
    }
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceOutcome {
    /// The level worked as designed.
    Success,
    /// The level failed.
    Failure,
    /// The level refused the request, or the request or its answer was too large. That is neither success nor failure,
    /// because otherwise clients could move the level. A probe with this outcome is recorded as refused.
    Neutral,
    /// A connection to Lambda's own front end broke or could not be made. That says nothing about the level.
    Unknown,
}

/// What a call adds to the level's metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Successes.
    pub successes: u64,
    /// Failures.
    pub errors: u64,
    /// Calls, failed or not, that were slow.
    pub slow_calls: u64,
    /// Probes that the level refused.
    pub refused: u64,
}

impl OutcomeCounts {
    /// Returns the sums.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            successes: self.successes.saturating_add(other.successes),
            errors: self.errors.saturating_add(other.errors),
            slow_calls: self.slow_calls.saturating_add(other.slow_calls),
            refused: self.refused.saturating_add(other.refused),
        }
    }

    /// Whether these counts may make the level fall.
    #[must_use]
    pub const fn are_bad(self) -> bool {
        self.errors > 0 || self.slow_calls > 0
    }
}

/// The rules for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRules {
    /// Timeout of each service.
    pub service_timeouts: PerLevel<Duration>,
    /// Time budget of a call for a GET or HEAD. `None` means the service's timeout.
    pub read_timeout: Option<Duration>,
    /// Duration from which on a call is slow; `None` if no call is.
    pub slow_call: Option<Duration>,
    /// Whether the next worse level's service answers a GET or HEAD that fails.
    pub fallback: bool,
    /// Whether a service's answer with status 429 is a failure.
    pub too_many_requests_fail: bool,
}

impl RequestRules {
    /// Returns the rules of `policy` with the defaults of a deployment.
    #[must_use]
    pub fn new(policy: &Policy, service_timeouts: PerLevel<Duration>) -> Self {
        Self {
            service_timeouts,
            read_timeout: policy.settings().preset.read_timeout(),
            slow_call: policy.slow_call().map(jiff::SignedDuration::unsigned_abs),
            fallback: true,
            too_many_requests_fail: false,
        }
    }

    /// Returns the outcome of an answer with this status: 5xx is a failure unless the level declined by design, 4xx is
    /// neutral.
    #[must_use]
    pub const fn outcome_of(&self, status: u16, declined: bool) -> ServiceOutcome {
        match status {
            503 if declined => ServiceOutcome::Success,
            429 if self.too_many_requests_fail => ServiceOutcome::Failure,
            500.. => ServiceOutcome::Failure,
            400..=499 => ServiceOutcome::Neutral,
            _ => ServiceOutcome::Success,
        }
    }

    /// Returns what a call that took `taken` adds to the metrics of its level; `None` if the outcome is unknown.
    #[must_use]
    pub fn counts_of(&self, purpose: Purpose, outcome: ServiceOutcome, taken: Duration) -> Option<OutcomeCounts> {
        let slow = u64::from(self.slow_call.is_some_and(|slow| taken >= slow));
        match outcome {
            ServiceOutcome::Success => Some(OutcomeCounts { successes: 1, slow_calls: slow, ..Default::default() }),
            ServiceOutcome::Failure => Some(OutcomeCounts { errors: 1, slow_calls: slow, ..Default::default() }),
            ServiceOutcome::Neutral => {
                Some(OutcomeCounts { refused: u64::from(purpose == Purpose::Probe), ..Default::default() })
            }
            ServiceOutcome::Unknown => None,
        }
    }

    /// Returns the maximum duration of a call of `level`.
    fn budget(&self, level: Level, retryable: bool) -> Duration {
        let timeout = *self.service_timeouts.of(level);
        self.read_timeout.filter(|_| retryable).map_or(timeout, |read| read.min(timeout))
    }
}

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Probe: tests whether the better level works.
    Probe,
    /// Calls the level that the request is routed to.
    Routed,
    /// Fallback: the routed level failed.
    Fallback,
}

/// One call of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The level whose service is called.
    pub level: Level,
    /// The purpose of the call.
    pub purpose: Purpose,
    /// How long the call may take.
    pub time: Duration,
    /// The level that failed the request before.
    pub failed_before: Option<Level>,
}

/// The next step of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make this call, and tell the plan how it ended.
    Call(Call),
    /// Answer the caller with the result of the call with this purpose.
    Answer(Purpose),
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    Begun,
    Probed { failed: bool },
    Failed,
    Ended(Purpose),
}

/// The plan of one request.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    rules: &'a RequestRules,
    current: Level,
    route: Route,
    retryable: bool,
    progress: Progress,
}

impl<'a> Plan<'a> {
    /// Returns the plan of a request that is routed by `route` at the level `current`. `retryable` says whether its
    /// method is GET or HEAD.
    #[must_use]
    pub const fn new(rules: &'a RequestRules, current: Level, route: Route, retryable: bool) -> Self {
        Self { rules, current, route, retryable, progress: Progress::Begun }
    }

    /// Returns the next step if `left` is the time until the caller must be answered. `may_probe` is asked only if the
    /// request is to probe and there is time for it; a probe for which it returns true is sent.
    pub fn next(&self, left: Duration, may_probe: impl FnOnce() -> bool) -> Step {
        match self.progress {
            Progress::Begun => match self.probe(left) {
                Some(probe) if may_probe() => Step::Call(probe),
                _ => Step::Call(self.routed(left, false)),
            },
            Progress::Probed { failed } => Step::Call(self.routed(left, failed)),
            Progress::Failed => self.after_failure(left).map_or(Step::Answer(Purpose::Routed), Step::Call),
            Progress::Ended(purpose) => Step::Answer(purpose),
        }
    }

    /// Tells the plan that the call with this purpose ended. `answered` says whether there is an answer that the caller
    /// could be given.
    pub const fn ended(&mut self, purpose: Purpose, outcome: ServiceOutcome, answered: bool) {
        self.progress = match (purpose, outcome) {
            (Purpose::Probe, ServiceOutcome::Success) => Progress::Ended(Purpose::Probe),
            // A refusal and a lost connection say nothing about the request: it goes on as if there had been no probe.
            (Purpose::Probe, ServiceOutcome::Unknown) => Progress::Probed { failed: false },
            (Purpose::Probe, ServiceOutcome::Neutral) => Progress::Probed { failed: !answered },
            (Purpose::Probe, ServiceOutcome::Failure) => Progress::Probed { failed: true },
            (Purpose::Routed, ServiceOutcome::Failure | ServiceOutcome::Unknown) => Progress::Failed,
            (Purpose::Fallback, ServiceOutcome::Success | ServiceOutcome::Neutral) if answered => {
                Progress::Ended(Purpose::Fallback)
            }
            (Purpose::Routed | Purpose::Fallback, _) => Progress::Ended(Purpose::Routed),
        };
    }

    /// Returns the level that the request goes to if it is no probe.
    #[must_use]
    pub const fn level(&self) -> Level {
        if self.route.probe { self.current } else { self.route.level }
    }

    /// Returns the probe, or `None` if the request is not to probe or if too little time would be left for the current
    /// level's full timeout. A probe ends when it is slow.
    fn probe(&self, left: Duration) -> Option<Call> {
        let budget = self.rules.budget(self.route.level, self.retryable);
        let time = self.rules.slow_call.map_or(budget, |slow| slow.min(budget));
        let has_time = left >= time.saturating_add(self.rules.budget(self.current, self.retryable));
        (self.route.probe && has_time).then_some(Call {
            level: self.route.level,
            purpose: Purpose::Probe,
            time,
            failed_before: None,
        })
    }

    /// Returns the call of the routed level. Time is kept for the fallback, but at most half of what is left. After a
    /// failed probe no time is kept for the fallback, so that the routed level has its full timeout.
    fn routed(&self, left: Duration, probe_failed: bool) -> Call {
        let level = self.level();
        let kept = self
            .fallback()
            .filter(|_| !probe_failed)
            .map_or(Duration::ZERO, |level| self.rules.budget(level, self.retryable).min(left / 2));
        let time = self.rules.budget(level, self.retryable).min(left.saturating_sub(kept));
        Call { level, purpose: Purpose::Routed, time, failed_before: probe_failed.then_some(self.route.level) }
    }

    fn after_failure(&self, left: Duration) -> Option<Call> {
        let level = self.fallback()?;
        let time = self.rules.budget(level, self.retryable).min(left);
        let call = Call { level, purpose: Purpose::Fallback, time, failed_before: Some(self.level()) };
        (time >= MIN_CALL_TIME).then_some(call)
    }

    fn fallback(&self) -> Option<Level> {
        self.level().worse().filter(|_| self.rules.fallback && self.retryable)
    }
}
