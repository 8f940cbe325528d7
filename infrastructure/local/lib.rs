//! Runs the whole system on one machine: a local AWS with the real stacks, Lambda binaries and state machine.

pub mod advice;
pub mod artifacts;
pub mod command;
pub mod console;
pub mod demo;
pub mod deployment;
pub mod file;
pub mod folders;
pub mod gateway;
pub mod lambdas;
pub mod load;
pub mod progress;
pub mod python;
pub mod running;
pub mod serve;
pub mod server;
pub mod simulate;
pub mod stack;
pub mod tally;
pub mod traffic;
pub mod watch;
