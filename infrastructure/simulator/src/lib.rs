//! The circuit breaker in simulated time.
//!
//! Requests arrive by chance, services fail as a scenario says, and everything in between is the real
//! thing: [`breaker::route`] sends each request to its level, [`breaker::EvidenceQuery`] says what an
//! evaluation reads, and [`breaker::decide`] moves the level. Modelled are what AWS adds: when alarms go off,
//! how late metrics are, the minute's schedule, how old a controller's copy of the state is.
//!
//! Pure: no clock, no files, no network. The same seed gives the same result.

mod alarms;
mod chart;
mod control;
mod levels;
mod metrics;
mod report;
mod requests;
mod run;
mod scenario;
mod table;
mod world;

pub use chart::{ChartError, chart};
pub use control::Look;
pub use levels::PerLevel;
pub use report::{Move, Point, Report};
pub use run::{Contender, simulate, simulate_watched};
pub use scenario::{BUILT_IN, ControlPlane, Event, LevelBehaviour, Scenario, ScenarioError, TrafficPoint};
pub use table::table;
