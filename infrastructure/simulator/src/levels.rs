//! One value for each level.

use breaker::Level;
use serde::Serialize;

/// One value for each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PerLevel<T> {
    /// Level 1's.
    #[serde(rename = "1")]
    pub full: T,
    /// Level 2's.
    #[serde(rename = "2")]
    pub degraded: T,
    /// Level 3's.
    #[serde(rename = "3")]
    pub maintenance: T,
}

impl<T> PerLevel<T> {
    /// Returns the value of `level`.
    pub const fn of(&self, level: Level) -> &T {
        match level {
            Level::Full => &self.full,
            Level::Degraded => &self.degraded,
            Level::Maintenance => &self.maintenance,
        }
    }

    pub(crate) const fn of_mut(&mut self, level: Level) -> &mut T {
        match level {
            Level::Full => &mut self.full,
            Level::Degraded => &mut self.degraded,
            Level::Maintenance => &mut self.maintenance,
        }
    }
}
