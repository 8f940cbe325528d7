//! The AWS edge that the task Lambdas share. The crate `breaker` makes the decisions. This crate makes the calls, behind
//! narrow ports, so that handlers can be tested without a network.

#[cfg(feature = "sdk")]
pub mod call_error;
#[cfg(feature = "sdk")]
pub mod clients;
pub mod config;
#[cfg(feature = "sdk")]
pub mod connections;
pub mod embedded_metrics;
pub mod error_kind;
#[cfg(feature = "sdk")]
pub mod https;
pub mod log_line;
pub mod metrics;
pub mod runtime;
pub mod settings;
#[cfg(feature = "shutdown")]
pub mod shutdown;
pub mod stores;
pub mod task_error;
pub mod task_input;
pub mod telemetry;
