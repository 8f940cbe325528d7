//! The `CloudFormation` stacks of a deployment.
//!
//! There are three stacks. *Data* holds the table and the key, which outlive the other stacks. *Main* holds the request
//! path and the control plane. *Monitoring* holds the alarms and the dashboard. The templates of data and main are
//! committed files, and two deployments differ only in the parameters. This crate reads no files and does not call AWS.

mod assembly;
mod code;
mod identifier;
mod monitoring;
mod names;
mod parameters;
mod stack;

pub use assembly::{MAIN, MAIN_FILE, release, stacks};
pub use code::{Code, FUNCTIONS, STATE_MACHINE};
pub use identifier::identifier;
pub use names::Names;
pub use stack::{Role, Stack};
