//! The AWS edge that the task Lambdas share. What decides is in `breaker`; what talks is here,
//! behind narrow ports, so that handlers can be tested without a network.

#[cfg(feature = "sdk")]
pub mod clients;
pub mod config;
#[cfg(feature = "sdk")]
pub mod connections;
pub mod embedded_metrics;
#[cfg(feature = "sdk")]
pub mod https;
pub mod log_line;
#[cfg(feature = "cloudwatch")]
pub mod metric_reader;
#[cfg(feature = "cloudwatch")]
pub mod metric_writer;
pub mod metrics;
#[cfg(feature = "dynamodb")]
mod refusal;
pub mod runtime;
pub mod settings;
#[cfg(feature = "dynamodb")]
pub mod state_store;
pub mod task_error;
pub mod task_input;
pub mod telemetry;
#[cfg(feature = "dynamodb")]
mod transaction;
