//! Deploys, rolls back and removes the circuit breaker.
//!
//! [`engine`] does the work on the three stacks of the crate `stacks`, behind one narrow port for each need
//! ([`ports`]); [`aws`] answers the ports. The command `breaker`, the local bank and the tests use the same code.

pub mod artifacts;
pub mod aws;
pub mod build;
pub mod capacity;
pub mod engine;
pub mod names;
pub mod plan;
pub mod ports;
pub mod release;
pub mod report;
pub mod settings;
