//! One request with its random numbers, and its id.

use std::fmt::Write;

use breaker::PerLevel;

/// The random numbers of one call.
#[derive(Clone, Copy, Debug)]
pub struct Luck {
    pub outcome: f64,
    pub latency: f64,
    pub declining: f64,
    pub starting: f64,
}

/// One request with its random numbers. Whatever the policy does, the same request has the same outcome at a level.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Time of arrival, in milliseconds from the scenario's start.
    pub at: i64,
    /// Number from which its id is made.
    pub id: u64,
    /// Whether it is retryable (GET, HEAD).
    pub retryable: bool,
    /// Age of the controller's state, as a share of the maximum age.
    pub cache_age: f64,
    /// The controller that answers it, as a share of the number of controllers.
    pub environment: f64,
    pub luck: PerLevel<Luck>,
}

/// Writes request ids. Like API Gateway's they are all different.
#[derive(Debug, Default)]
pub struct Ids(String);

impl Ids {
    /// Returns the id of a request.
    pub fn id(&mut self, request: &Request) -> &str {
        self.0.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{:016x}", request.id);
        &self.0
    }
}
