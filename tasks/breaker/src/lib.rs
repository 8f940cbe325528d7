//! The rules of the circuit breaker: when the level moves, and why.
//!
//! Nothing here talks to anything: no AWS, no async, no clock. The time is an argument. What decides
//! is [`decide`]; everything else in this crate is what it reads and what it says.

pub mod contract;
mod decision;
mod evidence;
mod level;
mod policy;
mod request;
mod state;

pub use decision::{Decision, Outcome, decide};
pub use evidence::{Bucket, Evidence, EvidenceQuery, EvidenceSummary, Range};
pub use level::{Level, NotALevel};
pub use policy::{Policy, PolicyError, PolicySettings};
pub use request::{
    AlarmHint, AlarmRequest, ForceRequest, InvalidRequest, ReleaseRequest, ScheduleRequest, TransitionRequest,
};
pub use state::{Hold, SCHEMA_VERSION, SystemState};
