//! The answer to a request: what happens to the level, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cause::{AutomaticMove, Cause, CommandEffect, NoEffect, OperatorCommand, Repair, StayCause};
use crate::level::Level;
use crate::state::{Hold, SystemState};
use crate::summary::EvidenceSummary;

/// The kind of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The level moves, or the state is repaired: an epoch begins.
    Transition,
    /// The level stays; something else in the state item changes. Only an operator's command then has a record in the
    /// table.
    Record,
    /// Nothing changes.
    None,
}

/// The answer to a request. The caller fills in the `execution` of the state to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Automation moves the level.
    Move {
        /// The rule or the proof that holds.
        cause: AutomaticMove,
        /// The evidence in numbers.
        evidence: EvidenceSummary,
        /// The state to write.
        next: SystemState,
    },
    /// Automation leaves the level as it is.
    Stay {
        /// Why the level stays.
        cause: StayCause,
        /// The evidence in numbers.
        evidence: EvidenceSummary,
        /// The state to write; `None` if nothing changes.
        next: Option<SystemState>,
    },
    /// An operator's command changes something.
    Command {
        /// The command with its effect.
        cause: OperatorCommand,
        /// The hold that was in force and that the command ends, by a release or by another hold.
        ended_hold: Option<Hold>,
        /// The state to write.
        next: SystemState,
    },
    /// An operator's command repairs a missing or corrupt state.
    Repair {
        /// The command with its effect.
        cause: Repair,
        /// The state to write.
        next: SystemState,
    },
    /// An operator's command changes nothing.
    NoEffect(NoEffect),
}

impl Decision {
    /// The kind of the decision.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Move { .. }
            | Self::Repair { .. }
            | Self::Command { cause: OperatorCommand { effect: CommandEffect::Moved { .. }, .. }, .. } => {
                Outcome::Transition
            }
            Self::Command { .. } | Self::Stay { next: Some(_), .. } => Outcome::Record,
            Self::Stay { next: None, .. } | Self::NoEffect(_) => Outcome::None,
        }
    }

    /// The level before the decision.
    #[must_use]
    pub const fn from(&self) -> Level {
        match self {
            Self::Move { evidence, .. } | Self::Stay { evidence, .. } => evidence.level,
            Self::Command { cause, .. } => cause.effect.from(),
            Self::Repair { cause, .. } => cause.last_known,
            Self::NoEffect(cause) => cause.level(),
        }
    }

    /// The level after the decision.
    #[must_use]
    pub fn to(&self) -> Level {
        self.next().map_or_else(|| self.from(), |next| next.current_level)
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Move { cause, .. } => (*cause).into(),
            Self::Stay { cause, .. } => (*cause).into(),
            Self::Command { cause, .. } => Cause::Command(cause.clone()),
            Self::Repair { cause, .. } => Cause::Repair(cause.clone()),
            Self::NoEffect(cause) => Cause::NoEffect(cause.clone()),
        }
    }

    /// The state to write; `None` if nothing changes.
    #[must_use]
    pub const fn next(&self) -> Option<&SystemState> {
        match self {
            Self::Move { next, .. } | Self::Command { next, .. } | Self::Repair { next, .. } => Some(next),
            Self::Stay { next, .. } => next.as_ref(),
            Self::NoEffect(_) => None,
        }
    }

    /// The state to write; `None` if nothing changes.
    #[must_use]
    pub fn into_next(self) -> Option<SystemState> {
        match self {
            Self::Move { next, .. } | Self::Command { next, .. } | Self::Repair { next, .. } => Some(next),
            Self::Stay { next, .. } => next,
            Self::NoEffect(_) => None,
        }
    }

    /// The evidence in numbers; `None` for an operator's command.
    #[must_use]
    pub const fn evidence(&self) -> Option<&EvidenceSummary> {
        match self {
            Self::Move { evidence, .. } | Self::Stay { evidence, .. } => Some(evidence),
            Self::Command { .. } | Self::Repair { .. } | Self::NoEffect(_) => None,
        }
    }

    /// The level to which automation would have moved without a hold or the mode `observe-only`.
    #[must_use]
    pub fn prevented(&self) -> Option<Level> {
        match self {
            Self::Stay { cause: StayCause::Prevented(one), .. } if one.prevented.is_announced() => Some(one.to),
            _ => None,
        }
    }

    /// The hold that was in force and that an operator's command ends.
    #[must_use]
    pub const fn ended_hold(&self) -> Option<&Hold> {
        match self {
            Self::Command { ended_hold, .. } => ended_hold.as_ref(),
            _ => None,
        }
    }
}
