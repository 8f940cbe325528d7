//! A setting of `BREAKER_CONFIG` that is invalid.

use serde_json::Value;

use super::VARIABLE;
use crate::settings::SettingError;

/// The variable, or one of its settings, is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The variable is no JSON object, so none of its settings is known.
    #[error("{VARIABLE}: is no JSON object: {problem}")]
    Unreadable {
        /// What the parser says.
        problem: String,
    },
    /// A setting has a value that is not allowed, or does not fit the others.
    #[error("{VARIABLE}: {key}: {problem}")]
    Setting {
        /// The key, as in the file of the deployment.
        key: String,
        /// Kind of the value: number, text, list and so on, or `default` if the variable does not set it.
        kind: &'static str,
        /// The problem, and the allowed values.
        problem: String,
    },
}

impl ConfigError {
    /// The key of the setting; the variable if none of its settings is known.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Unreadable { .. } => VARIABLE,
            Self::Setting { key, .. } => key,
        }
    }

    /// Kind of the invalid value.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "text",
            Self::Setting { kind, .. } => kind,
        }
    }

    /// Logs the error with what the function uses instead. Functions read the variable when they start, so each
    /// environment logs it once.
    pub fn log(&self, instead: &str) {
        tracing::error!(
            config.key = self.key(),
            config.kind = self.kind(),
            config.instead = instead,
            error.message = %self,
            "invalid setting replaced"
        );
    }
}

impl From<ConfigError> for SettingError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Unreadable { problem } => Self::new(VARIABLE, format!("is no JSON object: {problem}")),
            ConfigError::Setting { key, problem, .. } => Self::new(VARIABLE, format!("{key}: {problem}")),
        }
    }
}

/// Returns the setting, or its default if it is invalid, which is logged.
pub fn or_logged<T: ToString>(setting: Result<T, ConfigError>, default: T) -> T {
    setting.unwrap_or_else(|error| {
        error.log(&default.to_string());
        default
    })
}

/// The kind of a value, as a log names it.
pub(super) const fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "default",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "switch",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "text",
        Some(Value::Array(_)) => "list",
        Some(Value::Object(_)) => "object",
    }
}
