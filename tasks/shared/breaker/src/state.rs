//! The state item, which holds the current level and everything that decisions rest on.

mod consistency;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backoff::RecoveryBackoff;
use crate::draws::{DRAWS, draws};
use crate::level::Level;
use crate::policy::Policy;

pub use consistency::unchecked;

/// The layout of the state item that this code writes. Readers ignore attributes that they do not
/// know; a writer refuses an item with a newer layout.
pub const SCHEMA_VERSION: u32 = 1;

/// The highest version: the state machine's `JSONata` computes in doubles, and beyond 2^53 - 1 two
/// versions would look alike.
pub const HIGHEST_VERSION: u64 = (1 << 53) - 1;

/// A level pinned by an operator until a set time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The level that is held.
    pub level: Level,
    /// Reason that the operator gave.
    pub reason: String,
    /// Name of the requester. A claim; CloudTrail's `StartExecution` of the same execution proves who it was.
    pub requested_by: String,
    /// Time at which the hold ends (UTC). Every reader checks it, because nothing deletes an expired hold.
    pub expires_at: Timestamp,
    /// ARN of the execution that set the hold. Holds that were set before this attribute existed lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub execution: Option<String>,
}

/// How retryable requests (GET, HEAD) probe the better level. Their draw decides which of them probe; the policy limits
/// the probes a second of each controller environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probing {
    /// Time at which probing begins (UTC): the end of the cooldown and of the ramp.
    pub from: Timestamp,
    /// The share of retryable requests that probes, in percent, 1 to 100.
    pub percent: u32,
    /// Time from which on the share applies (UTC). Probes before this time were sent by another share, so the traffic
    /// is not estimated from them.
    pub percent_since: Timestamp,
    /// Time of the newest probe (UTC), set once it is so old that recoveries rest on the current level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_since: Option<Timestamp>,
    /// Set while the better level refuses most of the probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusing: Option<Refusing>,
}

/// The better level refuses more probes than it answers, so it does not recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusing {
    /// Time of the evaluation that first found most probes refused (UTC).
    pub since: Timestamp,
    /// Time from which people are alarmed (UTC).
    pub alarm_from: Timestamp,
}

impl Probing {
    /// Returns the probing that begins at `from`.
    pub(crate) const fn starting(from: Timestamp, percent: u32) -> Self {
        Self { from, percent, percent_since: from, idle_since: None, refusing: None }
    }
}

/// The ramp after a recovery: the level that recovered takes a growing share of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ramp {
    /// Time at which the ramp begins (UTC).
    pub from: Timestamp,
    /// Time at which the level takes all requests (UTC).
    pub until: Timestamp,
    /// The share of all requests at the beginning of the ramp, in percent, 1 to 100.
    pub first_percent: u32,
}

impl Ramp {
    /// Returns the share of all requests that the level takes at `now`, in draws of [`DRAWS`]: the part of the ramp's
    /// time that has passed, but at least the first share.
    #[must_use]
    pub fn share(&self, now: Timestamp) -> u32 {
        let (passed, whole) = (now.duration_since(self.from), self.until.duration_since(self.from));
        let grown = (passed.as_millis() * i128::from(DRAWS)).checked_div(whole.as_millis());
        let grown = u32::try_from(grown.unwrap_or(DRAWS.into()).clamp(0, DRAWS.into())).unwrap_or(DRAWS);
        grown.max(draws(self.first_percent))
    }
}

/// The state item, `pk = "system-state"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemState {
    /// The level that requests are routed to.
    pub current_level: Level,
    /// Failures towards the next fall that the last evaluation saw. For people; no rule reads it.
    pub failure_count: u64,
    /// The streak that the last evaluation saw. For people; no rule reads it.
    pub success_count: u64,
    /// Time of the last transition (UTC).
    pub last_transition: Timestamp,
    /// Time of the last write (UTC).
    pub last_updated: Timestamp,
    /// Reason of the last transition, with the numbers.
    pub transition_reason: String,
    /// Number of writes.
    pub version: u64,
    /// Number of transitions.
    pub epoch: u64,
    /// Time from which on outcomes are evidence about the current level (UTC).
    pub evidence_since: Timestamp,
    /// Failures that caused the fall to this level, capped at the threshold that they reached.
    pub carried_failures: u64,
    /// The back-off of recoveries.
    #[serde(default)]
    pub backoff: RecoveryBackoff,
    /// How retryable requests (GET, HEAD) probe the better level, if recoveries rest on probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probing: Option<Probing>,
    /// The ramp after the last recovery; it may be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// The newest hold; it may have expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The level to which the last evaluation would have moved without a hold or the mode `observe-only`. It is stored
    /// so that the prevented move is announced once and not at every evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevented: Option<Level>,
    /// The execution that wrote the item.
    pub execution: String,
    /// The layout of the item.
    pub schema_version: u32,
}

impl SystemState {
    /// The attributes that an item may lack. A writer removes those that a state does not have, and keeps every
    /// attribute that it does not know.
    pub const OPTIONAL: [&str; 4] = ["hold", "prevented", "probing", "ramp"];

    /// Returns the state before the first write: level 1, and every outcome in the windows counts, because traffic may
    /// be older than the first evaluation.
    #[must_use]
    pub fn initial(policy: &Policy, now: Timestamp) -> Self {
        let reach = policy.reach().unwrap_or_default();
        Self {
            current_level: Level::Full,
            failure_count: 0,
            success_count: 0,
            last_transition: now,
            last_updated: now,
            transition_reason: "Initial state".to_owned(),
            version: 0,
            epoch: 0,
            evidence_since: now.checked_sub(reach).unwrap_or(now),
            carried_failures: 0,
            backoff: RecoveryBackoff::default(),
            probing: None,
            ramp: None,
            hold: None,
            prevented: None,
            execution: String::new(),
            schema_version: SCHEMA_VERSION,
        }
    }

    /// Returns the hold that is in force at `now`.
    #[must_use]
    pub fn active_hold(&self, now: Timestamp) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| now < hold.expires_at)
    }

    /// Returns the ramp that is under way at `now`. A hold ends the ramp, because it pins the level for all requests.
    #[must_use]
    pub fn active_ramp(&self, now: Timestamp) -> Option<&Ramp> {
        self.ramp.as_ref().filter(|ramp| now < ramp.until && self.active_hold(now).is_none())
    }

    /// Returns how probes are sent at `now`; `None` during a hold or a ramp.
    #[must_use]
    pub fn active_probing(&self, now: Timestamp) -> Option<&Probing> {
        let quiet = self.active_hold(now).is_none() && self.active_ramp(now).is_none();
        self.probing.as_ref().filter(|probing| probing.from <= now && quiet)
    }

    /// Whether people are to be alarmed at `now`, because the better level has refused most probes for too long.
    #[must_use]
    pub fn refusals_alarm(&self, now: Timestamp) -> bool {
        self.active_probing(now).and_then(|probing| probing.refusing).is_some_and(|one| one.alarm_from <= now)
    }

    /// Whether probes or a ramp may soon show that the level can rise or stay.
    #[must_use]
    pub fn awaits_proof(&self, now: Timestamp) -> bool {
        self.active_hold(now).is_none() && (self.probing.is_some() || self.active_ramp(now).is_some())
    }

    /// Returns the time at which the evidence begins: `evidenceSince`, or the end of a hold if that is later.
    #[must_use]
    pub fn evidence_begins(&self, now: Timestamp) -> Timestamp {
        match &self.hold {
            Some(hold) if hold.expires_at <= now => self.evidence_since.max(hold.expires_at),
            _ => self.evidence_since,
        }
    }

    /// Returns the earliest time for probes: the end of the cooldown and of the ramp.
    pub(crate) fn probing_allowed_at(&self, policy: &Policy) -> Timestamp {
        let cooled = self.last_transition.checked_add(self.backoff.cooldown(policy)).unwrap_or(Timestamp::MAX);
        self.ramp.map_or(cooled, |ramp| cooled.max(ramp.until))
    }

    /// Returns the earliest time for a recovery by automation: the end of the cooldown, of any ramp and of any hold.
    /// `None` at level 1.
    #[must_use]
    pub fn recovery_allowed_at(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        self.current_level.better()?;
        let settled = self.probing_allowed_at(policy);
        Some(self.active_hold(now).map_or(settled, |hold| settled.max(hold.expires_at)))
    }

    /// Returns the carried failures that still count at `now`. They lapse one window after the transition.
    #[must_use]
    pub fn carried_at(&self, policy: &Policy, now: Timestamp) -> u64 {
        let lapsed = policy.window().is_some_and(|window| now.duration_since(self.last_transition) >= window);
        if lapsed { 0 } else { self.carried_failures }
    }
}
