//! Where a request goes. Shared by whoever routes and whoever simulates.

use std::hash::Hasher;

use jiff::Timestamp;
use siphasher::sip::SipHasher13;

use crate::{Level, SystemState};

/// How many draws there are: shares are exact to a hundredth of a percent.
pub const DRAWS: u32 = 10_000;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The level that is to answer.
    pub level: Level,
    /// Whether it is a probe: if it fails or is slow, the current level answers at once.
    pub probe: bool,
}

/// A request's draw, below [`DRAWS`], the same whenever and wherever it is drawn.
#[must_use]
pub fn draw(request_id: &str) -> u32 {
    let mut hasher = SipHasher13::new();
    hasher.write(request_id.as_bytes());
    u32::try_from(hasher.finish() % u64::from(DRAWS)).unwrap_or(0)
}

/// So many percent, in draws.
pub(crate) const fn draws(percent: u32) -> u32 {
    percent.saturating_mul(DRAWS / 100)
}

/// Where a request goes that drew `draw`, while `state` is known. `safe` is one that may be sent twice.
///
/// During a ramp the level that recovered takes a growing share of all requests, safe or not, and the one
/// below it takes the rest; else a share of the safe requests probes the better level, where that is on.
/// The limit of probes a second is for the caller to keep: what is above it goes to the current level.
#[must_use]
pub fn route(state: &SystemState, draw: u32, safe: bool, now: Timestamp) -> Route {
    let current = Route { level: state.current_level, probe: false };
    if let (Some(ramp), Some(worse)) = (state.active_ramp(now), state.current_level.worse()) {
        return if draw < ramp.share(now) { current } else { Route { level: worse, probe: false } };
    }
    match (state.active_probing(now), state.current_level.better()) {
        (Some(probing), Some(better)) if safe && draw < draws(probing.percent) => Route { level: better, probe: true },
        _ => current,
    }
}
