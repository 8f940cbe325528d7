//! The sample bank services of the three levels: one library, three small binaries.
//!
//! They do not use `lambda_http`, because it drops the controller's member `circuitBreaker` from the event, and panics on
//! some events that a direct invocation can send. `infrastructure/docs/service-answers.md` says for which services it fits.

mod account;
mod body;
mod chance;
mod request;
mod response;
mod service;
mod settings;
mod transfer;

pub use account::{Account, AccountId, Transactions};
pub use chance::{Chance, Simulation};
pub use request::{NotText, Request};
pub use response::{ErrorBody, ErrorCode, Response};
pub use service::{Crash, Service, TestBody, TestResult, run};
pub use settings::Settings;
pub use transfer::{Receipt, TransferBody};
