//! The AWS edge that the task Lambdas share. What decides is in `breaker`; what talks is here,
//! behind narrow ports, so that handlers can be tested without a network.

pub mod clients;
pub mod metric_reader;
pub mod metric_writer;
pub mod metrics;
pub mod policy;
mod refusal;
pub mod runtime;
pub mod settings;
pub mod state_store;
pub mod task_error;
pub mod task_input;
pub mod telemetry;
