//! The settings of a policy before validation, and the presets.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A named set of settings to start from; any single setting overrides it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Counts of failures, streaks of successes. The default.
    #[default]
    Classic,
    /// For a bank's traffic: failure rates, recovery proven by probes, a ramp.
    Production,
}

/// The evidence that a recovery rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryEvidence {
    /// A streak of successes at the current level.
    #[default]
    CurrentLevel,
    /// Probes of the better level itself.
    Probes,
}

/// Which rules about failures must hold for a fall. Consecutive failures and slow calls each suffice alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TripWhen {
    /// Any rule that is on.
    #[default]
    Any,
    /// The count and the rate together. During a ramp the rate suffices, because counts are slow.
    CountAndRate,
}

/// Whether automation moves the level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Automation moves the level.
    #[default]
    Active,
    /// Automation only reports what it would do. Operators still move the level.
    ObserveOnly,
}

/// A word that is none of the allowed ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of: {}", allowed.join(", "))]
pub struct UnknownWord {
    /// The word.
    pub word: String,
    /// The allowed words.
    pub allowed: Vec<&'static str>,
}

macro_rules! words {
    ($type:ident: $($variant:ident = $word:literal),+) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the value's name in settings.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| UnknownWord {
                    word: text.to_owned(),
                    allowed: Self::ALL.iter().map(|one| one.word()).collect(),
                })
            }
        }
    };
}

words!(Preset: Classic = "classic", Production = "production");
words!(RecoveryEvidence: CurrentLevel = "current-level", Probes = "probes");
words!(TripWhen: Any = "any", CountAndRate = "count-and-rate");
words!(Mode: Active = "active", ObserveOnly = "observe-only");

/// The settings of a policy. Each number is described at its name in [`NUMBERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "described once, beside their names, in `NUMBERS`")]
pub struct PolicySettings {
    pub preset: Preset,
    pub mode: Mode,
    pub recovery_evidence: RecoveryEvidence,
    pub trip_when: TripWhen,
    pub level_1_failures: i64,
    pub level_2_failures: i64,
    pub window_seconds: i64,
    pub consecutive_failures: i64,
    pub failure_rate_percent: i64,
    pub minimum_calls: i64,
    pub rate_window_seconds: i64,
    pub slow_call_milliseconds: i64,
    pub slow_call_rate_percent: i64,
    pub level_3_successes: i64,
    pub level_2_successes: i64,
    pub settle_seconds: i64,
    pub cooldown_seconds: i64,
    pub longest_cooldown_seconds: i64,
    pub relapse_window_seconds: i64,
    pub calm_seconds: i64,
    pub probe_percent: i64,
    pub probe_limit_per_second: i64,
    pub probe_calls: i64,
    pub probe_idle_seconds: i64,
    pub ramp_seconds: i64,
    pub ramp_minimum_calls: i64,
}

/// One number of a policy: its key, its bounds, and the field that has it.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// The key in the section `policy` of a deployment's file: the group, a dot, the name within the group.
    pub key: &'static str,
    /// Its description for people.
    pub description: &'static str,
    /// Minimum.
    pub minimum: i64,
    /// Maximum.
    pub maximum: i64,
    field: fn(&mut PolicySettings) -> &mut i64,
}

impl Number {
    /// The number in `settings`.
    #[must_use]
    pub fn of(&self, settings: &PolicySettings) -> i64 {
        let mut settings = *settings;
        *(self.field)(&mut settings)
    }

    /// Sets the number in `settings`.
    pub fn set(&self, settings: &mut PolicySettings, value: i64) {
        *(self.field)(settings) = value;
    }
}

/// Maximum of a threshold. CloudWatch sums are exact far beyond it.
pub const MAX_OUTCOMES: i64 = 1_000_000;
/// Maximum of a time: one day. Older evidence says nothing about the present.
pub const LONGEST_SECONDS: i64 = 86_400;
/// Maximum of the settling time: ten minutes. Metrics that arrive later are not evidence for a recovery.
const LONGEST_SETTLE_SECONDS: i64 = 600;

macro_rules! numbers {
    ($($field:ident $key:literal $minimum:literal ..= $maximum:ident : $description:literal),+ $(,)?) => {
        /// Every number of a policy.
        pub const NUMBERS: &[Number] = &[$(Number {
            key: $key,
            description: $description,
            minimum: $minimum,
            maximum: $maximum,
            field: |settings| &mut settings.$field,
        }),+];
    };
}

const PERCENT: i64 = 100;
const LONGEST_CALL_MILLISECONDS: i64 = 30_000;

numbers! {
    level_1_failures "counts.level_1_failures" 0..=MAX_OUTCOMES:
        "number of failures at level 1 within the window that leads to level 2; 0: off",
    level_2_failures "counts.level_2_failures" 0..=MAX_OUTCOMES:
        "number of failures, carried failures included, that leads from level 2 to level 3; 0: off",
    window_seconds "counts.window_seconds" 0..=LONGEST_SECONDS:
        "time for which a failure counts; 0: since the last transition",
    consecutive_failures "counts.consecutive_failures" 0..=MAX_OUTCOMES:
        "number of consecutive failures that makes the level fall; 0: off",
    failure_rate_percent "rates.failure_percent" 0..=PERCENT:
        "failure rate in percent that makes the level fall; 0: off",
    minimum_calls "rates.minimum_calls" 1..=MAX_OUTCOMES:
        "minimum number of calls for a rate to count",
    rate_window_seconds "rates.window_seconds" 1..=LONGEST_SECONDS:
        "time for which a call counts for rates",
    slow_call_milliseconds "slow_calls.milliseconds" 0..=LONGEST_CALL_MILLISECONDS:
        "duration from which on a call is slow; 0: no call is slow",
    slow_call_rate_percent "slow_calls.percent" 0..=PERCENT:
        "rate of slow calls in percent that makes the level fall; 0: off",
    level_3_successes "recovery.level_3_successes" 1..=MAX_OUTCOMES:
        "number of consecutive successes at level 3 that leads to level 2",
    level_2_successes "recovery.level_2_successes" 1..=MAX_OUTCOMES:
        "number of consecutive successes at level 2 that leads to level 1",
    settle_seconds "recovery.settle_seconds" 0..=LONGEST_SETTLE_SECONDS:
        "minimum age of the outcomes that a recovery rests on",
    cooldown_seconds "recovery.cooldown_seconds" 0..=LONGEST_SECONDS:
        "cooldown: time after a transition during which no recovery happens; 0: off",
    longest_cooldown_seconds "recovery.longest_cooldown_seconds" 0..=LONGEST_SECONDS:
        "maximum of the doubled cooldown; 0: it is never doubled",
    relapse_window_seconds "recovery.relapse_window_seconds" 0..=LONGEST_SECONDS:
        "relapse window: a fall within it after a recovery doubles the cooldown; 0: no fall does",
    calm_seconds "recovery.calm_seconds" 0..=LONGEST_SECONDS:
        "time without a transition after which a fall resets the cooldown",
    probe_percent "probes.percent" 1..=PERCENT:
        "minimum share of GET and HEAD requests, in percent, that probes the better level after the cooldown",
    probe_limit_per_second "probes.limit_per_second" 1..=MAX_OUTCOMES:
        "maximum number of probes a second of one controller environment",
    probe_calls "probes.calls" 1..=MAX_OUTCOMES:
        "number of probes that proves that the better level works",
    probe_idle_seconds "probes.idle_seconds" 1..=LONGEST_SECONDS:
        "time without any probe after which a recovery rests on the current level",
    ramp_seconds "ramp.seconds" 0..=LONGEST_SECONDS:
        "duration of the ramp, during which a level that recovered takes a growing share of the requests; 0: off",
    ramp_minimum_calls "ramp.minimum_calls" 1..=MAX_OUTCOMES:
        "during the ramp, minimum number of calls for a rate to count",
}

impl PolicySettings {
    /// The settings of [`Preset::Classic`].
    #[must_use]
    pub const fn classic() -> Self {
        Self {
            preset: Preset::Classic,
            mode: Mode::Active,
            recovery_evidence: RecoveryEvidence::CurrentLevel,
            trip_when: TripWhen::Any,
            level_1_failures: 5,
            level_2_failures: 10,
            window_seconds: 300,
            consecutive_failures: 0,
            failure_rate_percent: 0,
            minimum_calls: 20,
            rate_window_seconds: 60,
            slow_call_milliseconds: 0,
            slow_call_rate_percent: 0,
            level_3_successes: 3,
            level_2_successes: 5,
            settle_seconds: 10,
            cooldown_seconds: 30,
            longest_cooldown_seconds: 600,
            relapse_window_seconds: 300,
            calm_seconds: 1_800,
            probe_percent: 5,
            probe_limit_per_second: 5,
            probe_calls: 20,
            probe_idle_seconds: 300,
            ramp_seconds: 0,
            ramp_minimum_calls: 10,
        }
    }

    /// Falls by the failure rate and by consecutive failures, and recovers by probes. The numbers were chosen with the
    /// simulator, on its scenario `outage` at 1 to 2,000 requests a second and on quiet days:
    ///
    /// - 10 % of at least 25 calls within 40 s. With 20 % within 60 s, a failure rate of 30 % would be detected half a
    ///   minute later. With fewer calls or a shorter window, a service at one request a second that fails 1 % of its
    ///   calls would fall several times a day by chance. With more calls, a service with one request a second would
    ///   never reach the minimum.
    /// - 10 consecutive failures: the first evaluation detects a complete outage, long before the rate does.
    /// - 20 probes of which less than 10 % fail, so at most one: a level that fails 30 % passes by chance once in 130
    ///   times, and a level that fails 20 % once in 14; then callers see failures, and the cooldown doubles.
    /// - 10 % of the retryable requests probe, not 5 %, because at 20 requests a second that makes a recovery 12 s
    ///   quicker, and no caller sees a probe fail.
    /// - 20 calls during the ramp, so that two failures are needed: one alone is noise.
    #[must_use]
    pub const fn production() -> Self {
        Self {
            preset: Preset::Production,
            recovery_evidence: RecoveryEvidence::Probes,
            level_1_failures: 0,
            level_2_failures: 0,
            consecutive_failures: 10,
            failure_rate_percent: 10,
            minimum_calls: 25,
            rate_window_seconds: 40,
            slow_call_milliseconds: 1_500,
            slow_call_rate_percent: 50,
            probe_percent: 10,
            ramp_seconds: 60,
            ramp_minimum_calls: 20,
            ..Self::classic()
        }
    }

    /// Returns the settings of `preset`.
    #[must_use]
    pub const fn of(preset: Preset) -> Self {
        match preset {
            Preset::Classic => Self::classic(),
            Preset::Production => Self::production(),
        }
    }

    /// Returns the settings that differ from the preset's, each with its key.
    #[must_use]
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        let preset = Self::of(self.preset);
        let words = [
            ("mode", self.mode.word(), preset.mode.word()),
            ("recovery_evidence", self.recovery_evidence.word(), preset.recovery_evidence.word()),
            ("trip_when", self.trip_when.word(), preset.trip_when.word()),
        ];
        let words =
            words.into_iter().filter(|(_, set, usual)| set != usual).map(|(name, set, _)| (name, set.to_owned()));
        let numbers = NUMBERS.iter().filter(|number| number.of(self) != number.of(&preset));
        words.chain(numbers.map(|number| (number.key, number.of(self).to_string()))).collect()
    }
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self::classic()
    }
}
