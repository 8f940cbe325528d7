//! The stores outside the functions, each behind a narrow port: the state and its records, the evidence, and the metrics
//! of evaluations.

#[cfg(feature = "cloudwatch")]
pub mod evidence;
#[cfg(feature = "cloudwatch")]
pub mod metrics;
#[cfg(feature = "dynamodb")]
mod refusal;
#[cfg(feature = "dynamodb")]
pub mod state;
#[cfg(feature = "dynamodb")]
mod store_error;
#[cfg(feature = "dynamodb")]
mod transaction;
