//! The section `policy`: a preset and what differs from it, in groups.
//!
//! The groups are types of this file alone; the rules' own type, [`breaker::PolicySettings`], is flat. Its form is that of
//! the records in the state table and of the state machine's messages, which releases of different ages exchange: flat
//! names such as `failureRatePercent`, and unknown names are ignored. The file has other names
//! (`rates.failure_percent`), and refuses unknown ones. A type has one form, so groups in the core would need the
//! conversion all the same. A list in `groups` therefore names each number of the file beside its setting, and makes both
//! conversions.

mod groups;
mod schema;

use breaker::{Mode, NUMBERS, Policy, PolicySettings, Preset, RecoveryEvidence, TripWhen};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub use self::groups::{Counts, Probes, Ramp, Rates, Recovery, SlowCalls};
pub(crate) use self::schema::sentence;

/// When the level falls and when it recovers: a preset, and every setting that differs from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = schema::with_numbers)]
pub struct PolicySection {
    /// The rules to start from: classic counts failures, production goes by rates and recovers by probes.
    pub preset: Preset,
    /// Whether automation moves the level, or only tells what it would do.
    pub mode: Mode,
    /// What a recovery rests on: successes at the current level, or probes of the better one.
    pub recovery_evidence: RecoveryEvidence,
    /// Whether any rule is enough for a fall, or count and rate only together. Consecutive failures and slow calls are
    /// always enough alone.
    pub trip_when: TripWhen,
    /// Rules that count failures.
    pub counts: Counts,
    /// The rule about the failure rate.
    pub rates: Rates,
    /// The rule about slow calls.
    pub slow_calls: SlowCalls,
    /// When the level may recover.
    pub recovery: Recovery,
    /// Probes of the better level.
    pub probes: Probes,
    /// The share of requests that a level takes after it recovered.
    pub ramp: Ramp,
}

impl PolicySection {
    /// Checks the combination of the settings with the rules that the Lambdas use.
    ///
    /// # Errors
    /// Returns the key, below `policy.`, of a setting that does not fit the others, and why.
    pub fn policy(&self) -> Result<Policy, (String, String)> {
        Policy::new(self.settings()).map_err(|error| (error.setting.to_owned(), with_keys(&error.problem)))
    }

    /// Returns the settings, the preset's included.
    #[must_use]
    pub fn settings(&self) -> PolicySettings {
        PolicySettings::from(*self)
    }
}

/// The sentence with the keys as they stand in the file.
fn with_keys(problem: &str) -> String {
    let mut names: Vec<_> = NUMBERS.iter().map(|number| number.key).collect();
    names.extend(["recovery_evidence", "trip_when"]);
    names.iter().fold(problem.to_owned(), |text, name| text.replace(name, &format!("policy.{name}")))
}

impl Default for PolicySection {
    fn default() -> Self {
        Self::from(Preset::default())
    }
}

/// What the section does not say is the preset's, so the preset is read first.
impl<'de> Deserialize<'de> for PolicySection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Map::deserialize(deserializer)?;
        let preset = or(&object, "preset", Preset::default()).map_err(D::Error::custom)?;
        over(&object, Self::from(preset)).map_err(D::Error::custom)
    }
}

fn over(object: &Map<String, Value>, usual: PolicySection) -> Result<PolicySection, serde_json::Error> {
    Ok(PolicySection {
        preset: usual.preset,
        mode: or(object, "mode", usual.mode)?,
        recovery_evidence: or(object, "recovery_evidence", usual.recovery_evidence)?,
        trip_when: or(object, "trip_when", usual.trip_when)?,
        counts: group(object, "counts", usual.counts)?,
        rates: group(object, "rates", usual.rates)?,
        slow_calls: group(object, "slow_calls", usual.slow_calls)?,
        recovery: group(object, "recovery", usual.recovery)?,
        probes: group(object, "probes", usual.probes)?,
        ramp: group(object, "ramp", usual.ramp)?,
    })
}

/// Returns the value of `key`, or `usual` if it is not set.
fn or<T: DeserializeOwned>(object: &Map<String, Value>, key: &str, usual: T) -> Result<T, serde_json::Error> {
    object.get(key).map_or(Ok(usual), |value| serde_json::from_value(value.clone()))
}

/// Returns the group `key`. Numbers that are not set have the value in `usual`.
fn group<T: Serialize + DeserializeOwned>(
    object: &Map<String, Value>,
    key: &str,
    usual: T,
) -> Result<T, serde_json::Error> {
    let Some(set) = object.get(key) else { return Ok(usual) };
    let mut members: Map<String, Value> = serde_json::from_value(serde_json::to_value(usual)?)?;
    members.extend(Map::deserialize(set)?);
    serde_json::from_value(Value::Object(members))
}
