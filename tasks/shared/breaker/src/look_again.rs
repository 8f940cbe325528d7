//! Whether an execution evaluates again within its time.
//!
//! CloudWatch notifies once for each change of an alarm's state. An alarm that goes off at the third of five failures
//! does not notify of the fifth, and the alarms of level 2 may be on before the level falls to 2. So an execution that
//! an alarm started evaluates again every [`SECONDS_BETWEEN_ALARM_LOOKS`] while a fall is near. An execution that the
//! schedule started evaluates again every [`SECONDS_BETWEEN_LOOKS`] while probes or a ramp are being judged.

use jiff::{SignedDuration, Timestamp};

use crate::decision::Decision;
use crate::level::Level;
use crate::policy::Policy;
use crate::request::{AlarmRequest, SECONDS_BETWEEN_LOOKS, ScheduleRequest, TransitionRequest};
use crate::state::SystemState;
use crate::summary::EvidenceSummary;
use crate::trip;

/// Seconds between two evaluations of an execution that an alarm started: the time that outcomes need to reach
/// CloudWatch, so that each evaluation sees something new.
pub const SECONDS_BETWEEN_ALARM_LOOKS: u32 = 5;
/// Maximum age of an execution, in seconds, when its last evaluation begins. So the execution ends before the state
/// machine's timeout, and no alarm's message stays in the queue for much longer.
pub const SECONDS_OF_LOOKS: u32 = 60;

/// A rule, or two that count together, by which the level falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FallRule {
    /// The count of failures.
    FailureCount,
    /// The rate of failures.
    FailureRate,
    /// The count and the rate of failures together.
    CountAndRate,
    /// Consecutive failures.
    ConsecutiveFailures,
    /// The rate of slow calls.
    SlowCalls,
}

/// Returns the first fall rule that the evidence fulfils by half or more. `None` at level 3, and if the window has
/// neither a failure nor a slow call.
///
/// The limit is one half for two reasons. Failures that go on at the same pace fulfil the rule after as much time as
/// the first half took, which is soon enough to wait for. And one random failure stays below half unless there is
/// little traffic, so it rarely keeps an execution waiting.
///
/// - **Count**: half of the threshold, carried failures included, because the rule counts them. Carried failures alone
///   fulfil no half: nothing has failed at the new level yet.
/// - **Failure rate, slow calls**: half of the minimum number of calls, because the rule cannot hold before its
///   minimum is reached; and half of the limit, because healthy calls from before the incident are in the window too
///   and lower the rate.
/// - **Consecutive failures**: half of the threshold.
/// - **Count and rate together**: half of both, because both have to hold.
#[must_use]
pub fn half_fulfilled(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    now: Timestamp,
) -> Option<FallRule> {
    evidence.level.worse()?;
    let count = half_of(trip::count_threshold(policy, evidence.level), evidence.failures()) && evidence.errors > 0;
    let half_rate = |percent: Option<u32>, part: u64| {
        let calls = evidence.rate.calls;
        let half_of_limit = |percent: u32| part.saturating_mul(200) >= calls.saturating_mul(percent.into());
        part > 0 && half_of(trip::minimum_calls(state, policy, now), calls) && percent.is_some_and(half_of_limit)
    };
    let rate = half_rate(policy.failure_rate_percent(), evidence.rate.failed);
    let consecutive = half_of(policy.consecutive_failures().unwrap_or_default(), evidence.unsettled_failures);
    let slow = half_rate(policy.slow_call_rate_percent(), evidence.rate.slow);
    let together = trip::needs_count_and_rate(state, policy, now);
    let rules = [
        (together && count && rate, FallRule::CountAndRate),
        (!together && count, FallRule::FailureCount),
        (!together && rate, FallRule::FailureRate),
        (consecutive, FallRule::ConsecutiveFailures),
        (slow, FallRule::SlowCalls),
    ];
    rules.into_iter().find_map(|(half, rule)| half.then_some(rule))
}

/// Whether `count` reaches half of a threshold that is on: above 0.
fn half_of(threshold: u32, count: u64) -> bool {
    threshold > 0 && count.saturating_mul(2) >= threshold.into()
}

/// Whether the execution of `request` is to evaluate again after `decision`, which led to `state`.
///
/// - The execution of an **alarm** does while a fall rule is half fulfilled, and during the first [`SECONDS_OF_LOOKS`]
///   after a fall to level 2, whose alarms may be on already. It does not while a hold or the mode `observe-only`
///   prevents the fall, which has been announced. It stops when the alarm is older than that time: its message waited
///   in the queue while other executions evaluated.
/// - The execution of the **schedule** does while probes or a ramp are being judged, because no alarm reports that.
/// - The execution of an operator's command and a dry run never do.
#[must_use]
pub fn looks_again(
    request: &TransitionRequest,
    decision: &Decision,
    state: &SystemState,
    policy: &Policy,
    now: Timestamp,
) -> bool {
    match request {
        _ if request.dry_run() => false,
        TransitionRequest::Schedule(_) => state.awaits_proof(now),
        TransitionRequest::Alarm(alarm) => {
            let can_fall = decision.prevented().is_none() && state.active_hold(now).is_none();
            let evidence = decision.evidence().filter(|evidence| evidence.level == state.current_level);
            let half = || evidence.and_then(|evidence| half_fulfilled(state, policy, evidence, now)).is_some();
            can_fall && is_new(alarm, now) && (fell_lately(state, now) || half())
        }
        TransitionRequest::Force(_) | TransitionRequest::Release(_) => false,
    }
}

impl TransitionRequest {
    /// Maximum number of evaluations of one execution.
    #[must_use]
    pub fn looks(&self) -> u8 {
        match self {
            Self::Alarm(_) => u8::try_from(SECONDS_OF_LOOKS / SECONDS_BETWEEN_ALARM_LOOKS).unwrap_or(u8::MAX),
            Self::Schedule(ScheduleRequest { looks, .. }) => looks.unwrap_or(1),
            Self::Force(_) | Self::Release(_) => 1,
        }
    }

    /// Seconds between two evaluations of one execution.
    #[must_use]
    pub const fn seconds_between_looks(&self) -> u32 {
        match self {
            Self::Alarm(_) => SECONDS_BETWEEN_ALARM_LOOKS,
            Self::Schedule(_) | Self::Force(_) | Self::Release(_) => SECONDS_BETWEEN_LOOKS,
        }
    }
}

/// An alarm whose time is unknown is new: the state machine counts from its own start as well.
fn is_new(request: &AlarmRequest, now: Timestamp) -> bool {
    request.alarm.state_change_time().is_none_or(|changed| now.duration_since(changed) < looks_last())
}

/// Whether the level fell to 2 within the last [`SECONDS_OF_LOOKS`].
fn fell_lately(state: &SystemState, now: Timestamp) -> bool {
    let fell = state.current_level == Level::Degraded && state.backoff.recovered_at.is_none();
    fell && now.duration_since(state.last_transition) < looks_last()
}

fn looks_last() -> SignedDuration {
    SignedDuration::from_secs(SECONDS_OF_LOOKS.into())
}
