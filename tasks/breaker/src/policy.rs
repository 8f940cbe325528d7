//! The thresholds and times that decide, checked when they are put together.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The numbers of a policy as somebody set them, unchecked. The defaults are the seed's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// `LEVEL_1_FAILURE_THRESHOLD`: failures at level 1 that lead to level 2.
    pub level_1_failures: i64,
    /// `LEVEL_2_FAILURE_THRESHOLD`: failures in total, the carried ones included, that lead to level 3.
    pub level_2_failures: i64,
    /// `LEVEL_3_SUCCESS_THRESHOLD`: consecutive successes at level 3 that lead back to level 2.
    pub level_3_successes: i64,
    /// `LEVEL_2_SUCCESS_THRESHOLD`: consecutive successes at level 2 that lead back to level 1.
    pub level_2_successes: i64,
    /// `FAILURE_WINDOW_SECONDS`: how long a failure counts. 0 switches the window off: failures
    /// count since the last transition, however old.
    pub window_seconds: i64,
    /// `RECOVERY_COOLDOWN_SECONDS`: how long after a transition no recovery happens. 0 switches it off.
    pub cooldown_seconds: i64,
    /// `RECOVERY_COOLDOWN_MAX_SECONDS`: the longest that the cooldown becomes by being doubled. 0: it
    /// is never doubled.
    pub longest_cooldown_seconds: i64,
    /// `RELAPSE_WINDOW_SECONDS`: a fall so soon after a recovery doubles the cooldown. 0: none does.
    pub relapse_window_seconds: i64,
    /// `BACKOFF_CALM_SECONDS`: a fall after so long without any transition finds the cooldown at its
    /// base again.
    pub calm_seconds: i64,
    /// `EVIDENCE_SETTLE_SECONDS`: how old an outcome must be before a recovery may rest on it.
    pub settle_seconds: i64,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            level_1_failures: 5,
            level_2_failures: 10,
            level_3_successes: 3,
            level_2_successes: 5,
            window_seconds: 300,
            cooldown_seconds: 30,
            longest_cooldown_seconds: 600,
            relapse_window_seconds: 300,
            calm_seconds: 1_800,
            settle_seconds: 10,
        }
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct PolicyError {
    /// The setting, by the name of its environment variable.
    pub setting: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// A checked policy: whoever holds one need not ask whether it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    level_1_failures: u32,
    level_2_failures: u32,
    level_3_successes: u32,
    level_2_successes: u32,
    window_seconds: u32,
    cooldown_seconds: u32,
    longest_cooldown_seconds: u32,
    relapse_window_seconds: u32,
    calm_seconds: u32,
    settle_seconds: u32,
}

/// No threshold above this: CloudWatch sums are exact far beyond it, and nobody waits for it.
pub const MOST_OUTCOMES: i64 = 1_000_000;
/// One day: evidence that is older says nothing about now.
const LONGEST_SECONDS: i64 = 86_400;
/// Ten minutes: metrics that arrive later are lost to recoveries anyway.
const LONGEST_SETTLE_SECONDS: i64 = 600;

impl Policy {
    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    pub fn new(settings: PolicySettings) -> Result<Self, PolicyError> {
        let level_1_failures = within("LEVEL_1_FAILURE_THRESHOLD", settings.level_1_failures, 1, MOST_OUTCOMES)?;
        let level_2_failures = within("LEVEL_2_FAILURE_THRESHOLD", settings.level_2_failures, 1, MOST_OUTCOMES)?;
        if level_2_failures <= level_1_failures {
            return Err(PolicyError {
                setting: "LEVEL_2_FAILURE_THRESHOLD",
                problem: format!(
                    "{level_2_failures} is not above LEVEL_1_FAILURE_THRESHOLD ({level_1_failures}), \
                     so one fall would lead straight to level 3"
                ),
            });
        }
        let cooldown_seconds = within("RECOVERY_COOLDOWN_SECONDS", settings.cooldown_seconds, 0, LONGEST_SECONDS)?;
        let longest_cooldown_seconds =
            within("RECOVERY_COOLDOWN_MAX_SECONDS", settings.longest_cooldown_seconds, 0, LONGEST_SECONDS)?;
        if (1..cooldown_seconds).contains(&longest_cooldown_seconds) {
            return Err(PolicyError {
                setting: "RECOVERY_COOLDOWN_MAX_SECONDS",
                problem: format!(
                    "{longest_cooldown_seconds} is below RECOVERY_COOLDOWN_SECONDS ({cooldown_seconds}): \
                     use 0 for a cooldown that is never doubled"
                ),
            });
        }
        Ok(Self {
            level_1_failures,
            level_2_failures,
            level_3_successes: within("LEVEL_3_SUCCESS_THRESHOLD", settings.level_3_successes, 1, MOST_OUTCOMES)?,
            level_2_successes: within("LEVEL_2_SUCCESS_THRESHOLD", settings.level_2_successes, 1, MOST_OUTCOMES)?,
            window_seconds: within("FAILURE_WINDOW_SECONDS", settings.window_seconds, 0, LONGEST_SECONDS)?,
            cooldown_seconds,
            longest_cooldown_seconds,
            relapse_window_seconds: within(
                "RELAPSE_WINDOW_SECONDS",
                settings.relapse_window_seconds,
                0,
                LONGEST_SECONDS,
            )?,
            calm_seconds: within("BACKOFF_CALM_SECONDS", settings.calm_seconds, 0, LONGEST_SECONDS)?,
            settle_seconds: within("EVIDENCE_SETTLE_SECONDS", settings.settle_seconds, 0, LONGEST_SETTLE_SECONDS)?,
        })
    }

    /// Failures at level 1 that lead to level 2.
    #[must_use]
    pub const fn level_1_failures(&self) -> u32 {
        self.level_1_failures
    }

    /// Failures in total that lead from level 2 to level 3.
    #[must_use]
    pub const fn level_2_failures(&self) -> u32 {
        self.level_2_failures
    }

    /// Consecutive successes that lead from level 3 to level 2.
    #[must_use]
    pub const fn level_3_successes(&self) -> u32 {
        self.level_3_successes
    }

    /// Consecutive successes that lead from level 2 to level 1.
    #[must_use]
    pub const fn level_2_successes(&self) -> u32 {
        self.level_2_successes
    }

    /// How long a failure counts; `None` where the window is off.
    #[must_use]
    pub const fn window(&self) -> Option<SignedDuration> {
        some_seconds(self.window_seconds)
    }

    /// The longest that the cooldown becomes; `None` where it is never doubled.
    #[must_use]
    pub const fn longest_cooldown(&self) -> Option<SignedDuration> {
        some_seconds(self.longest_cooldown_seconds)
    }

    /// How soon after a recovery a fall shows that it was premature; `None` where that is off.
    #[must_use]
    pub const fn relapse_window(&self) -> Option<SignedDuration> {
        some_seconds(self.relapse_window_seconds)
    }

    /// How long without a transition until a fall finds the cooldown at its base again.
    #[must_use]
    pub const fn calm(&self) -> SignedDuration {
        seconds(self.calm_seconds)
    }

    /// How long after a transition no recovery happens, before any doubling.
    #[must_use]
    pub const fn cooldown(&self) -> SignedDuration {
        seconds(self.cooldown_seconds)
    }

    /// How old an outcome must be before a recovery may rest on it.
    #[must_use]
    pub const fn settle(&self) -> SignedDuration {
        seconds(self.settle_seconds)
    }
}

/// Zero switches a rule off.
const fn some_seconds(count: u32) -> Option<SignedDuration> {
    if count == 0 { None } else { Some(seconds(count)) }
}

const fn seconds(count: u32) -> SignedDuration {
    SignedDuration::from_secs(count as i64)
}

fn within(setting: &'static str, value: i64, least: i64, most: i64) -> Result<u32, PolicyError> {
    u32::try_from(value)
        .ok()
        .filter(|_| (least..=most).contains(&value))
        .ok_or_else(|| PolicyError { setting, problem: format!("{value} is not a number from {least} to {most}") })
}
