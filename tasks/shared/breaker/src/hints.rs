//! The hints: for each rule that is on, the level alarm that asks for an evaluation.
//!
//! A hint goes on before its rule begins to hold, or at the latest at the end of the next whole period. Random single
//! failures do not keep a hint of a rate or of consecutive failures on; [`hints`] names the two kinds that stay on. The
//! monitoring stack, the CloudWatch stand-in and the simulator take their level alarms from this table.

use std::fmt;

use crate::level::Level;
use crate::policy::Policy;

/// N of "M out of N": the outcomes of one period arrive in parts, so the newest period alone would be judged by a
/// part of its sums.
pub const HINT_PERIODS: u32 = 3;
/// M of "M out of N": one breaching period is enough.
pub const HINT_BREACHING_PERIODS: u32 = 1;

/// The rule that a hint belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HintedRule {
    /// The level falls by a count of failures. Its alarms are called `error-rate`, although they belong to the count.
    FailureCount,
    /// The level falls by the rate of failures. Its alarms are called `failure-rate`.
    FailureRate,
    /// The level falls by consecutive failures.
    ConsecutiveFailures,
    /// The level falls by the rate of slow calls.
    SlowCalls,
    /// The level recovers by consecutive successes.
    Recovery,
}

impl fmt::Display for HintedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FailureCount => "error-rate",
            Self::FailureRate => "failure-rate",
            Self::ConsecutiveFailures => "consecutive-failures",
            Self::SlowCalls => "slow-calls",
            Self::Recovery => "recovery",
        })
    }
}

/// A metric of a level's outcomes, summed over a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeMetric {
    /// Calls that succeeded.
    Success,
    /// Calls that failed.
    Error,
    /// Calls that were slow, failed or not.
    SlowCall,
}

impl OutcomeMetric {
    /// Returns the metric's name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Error => "Error",
            Self::SlowCall => "SlowCall",
        }
    }

    /// Returns the metric's identifier in metric math.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Success => "successes",
            Self::Error => "errors",
            Self::SlowCall => "slow",
        }
    }
}

/// The sums of one period at one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodSums {
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Calls that were slow, failed or not.
    pub slow_calls: u64,
}

impl PeriodSums {
    const fn of(self, metric: OutcomeMetric) -> u64 {
        match metric {
            OutcomeMetric::Success => self.successes,
            OutcomeMetric::Error => self.errors,
            OutcomeMetric::SlowCall => self.slow_calls,
        }
    }
}

/// The condition under which a period breaches. [`fmt::Display`] gives the CloudWatch metric math of a [`Self::Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintExpression {
    /// At least one data point of this metric: an alarm on a metric, without math.
    AtLeastOne(OutcomeMetric),
    /// At least one of `part`, and `part` is at least this share of all calls.
    Share {
        /// The metric whose share counts.
        part: OutcomeMetric,
        /// The share in percent.
        percent: u32,
    },
}

impl HintExpression {
    /// Whether a period with these sums breaches.
    #[must_use]
    pub const fn breaches(self, sums: PeriodSums) -> bool {
        match self {
            Self::AtLeastOne(metric) => sums.of(metric) >= 1,
            Self::Share { part, percent } => {
                let (part, calls) = (sums.of(part), sums.errors.saturating_add(sums.successes));
                part >= 1 && part.saturating_mul(100) >= calls.saturating_mul(percent as u64)
            }
        }
    }

    /// Returns the metrics that the expression reads, each once.
    #[must_use]
    pub const fn metrics(self) -> &'static [OutcomeMetric] {
        match self {
            Self::AtLeastOne(OutcomeMetric::Success) => &[OutcomeMetric::Success],
            Self::AtLeastOne(OutcomeMetric::Error) => &[OutcomeMetric::Error],
            Self::AtLeastOne(OutcomeMetric::SlowCall) => &[OutcomeMetric::SlowCall],
            Self::Share { part: OutcomeMetric::SlowCall, .. } => {
                &[OutcomeMetric::SlowCall, OutcomeMetric::Error, OutcomeMetric::Success]
            }
            Self::Share { .. } => &[OutcomeMetric::Error, OutcomeMetric::Success],
        }
    }
}

/// `FILL` wraps every operand, because the controller writes `Success` or `Error` and never a zero: if every call
/// fails, there is no series of successes.
impl fmt::Display for HintExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeastOne(metric) => f.write_str(metric.name()),
            Self::Share { part, percent } => {
                let (part, errors, successes) = (part.id(), OutcomeMetric::Error.id(), OutcomeMetric::Success.id());
                write!(
                    f,
                    "IF((FILL({part}, 0) >= 1) AND (100 * FILL({part}, 0) >= \
                     {percent} * (FILL({errors}, 0) + FILL({successes}, 0))), 1, 0)"
                )
            }
        }
    }
}

/// A level alarm that asks for an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The rule that may hold when the hint is on.
    pub rule: HintedRule,
    /// The level whose outcomes the hint watches.
    pub level: Level,
    /// The condition under which a period breaches.
    pub expression: HintExpression,
}

/// Returns the alarm's name without the name of the deployment.
impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level-{}-{}", self.level, self.rule)
    }
}

/// Returns the hints of `policy`: one for each rule that is on, at each level where the rule counts.
///
/// The hint of a rate needs one failed (or slow) call and has no other minimum of calls: the rule's minimum may be
/// reached by calls of other periods, so any minimum here could keep the hint off while the rule holds. Counts,
/// consecutive failures and consecutive successes can spread over several periods, so no sum of one period decides. So
/// the hint of a count is one failure, that of consecutive failures a period with failures and no success, that of a
/// recovery one success.
///
/// By design random outcomes keep two kinds on: the hint of a count from one failure a period on, and the hint of a
/// recovery while its level works.
#[must_use]
pub fn hints(policy: &Policy) -> Vec<Hint> {
    let share = |part, percent| HintExpression::Share { part, percent };
    let mut hints = Vec::new();
    for (level, count) in [(Level::Full, policy.level_1_failures()), (Level::Degraded, policy.level_2_failures())] {
        let counted = (count > 0).then_some(HintExpression::AtLeastOne(OutcomeMetric::Error));
        let rate = policy.failure_rate_percent().map(|percent| share(OutcomeMetric::Error, percent));
        let consecutive = policy.consecutive_failures().map(|_| share(OutcomeMetric::Error, 100));
        let slow = policy.slow_call_rate_percent().map(|percent| share(OutcomeMetric::SlowCall, percent));
        let rules = [
            (HintedRule::FailureCount, counted),
            (HintedRule::FailureRate, rate),
            (HintedRule::ConsecutiveFailures, consecutive),
            (HintedRule::SlowCalls, slow),
        ];
        hints.extend(
            rules
                .into_iter()
                .filter_map(|(rule, expression)| expression.map(|expression| Hint { rule, level, expression })),
        );
    }
    let succeeded = HintExpression::AtLeastOne(OutcomeMetric::Success);
    for level in [Level::Maintenance, Level::Degraded] {
        hints.push(Hint { rule: HintedRule::Recovery, level, expression: succeeded });
    }
    hints
}
