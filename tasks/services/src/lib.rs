//! The sample bank services of the three levels: one library, three small binaries.

mod account;
mod chance;
mod request;
mod response;
mod service;
mod settings;
mod transfer;

pub use chance::{Chance, Simulation};
pub use request::Request;
pub use response::Response;
pub use service::{Crash, Service, run};
pub use settings::Settings;
