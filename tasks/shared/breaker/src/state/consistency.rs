//! Reads a state, and checks that its attributes are consistent with each other.

use jiff::{SignedDuration, Timestamp};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{HIGHEST_VERSION, Hold, Probing, Ramp, Refusing, SCHEMA_VERSION, SystemState};
use crate::backoff::RecoveryBackoff;
use crate::level::Level;
use crate::policy::{LONGEST_SECONDS, MAX_OUTCOMES};
use crate::request::{ARN_CHARACTERS, HOLD_MINUTES, REASON_CHARACTERS, REQUESTER_CHARACTERS};
use crate::time::later;
use crate::validation::InvalidAttribute;

/// Maximum number of characters of a transition's reason: enough for an operator's reason and the text around it. The
/// state goes through the state machine, whose data are limited to 256 KiB.
const TRANSITION_REASON_CHARACTERS: usize = 4_000;
/// How far the clocks of two writers may differ. A time that is at most this far in the future is accepted: outcomes
/// then begin to count up to a minute later.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(1);
/// Maximum of every duration of a policy.
const LONGEST: SignedDuration = SignedDuration::from_secs(LONGEST_SECONDS);

/// The attributes of a state as they are read, before they are checked.
#[derive(Deserialize)]
#[serde(remote = "SystemState", rename_all = "camelCase")]
struct Unchecked {
    current_level: Level,
    failure_count: u64,
    success_count: u64,
    last_transition: Timestamp,
    last_updated: Timestamp,
    transition_reason: String,
    version: u64,
    epoch: u64,
    evidence_since: Timestamp,
    carried_failures: u64,
    #[serde(default)]
    backoff: RecoveryBackoff,
    #[serde(default)]
    probing: Option<Probing>,
    #[serde(default)]
    ramp: Option<Ramp>,
    #[serde(default)]
    hold: Option<Hold>,
    #[serde(default)]
    prevented: Option<Level>,
    execution: String,
    schema_version: u32,
}

impl<'de> Deserialize<'de> for SystemState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = Unchecked::deserialize(deserializer)?;
        state.check_consistency().map_err(D::Error::custom)?;
        Ok(state)
    }
}

/// Reads a state without checking it, for a reader that has to accept any state of a newer release.
///
/// # Errors
/// The value has another shape than a state.
pub fn unchecked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemState, D::Error> {
    Unchecked::deserialize(deserializer)
}

impl SystemState {
    /// Checks that `write-state` can have stored this state: this layout, at least one write, and attributes that are
    /// consistent with each other. If one attribute is corrupt, others may be too, so the controller does not route by
    /// such a state and evaluations fail.
    ///
    /// # Errors
    /// Names the attribute and what would fit.
    pub fn check(&self) -> Result<(), InvalidAttribute> {
        self.check_written()?;
        self.check_consistency()
    }

    /// Checks that a state that was read, and is therefore consistent, has this layout and at least one write.
    ///
    /// # Errors
    /// Names the attribute and what would fit.
    pub fn check_written(&self) -> Result<(), InvalidAttribute> {
        let Self { version, schema_version, .. } = self;
        if *schema_version != SCHEMA_VERSION {
            return Err(InvalidAttribute::new(
                "schemaVersion",
                format!("is {schema_version}: it should be {SCHEMA_VERSION}"),
            ));
        }
        if *version == 0 {
            return Err(InvalidAttribute::new("version", format!("is 0: it should be from 1 to {HIGHEST_VERSION}")));
        }
        Ok(())
    }

    /// Checks that the attributes are consistent with each other, as in every state of this release and of others. A
    /// state that was never written has version 0.
    fn check_consistency(&self) -> Result<(), InvalidAttribute> {
        let Self { current_level, version, epoch, carried_failures, .. } = self;
        let lowest_version = u64::from(*epoch > 0);
        if !(lowest_version..=HIGHEST_VERSION).contains(version) {
            return Err(InvalidAttribute::new(
                "version",
                format!("is {version}: it should be from {lowest_version} to {HIGHEST_VERSION}"),
            ));
        }
        if epoch > version {
            return Err(InvalidAttribute::new(
                "epoch",
                format!("is {epoch}: it should not be above `version`, which is {version}"),
            ));
        }
        let most_carried = if *current_level == Level::Degraded { MAX_OUTCOMES.unsigned_abs() } else { 0 };
        if *carried_failures > most_carried {
            return Err(InvalidAttribute::new(
                "carriedFailures",
                format!("is {carried_failures}: at level {current_level} it should be at most {most_carried}"),
            ));
        }
        if let Some(prevented) = self.prevented.filter(|to| to.number().abs_diff(current_level.number()) != 1) {
            return Err(InvalidAttribute::new(
                "prevented",
                format!("is {prevented}: it should be one from `currentLevel`, which is {current_level}"),
            ));
        }
        let written = self.last_updated;
        not_after("evidenceSince", self.evidence_since, written)?;
        not_after("lastTransition", self.last_transition, written)?;
        not_longer("transitionReason", &self.transition_reason, TRANSITION_REASON_CHARACTERS)?;
        not_longer("execution", &self.execution, *ARN_CHARACTERS.end())?;
        self.probing.map_or(Ok(()), |probing| probing.check(self))?;
        self.ramp.map_or(Ok(()), |ramp| ramp.check(self))?;
        let Some(hold) = &self.hold else { return Ok(()) };
        if hold.level != *current_level {
            return Err(InvalidAttribute::new(
                "hold.level",
                format!("is {}: it should be `currentLevel`, which is {current_level}", hold.level),
            ));
        }
        not_longer("hold.reason", &hold.reason, *REASON_CHARACTERS.end())?;
        not_longer("hold.requestedBy", &hold.requested_by, *REQUESTER_CHARACTERS.end())?;
        not_longer("hold.execution", hold.execution.as_deref().unwrap_or_default(), *ARN_CHARACTERS.end())?;
        let longest = SignedDuration::from_mins((*HOLD_MINUTES.end()).into());
        not_after("hold.expiresAt", hold.expires_at, later(written, longest))
    }

    /// Checks that the state was written before `now`. A state from the future would silently exclude all evidence, and
    /// the level could not fall.
    ///
    /// # Errors
    /// Names the attribute and what would fit.
    pub fn check_at(&self, now: Timestamp) -> Result<(), InvalidAttribute> {
        not_after("lastUpdated", self.last_updated, now)
    }
}

impl Refusing {
    fn check(&self, state: &SystemState) -> Result<(), InvalidAttribute> {
        not_after("probing.refusing.since", self.since, state.last_updated)?;
        not_before("probing.refusing.alarmFrom", self.alarm_from, self.since)
    }
}

impl Probing {
    fn check(&self, state: &SystemState) -> Result<(), InvalidAttribute> {
        let Self { from, percent, percent_since, idle_since, refusing } = *self;
        let SystemState { current_level, last_transition, last_updated, .. } = *state;
        if current_level.better().is_none() {
            return Err(InvalidAttribute::new(
                "probing",
                format!("is there: at level {current_level} nothing better can be probed"),
            ));
        }
        check_percent("probing.percent", percent)?;
        not_before("probing.from", from, last_transition)?;
        // Probing waits for a cooldown or a ramp, or an evaluation began it.
        not_after("probing.from", from, later(last_transition, LONGEST).max(last_updated))?;
        not_before("probing.percentSince", percent_since, from)?;
        not_after("probing.percentSince", percent_since, last_updated.max(from))?;
        idle_since.map_or(Ok(()), |idle_since| not_after("probing.idleSince", idle_since, last_updated))?;
        refusing.map_or(Ok(()), |refusing| refusing.check(state))
    }
}

impl Ramp {
    fn check(&self, state: &SystemState) -> Result<(), InvalidAttribute> {
        let Self { from, until, first_percent } = *self;
        let SystemState { current_level, last_transition, last_updated, .. } = *state;
        if current_level.worse().is_none() {
            return Err(InvalidAttribute::new(
                "ramp",
                format!("is there: at level {current_level} there is nothing worse to take over from"),
            ));
        }
        check_percent("ramp.firstPercent", first_percent)?;
        not_before("ramp.from", from, last_transition)?;
        not_after("ramp.from", from, last_updated)?;
        not_before("ramp.until", until, from)?;
        not_after("ramp.until", until, later(from, LONGEST))
    }
}

fn not_longer(attribute: &str, text: &str, most: usize) -> Result<(), InvalidAttribute> {
    match text.chars().count() {
        count if count > most => {
            Err(InvalidAttribute::new(attribute, format!("has {count} characters: it should have at most {most}")))
        }
        _ => Ok(()),
    }
}

fn not_after(attribute: &str, time: Timestamp, latest: Timestamp) -> Result<(), InvalidAttribute> {
    if latest.duration_until(time) > CLOCK_DIFFERENCE {
        return Err(InvalidAttribute::new(attribute, format!("is {time}: it should not be after {latest}")));
    }
    Ok(())
}

fn not_before(attribute: &str, time: Timestamp, earliest: Timestamp) -> Result<(), InvalidAttribute> {
    if time.duration_until(earliest) > CLOCK_DIFFERENCE {
        return Err(InvalidAttribute::new(attribute, format!("is {time}: it should not be before {earliest}")));
    }
    Ok(())
}

fn check_percent(attribute: &str, percent: u32) -> Result<(), InvalidAttribute> {
    if (1..=100).contains(&percent) {
        return Ok(());
    }
    Err(InvalidAttribute::new(attribute, format!("is {percent}: it should be from 1 to 100")))
}
