//! The causes of decisions: what a program matches, and what a person reads as its `Display`. Nothing here decides: the
//! rules are in the files `trip.rs`, `recovery.rs` and `command.rs` one folder up.

mod command;
mod recovery;
mod trip;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::level::Level;
use crate::validation::object::tagged;

pub use command::{CommandEffect, NoEffect, OperatorCommand, Repair};
pub use recovery::{ProbeCounts, RecoveryCause, Streak, StreakInstead, Unproven};
pub use trip::{CallRate, Calm, ConsecutiveFailures, FailureCount, Fall, RecentFailures, SlowCalls, TripCause};

/// The cause of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Cause {
    /// The first start of the deployment.
    FirstStart,
    /// Automation lowered the level.
    Fall(Fall),
    /// Automation raised the level.
    Recovery(RecoveryCause),
    /// Automation would have moved the level, and something prevented it.
    Prevented(PreventedMove),
    /// The level stayed, because no rule for a fall holds and there is no better level.
    Calm(Calm),
    /// The level stayed, because the evidence does not prove the better level yet.
    Unproven(Unproven),
    /// An operator's command that changed something.
    Command(OperatorCommand),
    /// An operator's command that repaired the state.
    Repair(Repair),
    /// An operator's command that changed nothing.
    NoEffect(NoEffect),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstStart => f.write_str("First start"),
            Self::Fall(fall) => fall.fmt(f),
            Self::Recovery(recovery) => recovery.fmt(f),
            Self::Prevented(prevented) => prevented.fmt(f),
            Self::Calm(calm) => write!(f, "no reason to move: {calm}"),
            Self::Unproven(unproven) => write!(f, "no reason to move: {unproven}"),
            Self::Command(command) => command.fmt(f),
            Self::Repair(repair) => repair.fmt(f),
            Self::NoEffect(no_effect) => no_effect.fmt(f),
        }
    }
}

/// A move that automation makes, or would make if nothing prevented it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum AutomaticMove {
    /// The level falls.
    Fall(Fall),
    /// The level recovers.
    Recovery(RecoveryCause),
}

impl fmt::Display for AutomaticMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fall(fall) => fall.fmt(f),
            Self::Recovery(recovery) => recovery.fmt(f),
        }
    }
}

impl From<AutomaticMove> for Cause {
    fn from(cause: AutomaticMove) -> Self {
        match cause {
            AutomaticMove::Fall(fall) => Self::Fall(fall),
            AutomaticMove::Recovery(recovery) => Self::Recovery(recovery),
        }
    }
}

/// What prevented a move of automation, although its rule or its proof holds.
// The settling time prevents no move: outcomes that have not settled are no evidence for a recovery yet, so without
// them the better level is `Unproven`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Prevented {
    /// An operator's hold.
    Hold {
        /// The level that is held.
        level: Level,
        /// Time at which the hold ends (UTC).
        until: Timestamp,
    },
    /// The mode `observe-only`.
    ObserveOnly,
    /// The cooldown after the last transition.
    Cooldown {
        /// Seconds until the end of the cooldown, rounded up.
        seconds_left: i64,
    },
    /// The ramp after the last recovery.
    Ramp {
        /// Seconds until the end of the ramp, rounded up.
        seconds_left: i64,
    },
}

impl Prevented {
    /// Whether people are notified. A cooldown and a ramp are not announced, because they end by themselves and delay
    /// every recovery.
    #[must_use]
    pub const fn is_announced(&self) -> bool {
        matches!(self, Self::Hold { .. } | Self::ObserveOnly)
    }
}

/// A move of automation that something prevented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreventedMove {
    /// What prevented the move.
    #[serde(deserialize_with = "tagged")]
    pub prevented: Prevented,
    /// The level to which automation would have moved.
    pub to: Level,
    /// The cause for which automation would have moved.
    #[serde(deserialize_with = "tagged")]
    pub cause: AutomaticMove,
}

impl fmt::Display for PreventedMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prevented, to, cause } = self;
        match prevented {
            Prevented::Hold { level, until } => {
                write!(f, "held at level {level} until {until}; would have gone to level {to}: {cause}")
            }
            Prevented::ObserveOnly => write!(f, "observing only; would have gone to level {to}: {cause}"),
            Prevented::Cooldown { seconds_left } => {
                write!(f, "no reason to move: {cause}, but the cooldown lasts another {seconds_left} s")
            }
            Prevented::Ramp { seconds_left } => {
                write!(f, "no reason to move: {cause}, but the ramp lasts another {seconds_left} s")
            }
        }
    }
}

/// Why automation leaves the level as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StayCause {
    /// Something prevents a move.
    Prevented(PreventedMove),
    /// No rule for a fall holds, and there is no better level.
    Calm(Calm),
    /// The evidence does not prove the better level yet.
    Unproven(Unproven),
}

impl From<StayCause> for Cause {
    fn from(cause: StayCause) -> Self {
        match cause {
            StayCause::Prevented(prevented) => Self::Prevented(prevented),
            StayCause::Calm(calm) => Self::Calm(calm),
            StayCause::Unproven(unproven) => Self::Unproven(unproven),
        }
    }
}

/// A cause as data beside its text. A cause that this release does not know is kept unchanged, because a newer release
/// may have written it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RecordedCause {
    /// A cause that this release knows.
    Known(Box<Cause>),
    /// A cause that this release does not know.
    Unknown(Value),
}

impl RecordedCause {
    /// Returns the cause; `None` if this release does not know it.
    #[must_use]
    pub fn known(&self) -> Option<&Cause> {
        match self {
            Self::Known(cause) => Some(cause),
            Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for RecordedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(cause) => cause.fmt(f),
            Self::Unknown(value) => write!(f, "a cause that this release does not know: {value}"),
        }
    }
}

impl From<Cause> for RecordedCause {
    fn from(cause: Cause) -> Self {
        Self::Known(Box::new(cause))
    }
}

impl<'de> Deserialize<'de> for RecordedCause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let known = tagged(value.clone()).map(|cause| Self::Known(Box::new(cause)));
        Ok(known.unwrap_or(Self::Unknown(value)))
    }
}

#[cfg(test)]
mod tests;
