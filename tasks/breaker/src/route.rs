//! Where a request goes. Shared by the controller and the simulator.

use std::hash::Hasher;

use jiff::Timestamp;
use siphasher::sip::SipHasher13;

use crate::{Level, SystemState};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The level that is to answer.
    pub level: Level,
    /// Whether it is a probe: if it fails or is slow, the current level answers at once.
    pub probe: bool,
}

/// A request's draw, the same whenever and wherever it is drawn: 0 to 9,999.
#[must_use]
pub fn draw(request_id: &str) -> u32 {
    let mut hasher = SipHasher13::new();
    hasher.write(request_id.as_bytes());
    u32::try_from(hasher.finish() % 10_000).unwrap_or(0)
}

/// The least share of the requests, in percent, that a ramp begins with.
const FIRST_RAMP_PERCENT: i128 = 10;

/// Where a request goes that drew `draw`, while `state` is known.
///
/// During a ramp the level that recovered takes a growing share of all requests and the one below it
/// takes the rest; else a share of the `safe` requests probes the better level, where that is on.
#[must_use]
pub fn route(state: &SystemState, draw: u32, safe: bool, now: Timestamp) -> Route {
    let current = Route { level: state.current_level, probe: false };
    if let (Some(ramp), Some(worse)) = (state.active_ramp(now), state.current_level.worse()) {
        let (passed, whole) = (now.duration_since(ramp.from), ramp.until.duration_since(ramp.from));
        let share = (passed.as_millis() * 10_000).checked_div(whole.as_millis()).unwrap_or(10_000);
        let takes = i128::from(draw) < share.max(FIRST_RAMP_PERCENT * 100);
        return if takes { current } else { Route { level: worse, probe: false } };
    }
    match (state.active_probing(now), state.current_level.better()) {
        (Some(probing), Some(better)) if safe && draw < probing.percent.saturating_mul(100) => {
            Route { level: better, probe: true }
        }
        _ => current,
    }
}
