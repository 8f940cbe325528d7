//! The causes of recoveries as data and text, and what a proof of the better level still lacks. The rules are in
//! `src/recovery.rs`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::validation::object::tagged;

/// The evidence by which the level recovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "evidence", rename_all = "camelCase")]
pub enum RecoveryCause {
    /// A streak of successes at the current level.
    Streak(Streak),
    /// Probes of the better level.
    Probes(ProbeCounts),
}

impl fmt::Display for RecoveryCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Streak(streak) => streak.fmt(f),
            Self::Probes(probes) => probes.fmt(f),
        }
    }
}

/// A streak of successes at the current level, beside its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Streak {
    /// The current level.
    pub level: Level,
    /// Consecutive successes.
    pub successes: u64,
    /// The number of consecutive successes that leads to a recovery.
    pub threshold: u32,
    /// Why the streak counts although the policy asks for probes; absent if it does not.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::validation::object::tagged_or_none"
    )]
    pub instead_of_probes: Option<StreakInstead>,
}

impl Streak {
    /// Whether the streak is long enough for a recovery.
    #[must_use]
    pub fn suffices(&self) -> bool {
        self.successes >= self.threshold.into()
    }
}

impl fmt::Display for Streak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, successes, threshold, instead_of_probes } = self;
        write!(f, "{successes} consecutive successes at level {level} (threshold {threshold})")?;
        match instead_of_probes {
            None => Ok(()),
            Some(instead) => write!(f, ", because {instead}"),
        }
    }
}

/// Why a streak counts although the policy asks for probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "because", rename_all = "camelCase")]
pub enum StreakInstead {
    /// No probe was seen for so long that the probes count as idle.
    NoProbeSeen {
        /// Seconds since the newest probe.
        seconds: i64,
    },
    /// Nothing probes in the mode `observe-only`.
    ObserveOnly,
}

impl fmt::Display for StreakInstead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProbeSeen { seconds } => write!(f, "no probe was seen for {seconds} s"),
            Self::ObserveOnly => f.write_str("nothing probes while automation only observes"),
        }
    }
}

/// Probes of the better level, beside their threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeCounts {
    /// The level that is probed.
    pub level: Level,
    /// Probes that succeeded or failed.
    pub calls: u64,
    /// Probes that failed or were slow.
    pub failed: u64,
    /// The newest probes that the level refused (4xx).
    pub refused: u64,
    /// Minimum number of probes that succeeded or failed.
    pub minimum_calls: u32,
    /// The failure rate in percent that the probes must stay below.
    pub below_percent: u32,
}

impl ProbeCounts {
    /// The counts without the refused probes.
    fn answered(&self) -> String {
        let Self { level, calls, failed, minimum_calls, below_percent, .. } = self;
        format!(
            "{calls} probes of level {level} of which {failed} failed (threshold {minimum_calls} with less than \
             {below_percent} %)"
        )
    }
}

impl fmt::Display for ProbeCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.answered())?;
        match self.refused {
            0 => Ok(()),
            refused => write!(f, ", and {refused} were refused"),
        }
    }
}

/// What a proof of the better level still lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "lacks", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Unproven {
    /// The streak is too short.
    Streak(Streak),
    /// The probes are too few, or too many of them failed.
    Probes(ProbeCounts),
    /// The level refused most of the newest probes (4xx), so nothing shows whether it works.
    ProbesAccepted {
        /// The probes.
        #[serde(deserialize_with = "tagged")]
        probes: ProbeCounts,
        /// Number of the newest probes, refused or answered.
        newest: u64,
    },
    /// No probe was seen, and no call of the current level either.
    Calls {
        /// The current level.
        level: Level,
        /// Seconds since the newest probe.
        seconds_without_probe: i64,
    },
    /// Probing has yet to begin.
    Probing {
        /// The level to be probed.
        level: Level,
    },
    /// Nothing probes during a hold.
    ProbingInHold {
        /// The level that would be probed.
        level: Level,
    },
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Streak(streak) => streak.fmt(f),
            Self::Probes(probes) => probes.fmt(f),
            Self::ProbesAccepted { probes, newest } => {
                let ProbeCounts { level, refused, .. } = probes;
                write!(
                    f,
                    "{}, but level {level} refused {refused} of the newest {newest} probes (4xx): check its \
                     authorization and its routing, or force level {level} if they are right to be refused",
                    probes.answered()
                )
            }
            Self::Calls { level, seconds_without_probe } => {
                let instead = StreakInstead::NoProbeSeen { seconds: *seconds_without_probe };
                write!(f, "no call of level {level} was seen lately, because {instead}")
            }
            Self::Probing { level } => write!(f, "probes of level {level} have yet to begin"),
            Self::ProbingInHold { level } => write!(f, "nothing probes level {level} in a hold"),
        }
    }
}
