//! The three levels of service.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The level of service. A higher number is a worse service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "u8", try_from = "u8")]
#[schemars(with = "u8", extend("minimum" = 1, "maximum" = 3))]
pub enum Level {
    /// Level 1: everything works.
    Full,
    /// Level 2: reads from a cached view, no transfers.
    Degraded,
    /// Level 3: minimal answers.
    Maintenance,
}

impl Level {
    /// All levels, best first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Degraded, Self::Maintenance];

    /// The number that operators, metrics and the state item use: 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Degraded => 2,
            Self::Maintenance => 3,
        }
    }

    /// The health that the status route reports at this level.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Full => "healthy",
            Self::Degraded => "degraded",
            Self::Maintenance => "maintenance",
        }
    }

    /// The name of the service that answers at this level.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Full => "full-service",
            Self::Degraded => "degraded-service",
            Self::Maintenance => "maintenance-service",
        }
    }

    /// The value of the `ServiceType` dimension of this level's metrics.
    #[must_use]
    pub const fn service_type(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Degraded => "degraded",
            Self::Maintenance => "maintenance",
        }
    }

    /// The level that a fall leads to; `None` at level 3.
    #[must_use]
    pub const fn worse(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::Degraded),
            Self::Degraded => Some(Self::Maintenance),
            Self::Maintenance => None,
        }
    }

    /// The level that a recovery leads to; `None` at level 1.
    #[must_use]
    pub const fn better(self) -> Option<Self> {
        match self {
            Self::Full => None,
            Self::Degraded => Some(Self::Full),
            Self::Maintenance => Some(Self::Degraded),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.number()
    }
}

/// A number that is not a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a level: use 1 (full), 2 (degraded) or 3 (maintenance)")]
pub struct NotALevel(pub u8);

impl TryFrom<u8> for Level {
    type Error = NotALevel;

    fn try_from(number: u8) -> Result<Self, NotALevel> {
        match number {
            1 => Ok(Self::Full),
            2 => Ok(Self::Degraded),
            3 => Ok(Self::Maintenance),
            other => Err(NotALevel(other)),
        }
    }
}
