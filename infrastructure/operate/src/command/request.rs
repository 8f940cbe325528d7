//! An operator's order, and the request for the state machine.

use std::time::Duration;

use breaker::{ForceRequest, Level, ReleaseRequest, ScheduleRequest, TransitionRequest};

use crate::answer::Answer;

/// The command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Shows what an evaluation would decide now.
    Look,
    /// Sets the level.
    Force {
        /// The level to go to.
        level: Level,
        /// Duration of the hold in minutes.
        hold_minutes: Option<u32>,
        /// Continues after the newest record if the state is missing or corrupt.
        repair: bool,
    },
    /// Ends a hold.
    Release,
}

impl Order {
    /// The command's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Force { .. } => "force",
            Self::Release => "release",
        }
    }
}

/// The hold that a command may end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedHold {
    /// The one that the dry run finds in force and that the operator sees.
    AsSeen,
    /// Any hold. Deployments that do not know `expectedHold` need this.
    Any,
    /// This one: the execution that set it, or `none`.
    Named(String),
}

/// A command with everything that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// The command.
    pub order: Order,
    /// Reason, for the records.
    pub reason: String,
    /// Name of the operator; a claim.
    pub requested_by: String,
    /// Refuses the command if the level has moved since.
    pub expected_epoch: Option<u64>,
    /// Refuses the command if it would end another hold.
    pub expected_hold: ExpectedHold,
    /// Only shows what would happen.
    pub dry_run: bool,
    /// Asks nothing.
    pub yes: bool,
    /// How long to wait for the command's record.
    pub wait: Duration,
}

impl Orders {
    /// A look, which needs nothing more.
    #[must_use]
    pub fn look() -> Self {
        Self {
            order: Order::Look,
            reason: String::new(),
            requested_by: String::new(),
            expected_epoch: None,
            expected_hold: ExpectedHold::Any,
            dry_run: true,
            yes: true,
            wait: Duration::ZERO,
        }
    }

    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.dry_run || self.order == Order::Look
    }

    /// The state machine's input. `seen` is what the dry run answered.
    #[must_use]
    pub fn request(&self, dry_run: bool, seen: Option<&Answer>) -> TransitionRequest {
        let (reason, requested_by) = (self.reason.clone(), self.requested_by.clone());
        let (expected_epoch, expected_hold) = (self.expected_epoch, self.expected_hold(seen));
        match self.order {
            Order::Look => TransitionRequest::Schedule(ScheduleRequest { looks: None, dry_run }),
            Order::Force { level, hold_minutes, repair } => TransitionRequest::Force(ForceRequest {
                target_level: level,
                reason,
                requested_by,
                hold_minutes,
                expected_epoch,
                expected_hold,
                repair,
                dry_run,
            }),
            Order::Release => TransitionRequest::Release(ReleaseRequest {
                reason,
                requested_by,
                expected_epoch,
                expected_hold,
                dry_run,
            }),
        }
    }

    fn expected_hold(&self, seen: Option<&Answer>) -> Option<String> {
        match &self.expected_hold {
            ExpectedHold::Any => None,
            ExpectedHold::Named(name) => Some(name.clone()),
            ExpectedHold::AsSeen => match seen?.ended_hold.as_ref() {
                // A hold that an older release set has no name to expect it by.
                Some(hold) => hold.execution.clone(),
                None => Some(breaker::NO_HOLD.to_owned()),
            },
        }
    }
}
