//! The circuit breaker in simulated time.
//!
//! Requests arrive at random times, and services fail as a scenario says. The rules are those of production:
//! [`breaker::route`] and [`breaker::Plan`] send each request to its services, [`breaker::EvidenceQuery`] selects the
//! evidence, and [`breaker::decide`] moves the level. The simulator models what AWS adds: when alarms go off, the delay of metrics,
//! the schedule, and the age of a controller's copy of the state.
//!
//! Pure: no clock, no files, no network. The same seed gives the same result.

mod alarms;
mod arrivals;
mod chart;
mod contender;
mod control;
mod metrics;
mod report;
mod request;
mod run;
mod scenario;
mod summary;
mod table;
mod tally;
mod time;
mod world;

pub use chart::{ChartError, chart};
pub use contender::Contender;
pub use control::Evaluation;
pub use report::{Move, Point, Report};
pub use run::{simulate, simulate_watched};
pub use scenario::{BUILT_IN, ControlPlane, Event, LevelBehaviour, Scenario, ScenarioError, TrafficPoint};
pub use table::table;
