//! The policy: thresholds and times, validated when a policy is made.

mod settings;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::level::Level;

pub(crate) use settings::{LONGEST_SECONDS, MAX_OUTCOMES};
pub use settings::{Mode, NUMBERS, Number, PolicySettings, Preset, RecoveryEvidence, TripWhen, UnknownWord};

/// After a failed probe, probes count as idle after this many times `probes.idle_seconds` without a probe; after any
/// other probe, after `probes.idle_seconds` once. The alarm `probes-refused` goes off after this many times
/// `probes.idle_seconds`, too.
pub(crate) const BAD_PROBES_COUNT: i32 = 3;

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct PolicyError {
    /// The key of the setting, for example `rates.failure_percent`.
    pub setting: &'static str,
    /// The problem, with the value and the allowed values.
    pub problem: String,
}

/// A valid policy: only [`Policy::new`] makes one, also when it is read from JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "PolicySettings", try_from = "PolicySettings")]
#[schemars(with = "PolicySettings")]
pub struct Policy(PolicySettings);

impl TryFrom<PolicySettings> for Policy {
    type Error = PolicyError;

    fn try_from(settings: PolicySettings) -> Result<Self, PolicyError> {
        Self::new(settings)
    }
}

impl From<Policy> for PolicySettings {
    fn from(policy: Policy) -> Self {
        policy.0
    }
}

impl From<Preset> for Policy {
    fn from(preset: Preset) -> Self {
        Self(PolicySettings::of(preset))
    }
}

impl Policy {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first invalid setting.
    pub fn new(settings: PolicySettings) -> Result<Self, PolicyError> {
        for number in NUMBERS {
            let value = number.of(&settings);
            if !(number.minimum..=number.maximum).contains(&value) {
                let problem = format!("{value} is not a number from {} to {}", number.minimum, number.maximum);
                return Err(PolicyError { setting: number.key, problem });
            }
        }
        let policy = Self(settings);
        policy.check_combinations().map_or(Ok(policy), Err)
    }

    /// Returns an error if settings that are valid alone contradict each other.
    fn check_combinations(&self) -> Option<PolicyError> {
        let PolicySettings {
            level_1_failures,
            level_2_failures,
            cooldown_seconds,
            longest_cooldown_seconds,
            probe_idle_seconds,
            settle_seconds,
            ..
        } = self.0;
        let counts_off = (level_1_failures == 0, level_2_failures == 0);
        let (setting, problem) = if !self.has_rate_rules() && counts_off.0 {
            ("counts.level_1_failures", "0 switches off the only rule by which level 1 could fall".to_owned())
        } else if !self.has_rate_rules() && counts_off.1 {
            ("counts.level_2_failures", "0 switches off the only rule by which level 2 could fall".to_owned())
        } else if level_2_failures > 0 && level_2_failures <= level_1_failures {
            let problem = format!(
                "{level_2_failures} is not above counts.level_1_failures ({level_1_failures}), so one fall would \
                 lead straight to level 3"
            );
            ("counts.level_2_failures", problem)
        } else if (1..cooldown_seconds).contains(&longest_cooldown_seconds) {
            let problem = format!(
                "{longest_cooldown_seconds} is below recovery.cooldown_seconds ({cooldown_seconds}): use 0 for a \
                 cooldown that is never doubled"
            );
            ("recovery.longest_cooldown_seconds", problem)
        } else if self.recovers_by_probes() && self.0.failure_rate_percent == 0 {
            (
                "rates.failure_percent",
                "0 is no rate that probes could stay below: recovery_evidence = probes needs one".to_owned(),
            )
        } else if self.recovers_by_probes() && probe_idle_seconds <= settle_seconds {
            let problem = format!(
                "{probe_idle_seconds} is not above recovery.settle_seconds ({settle_seconds}), so the probes \
                 would count as idle before any of them is old enough to count"
            );
            ("probes.idle_seconds", problem)
        } else if self.0.trip_when == TripWhen::CountAndRate && self.0.failure_rate_percent == 0 {
            ("rates.failure_percent", "0 is no rate, and trip_when = count-and-rate needs one".to_owned())
        } else if self.0.trip_when == TripWhen::CountAndRate && counts_off.0 {
            ("counts.level_1_failures", "0 is no count, and trip_when = count-and-rate needs one".to_owned())
        } else if self.0.trip_when == TripWhen::CountAndRate && counts_off.1 {
            ("counts.level_2_failures", "0 is no count, and trip_when = count-and-rate needs one".to_owned())
        } else {
            return None;
        };
        Some(PolicyError { setting, problem })
    }

    /// Whether a rule other than the counts can make the level fall: a rate, or consecutive failures.
    fn has_rate_rules(&self) -> bool {
        let PolicySettings { consecutive_failures, failure_rate_percent, .. } = self.0;
        consecutive_failures > 0 || failure_rate_percent > 0 || self.slow_call_rate_percent().is_some()
    }

    /// Returns the settings.
    #[must_use]
    pub const fn settings(&self) -> &PolicySettings {
        &self.0
    }

    /// Whether automation only reports what it would do (the mode `observe-only`).
    #[must_use]
    pub fn observes_only(&self) -> bool {
        self.0.mode == Mode::ObserveOnly
    }

    /// Whether the level falls only if the rules for count and rate both hold.
    #[must_use]
    pub fn needs_count_and_rate(&self) -> bool {
        self.0.trip_when == TripWhen::CountAndRate
    }

    /// Failures at level 1 that lead to level 2; 0: the rule is off.
    #[must_use]
    pub fn level_1_failures(&self) -> u32 {
        count(self.0.level_1_failures)
    }

    /// Failures in total that lead from level 2 to level 3; 0: the rule is off.
    #[must_use]
    pub fn level_2_failures(&self) -> u32 {
        count(self.0.level_2_failures)
    }

    /// Consecutive successes that lead from level 3 to level 2.
    #[must_use]
    pub fn level_3_successes(&self) -> u32 {
        count(self.0.level_3_successes)
    }

    /// Consecutive successes that lead from level 2 to level 1.
    #[must_use]
    pub fn level_2_successes(&self) -> u32 {
        count(self.0.level_2_successes)
    }

    /// How long a failure counts; `None` if the window is off.
    #[must_use]
    pub const fn window(&self) -> Option<SignedDuration> {
        some_seconds(self.0.window_seconds)
    }

    /// Consecutive failures that lead to a fall; `None` if the rule is off.
    #[must_use]
    pub fn consecutive_failures(&self) -> Option<u32> {
        some_count(self.0.consecutive_failures)
    }

    /// The failure rate in percent that leads to a fall; `None` if the rule is off.
    #[must_use]
    pub fn failure_rate_percent(&self) -> Option<u32> {
        some_count(self.0.failure_rate_percent)
    }

    /// The rate of slow calls in percent that leads to a fall; `None` if the rule is off.
    #[must_use]
    pub fn slow_call_rate_percent(&self) -> Option<u32> {
        some_count(self.0.slow_call_rate_percent).filter(|_| self.slow_call().is_some())
    }

    /// The duration from which on a call is slow; `None` if the rule is off.
    #[must_use]
    pub fn slow_call(&self) -> Option<SignedDuration> {
        (self.0.slow_call_milliseconds > 0).then(|| SignedDuration::from_millis(self.0.slow_call_milliseconds))
    }

    /// Minimum number of calls for a rate to count.
    #[must_use]
    pub fn minimum_calls(&self) -> u32 {
        count(self.0.minimum_calls)
    }

    /// How long a call counts for rates.
    #[must_use]
    pub const fn rate_window(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.rate_window_seconds)
    }

    /// How far back rates count. The newest outcomes may still be missing, so the window is lengthened by the settling
    /// time.
    #[must_use]
    pub const fn rate_reach(&self) -> SignedDuration {
        self.rate_window().saturating_add(self.settle())
    }

    /// The longest time for which any rule counts an outcome at level 1; `None` if the window is off.
    #[must_use]
    pub fn reach(&self) -> Option<SignedDuration> {
        let rates = self.failure_rate_percent().or(self.slow_call_rate_percent());
        self.window().map(|window| rates.map_or(window, |_| window.max(self.rate_reach())))
    }

    /// Minimum age of the outcomes that a recovery rests on.
    #[must_use]
    pub const fn settle(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.settle_seconds)
    }

    /// The cooldown before any doubling.
    #[must_use]
    pub const fn cooldown(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.cooldown_seconds)
    }

    /// Maximum of the doubled cooldown; `None` if it is never doubled.
    #[must_use]
    pub const fn longest_cooldown(&self) -> Option<SignedDuration> {
        some_seconds(self.0.longest_cooldown_seconds)
    }

    /// The relapse window: a fall within it after a recovery doubles the cooldown; `None` if it is off.
    #[must_use]
    pub const fn relapse_window(&self) -> Option<SignedDuration> {
        some_seconds(self.0.relapse_window_seconds)
    }

    /// The time without a transition after which a fall resets the cooldown to its base.
    #[must_use]
    pub const fn calm(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.calm_seconds)
    }

    /// Whether recoveries rest on probes of the better level.
    #[must_use]
    pub fn recovers_by_probes(&self) -> bool {
        self.0.recovery_evidence == RecoveryEvidence::Probes
    }

    /// Whether the next better level than `level` is probed. In the mode `observe-only` no level is probed, because
    /// then only operators change where requests go.
    #[must_use]
    pub fn probes(&self, level: Level) -> bool {
        self.recovers_by_probes() && !self.observes_only() && level.better().is_some()
    }

    /// Minimum share of retryable requests, in percent, that probes the better level.
    #[must_use]
    pub fn probe_percent(&self) -> u32 {
        count(self.0.probe_percent)
    }

    /// Maximum number of probes a second of one controller environment.
    #[must_use]
    pub fn probe_limit_per_second(&self) -> u32 {
        count(self.0.probe_limit_per_second)
    }

    /// Number of probes that prove that the better level works.
    #[must_use]
    pub fn probe_calls(&self) -> u32 {
        count(self.0.probe_calls)
    }

    /// The time without any probe after which a recovery rests on the current level.
    #[must_use]
    pub const fn probe_idle(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.probe_idle_seconds)
    }

    /// Maximum pause of an environment after a probe. It ends early enough that the next probe is sent and its outcome
    /// is seen before the probes count as idle (after a failed probe that takes three times as long).
    #[must_use]
    pub fn longest_probe_rest(&self, failed: bool) -> SignedDuration {
        let counts = self.probe_idle().saturating_mul(if failed { BAD_PROBES_COUNT } else { 1 });
        (counts - self.settle()).max(SignedDuration::ZERO) / 2
    }

    /// Duration of the ramp; `None` if a level that recovered takes all requests at once.
    #[must_use]
    pub const fn ramp(&self) -> Option<SignedDuration> {
        some_seconds(self.0.ramp_seconds)
    }

    /// Minimum number of calls for a rate to count during the ramp.
    #[must_use]
    pub fn ramp_minimum_calls(&self) -> u32 {
        count(self.0.ramp_minimum_calls)
    }
}

/// Zero switches a rule off.
const fn some_seconds(seconds: i64) -> Option<SignedDuration> {
    if seconds == 0 { None } else { Some(SignedDuration::from_secs(seconds)) }
}

fn some_count(number: i64) -> Option<u32> {
    Some(count(number)).filter(|count| *count > 0)
}

/// Converts a checked number, which is neither negative nor too large.
fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
