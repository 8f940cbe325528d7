//! The operators' commands on a deployed circuit breaker: look, force, release, status, history, check.
//!
//! The rules and the texts use AWS only through the [`ports`], one for each need. The calls to AWS are in [`aws`]. The requests, answers and records are the types that the Lambdas use.

pub mod answer;
pub mod aws;
pub mod check;
pub mod command;
pub mod deployment;
pub mod discovery;
pub mod exit;
pub mod history;
pub mod page;
pub mod ports;
pub mod response_times;
pub mod sentences;
pub mod status;
pub mod terminal;

#[cfg(test)]
mod doubles;
