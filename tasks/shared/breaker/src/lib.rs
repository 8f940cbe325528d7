//! The rules of the circuit breaker: when the level moves, and why.
//!
//! This crate calls nothing outside: no AWS, no async, no clock. The time is an argument. [`decide`] is the entry: it
//! dispatches to `automation.rs` (alarms, schedule) and `command.rs` (operators). The rules are in `trip.rs` (the level
//! falls) and `recovery.rs` (it rises), and what they count in `summary.rs`.

mod automation;
mod backoff;
mod cause;
mod command;
pub mod contract;
mod decide;
mod decision;
mod draws;
mod evidence;
mod function_keys;
mod hints;
mod level;
mod look_again;
mod next_state;
mod per_level;
mod plan;
mod policy;
mod probing;
mod records;
mod recovery;
mod refused_command;
mod request;
mod route;
mod state;
mod stored;
mod summary;
mod time;
mod trip;
pub mod validation;
mod write;

pub use backoff::RecoveryBackoff;
pub use cause::{
    AutomaticMove, CallRate, Calm, Cause, CommandEffect, ConsecutiveFailures, FailureCount, Fall, NoEffect,
    OperatorCommand, Prevented, PreventedMove, ProbeCounts, RecentFailures, RecordedCause, RecoveryCause, Repair,
    SlowCalls, StayCause, Streak, StreakInstead, TripCause, Unproven,
};
pub use command::repair;
pub use decide::decide;
pub use decision::{Decision, Outcome};
pub use draws::DRAWS;
pub use evidence::{Bucket, Evidence, EvidenceQuery, Range};
pub use function_keys::FUNCTION_KEYS;
pub use hints::{
    HINT_BREACHING_PERIODS, HINT_PERIODS, Hint, HintExpression, HintedRule, OutcomeMetric, PeriodSums, hints,
};
pub use level::{Level, NotALevel};
pub use look_again::{FallRule, SECONDS_BETWEEN_ALARM_LOOKS, SECONDS_OF_LOOKS, half_fulfilled, looks_again};
pub use per_level::PerLevel;
pub use plan::{
    Call, LONGEST_SERVICE_TIMEOUT_MS, MIN_CALL_TIME, OutcomeCounts, Plan, Purpose, RequestRules, SERVICE_TIMEOUT_MS,
    SHORTEST_SERVICE_TIMEOUT_MS, ServiceOutcome, Step,
};
pub use policy::{
    Mode, NUMBERS, Number, Policy, PolicyError, PolicySettings, Preset, RecoveryEvidence, TripWhen, UnknownWord,
};
pub use probing::ProbeAllowance;
pub use records::{
    COMMAND_PREFIX, CommandRecord, LastKnown, TRANSITION_PREFIX, TransitionRecord, command_key, epoch_of_key,
    transition_key,
};
pub use refused_command::RefusedCommand;
pub use request::{
    AUTOMATION, AlarmHint, AlarmRequest, ForceRequest, HOLD_MINUTES, LOOKS, NO_HOLD, ReleaseRequest,
    SECONDS_BETWEEN_LOOKS, ScheduleRequest, TransitionRequest,
};
pub use route::{Route, draw, route};
pub use state::{Hold, Probing, Ramp, Refusing, SCHEMA_VERSION, SystemState, unchecked};
pub use stored::{CorruptState, NewerState, Stored};
pub use summary::{CallCounts, EvidenceSummary, NewestProbes, ProbeSeries};
pub use validation::{InvalidAttribute, InvalidKind, InvalidRequest, place_of_error, without_content};
pub use write::{Condition, Content, Expected, ItemWrite, Refusal, STATE_KEY, Stamp, StateWrite};
