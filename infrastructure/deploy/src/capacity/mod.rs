//! Throttle, cap and reservations that hold while level 1 hangs, from the account's limit of concurrent executions.
//!
//! By Little's law, executions in flight = arrivals a second × seconds. The API's throttle is a bucket of tokens: in any
//! `s` seconds it admits at most `burst + rate × s` requests. So the executions that end at most `s` seconds after their
//! request was admitted are never more than that. An execution of level 1 that hangs ends at the function's own timeout,
//! because Lambda does not stop a synchronous invocation when its caller gives up.
//!
//! A cap of level 1 (its reserved concurrency) changes the sum: Lambda refuses the calls above it at once, so the next
//! level answers them in the time of a healthy request.

mod choice;
mod situation;
mod text;

use std::iter::once;

use schemars::JsonSchema;
use serde::Serialize;

pub use choice::capacity;
pub(crate) use situation::of_sample;
pub use situation::{FullService, SAMPLE_TIMEOUT_MS, Situation, Wish};
pub use text::{lines, warnings};

/// Longest time of a request whose services are healthy, in milliseconds, the controller's own time included.
pub const HEALTHY_MS: u64 = 250;
/// Lambda keeps so many of an account's concurrent executions unreserved.
pub const UNRESERVED: u64 = 100;
/// Functions of the control plane: alarm processor, evaluation, write, metrics.
pub const CONTROL_PLANE: u64 = 4;
/// Executions of each function of the control plane: two of alarms, which the event source limits, one of the schedule
/// and one of an operator's command.
const CONTROL_PLANE_EXECUTIONS: u32 = 4;
/// The account's other functions keep one part of so many.
const SHARE_OF_OTHERS: u64 = 10;

/// The concurrent executions of a deployment while level 1 hangs and the other levels are healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Executions of the account that functions outside of the deployment do not reserve.
    pub available: u64,
    /// Executions that stay for the account's other functions.
    pub others: u64,
    /// Executions of the control plane.
    pub control_plane: u64,
    /// Executions of the status function.
    pub status: u64,
    /// Executions that are reserved for the sample service of level 3.
    pub level_3: u64,
    /// Executions of level 1. 0 if it is your own function with a reservation of its own.
    pub level_1: u64,
    /// Executions of the controller.
    pub controllers: u64,
    /// Executions of level 2.
    pub level_2: u64,
    /// The sum of all.
    pub needed: u64,
    /// Executions that a healthy level 1 needs.
    pub healthy_level_1: u64,
    /// Maximum executions of level 1; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_1_cap: Option<u64>,
    /// Longest time that an execution of level 1 counts after its request was admitted, in milliseconds.
    pub level_1_milliseconds: u64,
    /// Longest time of a request that waits for level 1, in milliseconds.
    pub controller_milliseconds: u64,
    /// Executions that are reserved for each function of the control plane. 0 if none is.
    pub control_plane_concurrency: u32,
    /// Maximum executions of the sample service of level 1. 0 sets no limit.
    pub full_concurrency: u32,
    /// Requests a second that the API admits.
    pub requests_per_second: u32,
    /// Requests that the API admits at once.
    pub burst: u32,
    /// Whether the sum is available, Lambda allows the reservations, and the caps have room for a healthy level 1 and for
    /// what level 2 answers.
    pub holds: bool,
    /// Available executions with which this throttle would hold; absent if it holds, or with no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_hold_with: Option<u64>,
    /// The values that this arithmetic gives to keys that the file does not set, if they differ from the default.
    pub derived: Vec<Derived>,
}

/// A value that follows from the account's limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Derived {
    /// The key of the file.
    pub key: String,
    /// The value.
    pub value: u32,
    /// The default that it replaces.
    pub instead_of: u32,
}

/// A throttle of the API, and what is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Values {
    rate: u32,
    burst: u32,
    control_plane: u32,
    full: u32,
}

impl Values {
    /// Returns the most requests that are admitted in so many milliseconds.
    fn admitted(self, milliseconds: u64) -> u64 {
        u64::from(self.burst) + (u64::from(self.rate) * milliseconds).div_ceil(1_000)
    }
}

impl Capacity {
    /// Returns the executions of `situation` with `values`.
    fn new(situation: &Situation, values: Values) -> Self {
        let (wait, timeout) = (situation.wait_ms.min(situation.timeout_ms), situation.timeout_ms.max(1));
        let controller_milliseconds = wait + HEALTHY_MS;
        let level_1_milliseconds = timeout + HEALTHY_MS;
        let healthy = values.admitted(HEALTHY_MS);
        let (level_1_cap, level_1) = match situation.full {
            FullService::Own { reserved: Some(cap) } => (Some(cap), 0),
            FullService::Sample { .. } if values.full > 0 => (Some(values.full.into()), values.full.into()),
            FullService::Own { reserved: None } | FullService::Sample { .. } => {
                (None, values.admitted(level_1_milliseconds))
            }
        };
        // With a cap, only a request that level 1 admitted keeps a controller waiting, and its execution of level 1 counts
        // until the function's timeout. All other requests take the time of a healthy one.
        let occupied = level_1_cap.map(|cap| cap * controller_milliseconds.div_ceil(timeout) + healthy);
        let controllers = once(values.admitted(controller_milliseconds)).chain(occupied).min().unwrap_or_default();
        let level_2 = if situation.degraded > 0 { situation.degraded } else { controllers };
        // The control plane needs these executions whether they are reserved or not. If only a reservation counted, the
        // choice would give up the reservation for a larger throttle.
        let each = if values.control_plane > 0 { values.control_plane } else { CONTROL_PLANE_EXECUTIONS };
        let control_plane = CONTROL_PLANE * u64::from(each);
        let status = Values { rate: situation.status_rate, burst: situation.status_burst, ..values };
        let status = status.admitted(HEALTHY_MS);
        let others = situation.available / SHARE_OF_OTHERS;
        let needed = others + control_plane + status + situation.maintenance + level_1 + controllers + level_2;
        let may_reserve = situation.reserved(values).is_none_or(|all| all + UNRESERVED <= situation.available);
        Self {
            available: situation.available,
            others,
            control_plane,
            status,
            level_3: situation.maintenance,
            level_1,
            controllers,
            level_2,
            needed,
            healthy_level_1: healthy,
            level_1_cap,
            level_1_milliseconds,
            controller_milliseconds,
            control_plane_concurrency: values.control_plane,
            full_concurrency: values.full,
            requests_per_second: values.rate,
            burst: values.burst,
            holds: needed <= situation.available
                && may_reserve
                && level_1_cap.is_none_or(|cap| cap >= healthy)
                && level_2 >= controllers,
            would_hold_with: None,
            derived: situation.derived(values),
        }
    }
}
