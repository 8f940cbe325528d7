//! How long recoveries wait: longer each time one turns out to have been premature.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Policy;

/// Far beyond the doublings that lead from one second to a day, and far from overflow.
const MOST_DOUBLINGS: u32 = 20;

/// What earlier recoveries teach about the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryBackoff {
    /// How often the cooldown has been doubled.
    pub doublings: u32,
    /// When the level recovered, if nothing has moved it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_at: Option<Timestamp>,
}

impl RecoveryBackoff {
    /// After a recovery at `now`: whether it was premature is yet to be seen.
    #[must_use]
    pub const fn after_recovery(self, now: Timestamp) -> Self {
        Self { recovered_at: Some(now), ..self }
    }

    /// After a fall at `now` from a level that had been current since `last_transition`.
    ///
    /// A fall within the relapse window after a recovery doubles the cooldown; one after a calm
    /// period starts again from the base; any other keeps what there was, because it is the same
    /// outage sliding on.
    #[must_use]
    pub fn after_fall(self, policy: &Policy, last_transition: Timestamp, now: Timestamp) -> Self {
        let doublings = if self.is_relapse(policy, now) {
            self.doublings.saturating_add(1).min(MOST_DOUBLINGS)
        } else if now.duration_since(last_transition) >= policy.calm() {
            0
        } else {
            self.doublings
        };
        Self { doublings, recovered_at: None }
    }

    /// Whether a fall at `now` would show that the last recovery was premature: within the relapse window, or while
    /// its ramp lasts, in which the level has yet to bear its load.
    #[must_use]
    pub fn is_relapse(&self, policy: &Policy, now: Timestamp) -> bool {
        let window = policy.relapse_window().map(|window| window.max(policy.ramp().unwrap_or_default()));
        window.zip(self.recovered_at).is_some_and(|(window, at)| now.duration_since(at) <= window)
    }

    /// How long after a transition the next recovery may come.
    #[must_use]
    pub fn cooldown(&self, policy: &Policy) -> SignedDuration {
        let base = policy.cooldown();
        let Some(longest) = policy.longest_cooldown() else { return base };
        let factor = 1_i32.checked_shl(self.doublings.min(MOST_DOUBLINGS)).unwrap_or(i32::MAX);
        base.checked_mul(factor).map_or(longest, |doubled| doubled.min(longest))
    }
}
