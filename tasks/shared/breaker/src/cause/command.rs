//! The causes that operators' commands give, as data and text. What a command does is decided in `src/command.rs`.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::validation::object::tagged;

/// An operator's command that changed something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorCommand {
    /// The effect of the command.
    #[serde(deserialize_with = "tagged")]
    pub effect: CommandEffect,
    /// Name of the requester. A claim.
    pub requested_by: String,
    /// Reason that the requester gave.
    pub reason: String,
}

impl fmt::Display for OperatorCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { effect, requested_by, reason } = self;
        match effect {
            CommandEffect::Moved { from, to } => write!(f, "forced from level {from} to level {to}")?,
            CommandEffect::Held { level, until } => write!(f, "already at level {level}, held until {until},")?,
            CommandEffect::RampEnded { level } => write!(f, "already at level {level}, with all requests at once,")?,
            CommandEffect::HoldEnded { level } => write!(f, "already at level {level}, not held any more,")?,
            CommandEffect::FirstWrite { level } => write!(f, "already at level {level}, written for the first time,")?,
            CommandEffect::Released { level } => write!(f, "hold of level {level} ended")?,
        }
        write!(f, " by {requested_by}: {reason}")
    }
}

/// The effect of an operator's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum CommandEffect {
    /// A force moved the level.
    Moved {
        /// The level before.
        from: Level,
        /// The level after.
        to: Level,
    },
    /// A force to the current level set a hold.
    Held {
        /// The current level.
        level: Level,
        /// Time at which the hold ends (UTC).
        until: Timestamp,
    },
    /// A force to the current level ended its ramp.
    RampEnded {
        /// The current level.
        level: Level,
    },
    /// A force to the current level ended its hold.
    HoldEnded {
        /// The current level.
        level: Level,
    },
    /// A force to the current level wrote the state for the first time.
    FirstWrite {
        /// The current level.
        level: Level,
    },
    /// A release ended the hold.
    Released {
        /// The current level.
        level: Level,
    },
}

impl CommandEffect {
    /// The level before the command.
    #[must_use]
    pub const fn from(&self) -> Level {
        match self {
            Self::Moved { from: level, .. }
            | Self::Held { level, .. }
            | Self::RampEnded { level }
            | Self::HoldEnded { level }
            | Self::FirstWrite { level }
            | Self::Released { level } => *level,
        }
    }
}

/// An operator's command that repaired a missing or corrupt state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// The level in the newest record.
    pub last_known: Level,
    /// The level after the repair.
    pub level: Level,
    /// Name of the requester. A claim.
    pub requested_by: String,
    /// Reason that the requester gave.
    pub reason: String,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last_known, level, requested_by, reason } = self;
        write!(f, "repaired at level {level} (last known level {last_known}) by {requested_by}: {reason}")
    }
}

/// Why an operator's command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "because", rename_all = "camelCase")]
pub enum NoEffect {
    /// A force to the current level has nothing to change.
    AlreadyThere {
        /// The current level.
        level: Level,
    },
    /// A release finds no hold.
    NoHold {
        /// The current level.
        level: Level,
    },
    /// An execution of the same name has carried out the command.
    CarriedOut {
        /// The level now.
        level: Level,
        /// Time at which the command was carried out (UTC).
        at: Timestamp,
        /// The effect that it had, for people.
        reason: String,
    },
}

impl NoEffect {
    /// The current level.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::AlreadyThere { level } | Self::NoHold { level } | Self::CarriedOut { level, .. } => *level,
        }
    }
}

impl fmt::Display for NoEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyThere { level } => write!(f, "already at level {level}"),
            Self::NoHold { level } => write!(f, "no hold to end at level {level}"),
            Self::CarriedOut { at, reason, .. } => write!(
                f,
                "an execution of this name has carried out its command already, at {at} ({reason}); another command \
                 needs another name"
            ),
        }
    }
}
