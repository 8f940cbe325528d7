//! Settings from environment variables. An error names the variable.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A setting that a Lambda cannot start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {problem}")]
pub struct SettingError {
    /// The variable.
    pub name: String,
    /// The problem with its value, and the allowed values.
    pub problem: String,
}

impl SettingError {
    /// Returns an error about the variable `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }
}

/// A snapshot of environment variables. An empty variable counts as unset, because a template
/// cannot leave out a variable whose parameter is empty.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// Returns the variables of this process. A value that is not UTF-8 is read with replacement characters, so that it
    /// is refused by name and not silently absent.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// Returns the variable's value, or `default` if it is not set.
    #[must_use]
    pub fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    /// Returns the variable's value if it is set.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// Whether the variable is present and empty. The project's own settings treat that as not set; other programs may
    /// not.
    #[must_use]
    pub fn is_set_to_nothing(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(String::is_empty)
    }

    /// Returns the value of a variable that has no default.
    ///
    /// # Errors
    /// Names the variable if it is not set.
    pub fn required(&self, name: &str) -> Result<String, SettingError> {
        self.optional(name).ok_or_else(|| SettingError::new(name, "is not set, and has no default"))
    }

    /// Returns the value of a variable that must lie in `range`, or `default` if it is not set.
    ///
    /// # Errors
    /// Names the variable, its value and the range.
    pub fn number<T>(&self, name: &str, default: T, range: RangeInclusive<T>) -> Result<T, SettingError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.get(name) else { return Ok(default) };
        text.trim().parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
            SettingError::new(name, format!("{text:?} is not a number from {} to {}", range.start(), range.end()))
        })
    }

    /// Returns the value of a variable that is one of `choices`, or the first of them if it is not set.
    ///
    /// # Errors
    /// Names the variable, its value and the words.
    pub fn one_of<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, SettingError> {
        let chosen = match self.get(name) {
            None => choices.first(),
            Some(text) => choices.iter().find(|(word, _)| *word == text),
        };
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            let text = self.get(name).unwrap_or_default();
            SettingError::new(name, format!("{text:?} is not one of: {}", words.join(", ")))
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, value: &str) -> Environment {
        Environment::from_iter([(name, value)])
    }

    #[test]
    fn an_unset_number_has_its_default() {
        assert_eq!(Environment::default().number("COOLDOWN", 30, 0..=600), Ok(30));
        assert_eq!(environment("COOLDOWN", "").number("COOLDOWN", 30, 0..=600), Ok(30));
    }

    #[test]
    fn a_number_out_of_range_or_no_number_is_refused_by_name() {
        for absurd in ["-1", "601", "NaN", "1e9", "thirty", "99999999999999999999"] {
            let error = environment("COOLDOWN", absurd).number("COOLDOWN", 30, 0..=600).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("environment variable COOLDOWN: {absurd:?} is not a number from 0 to 600")
            );
        }
    }

    #[test]
    fn a_fraction_that_is_not_a_number_is_refused() {
        assert!(environment("RATE", "NaN").number("RATE", 0.05, 0.0..=1.0).is_err());
        assert_eq!(environment("RATE", "0.5").number("RATE", 0.05, 0.0..=1.0), Ok(0.5));
    }

    #[test]
    fn a_variable_without_default_is_named_as_missing() {
        let error = Environment::default().required("STATE_MACHINE_ARN").unwrap_err();
        assert_eq!(error.to_string(), "environment variable STATE_MACHINE_ARN: is not set, and has no default");
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_choices() {
        let choices = [("disabled", false), ("enabled", true)];
        assert_eq!(Environment::default().one_of("FAULT_INJECTION", &choices), Ok(false));
        assert_eq!(environment("FAULT_INJECTION", "enabled").one_of("FAULT_INJECTION", &choices), Ok(true));
        let error = environment("FAULT_INJECTION", "yes").one_of("FAULT_INJECTION", &choices).unwrap_err();
        assert_eq!(error.problem, "\"yes\" is not one of: disabled, enabled");
    }
}
