//! The recovery back-off: the cooldown doubles each time a recovery turns out to have been premature.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// Maximum number of doublings. From one second it reaches far more than a day, and no computation overflows.
const MAX_DOUBLINGS: u32 = 20;

/// The back-off: how often the cooldown was doubled, and the recovery that the next fall is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryBackoff {
    /// How often the cooldown has been doubled.
    pub doublings: u32,
    /// Time of the last recovery (UTC), if no transition followed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_at: Option<Timestamp>,
}

impl RecoveryBackoff {
    /// Returns the back-off after a recovery at `now`. A later fall shows whether the recovery was premature.
    #[must_use]
    pub const fn after_recovery(self, now: Timestamp) -> Self {
        Self { recovered_at: Some(now), ..self }
    }

    /// Returns the back-off after a fall at `now` from a level that had been current since `last_transition`.
    ///
    /// A fall within the relapse window after a recovery doubles the cooldown. A fall after a calm period resets it to
    /// its base. Any other fall keeps it, because it belongs to the same outage.
    #[must_use]
    pub fn after_fall(self, policy: &Policy, last_transition: Timestamp, now: Timestamp) -> Self {
        let doublings = if self.is_relapse(policy, now) {
            self.doublings.saturating_add(1).min(MAX_DOUBLINGS)
        } else if now.duration_since(last_transition) >= policy.calm() {
            0
        } else {
            self.doublings
        };
        Self { doublings, recovered_at: None }
    }

    /// Whether a fall at `now` would show that the last recovery was premature: it comes within the relapse window
    /// after that recovery, or during the ramp of that recovery if the ramp is longer.
    #[must_use]
    pub fn is_relapse(&self, policy: &Policy, now: Timestamp) -> bool {
        let window = policy.relapse_window().map(|window| window.max(policy.ramp().unwrap_or_default()));
        window.zip(self.recovered_at).is_some_and(|(window, at)| now.duration_since(at) <= window)
    }

    /// Returns the time between a transition and the earliest next recovery.
    #[must_use]
    pub fn cooldown(&self, policy: &Policy) -> SignedDuration {
        let base = policy.cooldown();
        let Some(longest) = policy.longest_cooldown() else { return base };
        let factor = 1_i32.checked_shl(self.doublings.min(MAX_DOUBLINGS)).unwrap_or(i32::MAX);
        base.checked_mul(factor).map_or(longest, |doubled| doubled.min(longest))
    }
}
