//! The route of a request: its level, and whether it is a probe. The controller and the simulator use it.

use std::hash::Hasher;

use jiff::Timestamp;
use siphasher::sip::SipHasher13;

use crate::draws::{DRAWS, draws};
use crate::{Level, SystemState};

/// The route of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The level whose service is invoked.
    pub level: Level,
    /// Whether the request is a probe. If a probe fails, is slow or is refused, the current level answers at once.
    pub probe: bool,
}

/// Returns the draw of the request with this id: below [`DRAWS`], and always the same for one id.
#[must_use]
pub fn draw(request_id: &str) -> u32 {
    let mut hasher = SipHasher13::new();
    hasher.write(request_id.as_bytes());
    u32::try_from(hasher.finish() % u64::from(DRAWS)).unwrap_or(0)
}

/// Returns the route by `state` of a request that drew `draw`. `retryable` says whether its method is GET or HEAD.
///
/// During a ramp the level that recovered takes a growing share of all requests, retryable or not, and the next worse
/// level takes the rest. Otherwise a share of the retryable requests probes the better level, if the policy probes.
/// The caller enforces the limit of probes a second and sends requests beyond it to the current level.
#[must_use]
pub fn route(state: &SystemState, draw: u32, retryable: bool, now: Timestamp) -> Route {
    let current = Route { level: state.current_level, probe: false };
    if let (Some(ramp), Some(worse)) = (state.active_ramp(now), state.current_level.worse()) {
        return if draw < ramp.share(now) { current } else { Route { level: worse, probe: false } };
    }
    match (state.active_probing(now), state.current_level.better()) {
        (Some(probing), Some(better)) if retryable && draw < draws(probing.percent) => {
            Route { level: better, probe: true }
        }
        _ => current,
    }
}
