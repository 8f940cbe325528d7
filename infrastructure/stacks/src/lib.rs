//! The `CloudFormation` stacks of a deployment.
//!
//! *Data* holds what must outlive everything else, *main* the request path and the control plane, *monitoring* what
//! watches both. The templates of data and main are committed files; a deployment differs by their parameters alone.
//! Nothing here reads a file or calls AWS.

mod monitoring;
mod names;
mod parameters;
mod release;
mod stack;

pub use names::Names;
pub use release::{Code, FUNCTIONS, STATE_MACHINE, identifier, release};
pub use stack::{MAIN, MAIN_FILE, Role, Stack, stacks};
