//! The refusal of a command that does not fit the state.

use std::fmt;

use jiff::Timestamp;

use crate::state::Hold;
use crate::validation::quoted::quoted;

/// A valid command that is refused because of what was written before it. `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusedCommand {
    /// The state is at another epoch than the command expects.
    OtherEpoch {
        /// The expected epoch.
        expected: u64,
        /// The epoch of the state.
        found: u64,
    },
    /// Another hold is in force than the command expects.
    OtherHold {
        /// The expected hold: the ARN of an execution, or `none`.
        expected: String,
        /// The hold that is in force.
        found: Box<Hold>,
    },
    /// An execution of the same name has carried out another command.
    NameUsed {
        /// Time at which the other command was carried out (UTC).
        at: Timestamp,
        /// The effect of the other command, for people.
        reason: String,
    },
}

impl RefusedCommand {
    /// Returns the field that does not fit the state; `None` if the name of the execution does not fit.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::OtherEpoch { .. } => Some("expectedEpoch"),
            Self::OtherHold { .. } => Some("expectedHold"),
            Self::NameUsed { .. } => None,
        }
    }
}

impl fmt::Display for RefusedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherEpoch { expected, found } => write!(
                f,
                "`expectedEpoch` is {expected}, but the state is at epoch {found}: the level has moved since you \
                 looked; check the status and repeat the command"
            ),
            Self::OtherHold { expected, found } => {
                let Hold { level, reason, requested_by, expires_at, execution } = &**found;
                write!(
                    f,
                    "`expectedHold` is \"{}\", but another hold is in force: level {level} until {expires_at} by \
                     {requested_by} ({reason}); to end that hold, repeat the command ",
                    quoted(expected)
                )?;
                match execution {
                    Some(execution) => write!(f, "with \"{execution}\""),
                    None => f.write_str("without `expectedHold`"),
                }
            }
            Self::NameUsed { at, reason } => write!(
                f,
                "the execution's name was used at {at} for another command ({reason}): start this one under a name of \
                 its own"
            ),
        }
    }
}

impl std::error::Error for RefusedCommand {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_state_and_the_next_step() {
        let at: Timestamp = "2026-09-10T14:00:00Z".parse().unwrap();
        let (reason, requested_by) = ("a drill".to_owned(), "alice".to_owned());
        let hold = |execution: Option<&str>| {
            let (level, execution) = (crate::level::Level::Maintenance, execution.map(str::to_owned));
            let (reason, requested_by) = (reason.clone(), requested_by.clone());
            let found = Box::new(Hold { level, reason, requested_by, expires_at: at, execution });
            RefusedCommand::OtherHold { expected: "arn\n".to_owned(), found }
        };
        for (refusal, field, sentence) in [
            (
                RefusedCommand::OtherEpoch { expected: 1, found: 2 },
                Some("expectedEpoch"),
                "`expectedEpoch` is 1, but the state is at epoch 2: the level has moved since you looked; check the \
                 status and repeat the command",
            ),
            (
                hold(Some("arn:a")),
                Some("expectedHold"),
                "`expectedHold` is \"arn\\n\", but another hold is in force: level 3 until 2026-09-10T14:00:00Z by \
                 alice (a drill); to end that hold, repeat the command with \"arn:a\"",
            ),
            (
                hold(None),
                Some("expectedHold"),
                "`expectedHold` is \"arn\\n\", but another hold is in force: level 3 until 2026-09-10T14:00:00Z by \
                 alice (a drill); to end that hold, repeat the command without `expectedHold`",
            ),
            (
                RefusedCommand::NameUsed { at, reason: "forced".to_owned() },
                None,
                "the execution's name was used at 2026-09-10T14:00:00Z for another command (forced): start this one \
                 under a name of its own",
            ),
        ] {
            assert_eq!(refusal.to_string(), sentence);
            assert_eq!(refusal.field(), field);
        }
    }
}
