//! The one file that describes a deployment: `infrastructure/environments/<environment>.toml`. What the functions read
//! of it, the variable `BREAKER_CONFIG`, is in `config.rs` of the crate `aws-edge`.
//!
//! [`DeploymentFile`] is the file's type. Its JSON Schema completes and checks the file in an editor.
//! [`Effective::read`] reports every problem with file, line, key, value and what is allowed. A key that the
//! file does not set has its default, whatever was deployed before.

mod api;
mod check;
mod effective;
mod file;
mod functions;
mod keys;
mod origin;
mod page;
mod policy;
mod problem;
mod schema;
mod source;

pub use api::{Api, Authorization, Cors};
pub use effective::{Effective, Setting};
pub use file::{
    Alerts, Architecture, Deployment, DeploymentFile, Limits, LogLevel, RequestPath, Samples, Services, TrafficShift,
};
pub use functions::MAXIMUM_CONFIG_BYTES;
pub use origin::Origin;
pub use page::tables;
pub use policy::{Counts, PolicySection, Probes, Ramp, Rates, Recovery, SlowCalls};
pub use problem::{Problem, Problems};
pub use schema::schema;
pub use source::Override;
