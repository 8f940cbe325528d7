//! An operator's order, and the request for the state machine.

use std::time::Duration;

use breaker::{ForceRequest, ReleaseRequest, ScheduleRequest, TransitionRequest};

use crate::answer::Answer;

/// The command, with the request that it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Shows what an evaluation would decide now.
    Look,
    /// Sets the level. [`Orders`] decide on the expected hold.
    Force(ForceRequest),
    /// Ends a hold. [`Orders`] decide on the expected hold.
    Release(ReleaseRequest),
}

impl Order {
    /// The command's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Force(_) => "force",
            Self::Release(_) => "release",
        }
    }

    /// Whether the command changes nothing.
    #[must_use]
    pub const fn is_dry_run(&self) -> bool {
        match self {
            Self::Look => true,
            Self::Force(force) => force.dry_run,
            Self::Release(release) => release.dry_run,
        }
    }
}

/// The hold that a command may end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedHold {
    /// The hold that the dry run finds in force and that the operator sees.
    AsSeen,
    /// Any hold. Deployments that do not know `expectedHold` need this.
    Any,
    /// The hold of this name: the execution that set it, or `none`.
    Named(String),
}

/// A command with everything that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// The command.
    pub order: Order,
    /// The hold that the command may end.
    pub expected_hold: ExpectedHold,
    /// Whether the command starts without a question to the operator.
    pub yes: bool,
    /// Maximum time to wait for the command's record.
    pub wait: Duration,
}

impl Orders {
    /// Returns the command `look`, which needs nothing more.
    #[must_use]
    pub const fn look() -> Self {
        Self { order: Order::Look, expected_hold: ExpectedHold::Any, yes: true, wait: Duration::ZERO }
    }

    /// Returns the state machine's input. `seen` is the answer to the dry run.
    #[must_use]
    pub fn request(&self, dry_run: bool, seen: Option<&Answer>) -> TransitionRequest {
        let expected_hold = self.expected_hold(seen);
        match self.order.clone() {
            Order::Look => TransitionRequest::Schedule(ScheduleRequest { looks: None, dry_run }),
            Order::Force(force) => TransitionRequest::Force(ForceRequest { expected_hold, dry_run, ..force }),
            Order::Release(release) => TransitionRequest::Release(ReleaseRequest { expected_hold, dry_run, ..release }),
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
