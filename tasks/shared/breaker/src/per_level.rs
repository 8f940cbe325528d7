//! One value for each level.

use serde::Serialize;

use crate::level::Level;

/// One value for each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PerLevel<T> {
    /// Value of level 1.
    #[serde(rename = "1")]
    pub full: T,
    /// Value of level 2.
    #[serde(rename = "2")]
    pub degraded: T,
    /// Value of level 3.
    #[serde(rename = "3")]
    pub maintenance: T,
}

impl<T> PerLevel<T> {
    /// Returns the value of `level`.
    #[must_use]
    pub const fn of(&self, level: Level) -> &T {
        match level {
            Level::Full => &self.full,
            Level::Degraded => &self.degraded,
            Level::Maintenance => &self.maintenance,
        }
    }

    /// Returns the value of `level`, to change it.
    pub const fn of_mut(&mut self, level: Level) -> &mut T {
        match level {
            Level::Full => &mut self.full,
            Level::Degraded => &mut self.degraded,
            Level::Maintenance => &mut self.maintenance,
        }
    }
}

impl<T: Copy> PerLevel<T> {
    /// Returns the same value for every level.
    #[must_use]
    pub const fn same(value: T) -> Self {
        Self { full: value, degraded: value, maintenance: value }
    }
}
