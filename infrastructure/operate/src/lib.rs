//! What operators do to a deployed circuit breaker: look, force, release, see its status and its history, check it.
//!
//! What decides and what is said is here, behind one narrow port for each need ([`ports`]); what talks to AWS is in
//! [`aws`]. The requests, answers and records are the types that the Lambdas use.

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
pub mod sentences;
pub mod status;
pub mod terminal;

#[cfg(test)]
mod doubles;
