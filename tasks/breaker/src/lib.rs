//! The rules of the circuit breaker: when the level moves, and why.
//!
//! Nothing here talks to anything: no AWS, no async, no clock. The time is an argument. What decides
//! is [`decide`]; everything else in this crate is what it reads and what it says.

mod backoff;
pub mod contract;
mod decision;
mod evidence;
mod fields;
mod level;
mod object;
mod policy;
mod records;
mod request;
mod state;
mod text;
mod write;

pub use backoff::RecoveryBackoff;
pub use decision::{Decision, Outcome, decide, repair};
pub use evidence::{Bucket, Evidence, EvidenceQuery, EvidenceSummary, Range};
pub use level::{Level, NotALevel};
pub use policy::{Policy, PolicyError, PolicySettings};
pub use records::{
    COMMAND_PREFIX, CommandRecord, LastKnown, TRANSITION_PREFIX, TransitionRecord, command_key, epoch_of_key,
    transition_key,
};
pub use request::{
    AlarmHint, AlarmRequest, ForceRequest, InvalidRequest, ReleaseRequest, ScheduleRequest, TransitionRequest,
};
pub use state::{Hold, NewerState, SCHEMA_VERSION, Stored, SystemState};
pub use write::{Condition, Content, Expected, ItemWrite, Refusal, STATE_KEY, Stamp, StateWrite};
