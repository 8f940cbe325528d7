//! The `CloudFormation` stacks of a deployment.
//!
//! There are three stacks. *Data* holds the table and the key, which outlive the other stacks. *Main* holds the request
//! path and the control plane. *Monitoring* holds the alarms and the dashboard. The templates of data and main are
//! committed files, and two deployments differ only in the parameters. This crate reads no files and does not call AWS.

mod monitoring;
mod names;
mod parameters;
mod release;
mod stack;

pub use names::Names;
pub use release::{Code, FUNCTIONS, STATE_MACHINE, identifier, release};
pub use stack::{MAIN, MAIN_FILE, Role, Stack, stacks};
