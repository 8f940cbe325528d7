//! The path that the mapping of a custom domain puts before the API's own.

use super::{Config, ConfigError};

/// The setting.
const KEY: &str = "api.base_path";

/// The path that the mapping of a custom domain puts before the API's own; empty if there is none.
///
/// AWS's documentation and its users disagree whether `rawPath` contains it, so it is removed if it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

impl BasePath {
    /// Returns the path as the API's routes have it.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(&self.0) {
            // "/bank" is no beginning of "/banking".
            Some(rest) if rest.starts_with('/') => rest,
            Some("") if !self.0.is_empty() => "/",
            _ => path,
        }
    }
}

impl Config {
    /// Returns the base path; empty if the key is not set.
    ///
    /// # Errors
    /// Names the key and its value.
    pub fn base_path(&self) -> Result<BasePath, ConfigError> {
        let Some(value) = self.0.get(KEY) else { return Ok(BasePath::default()) };
        let path = value.as_str().filter(|path| path.starts_with('/') && !path.ends_with('/'));
        let path = path.ok_or_else(|| {
            self.invalid(KEY, format!("{value} is no path that begins with a slash and ends without one"))
        })?;
        Ok(BasePath(path.to_owned()))
    }
}

impl std::fmt::Display for BasePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_removed_if_it_is_there() {
        let base = Config::from_iter([(KEY, "/bank/v1")]).base_path().unwrap();
        for (raw, path) in [
            ("/bank/v1/account/1", "/account/1"),
            ("/account/1", "/account/1"),
            ("/bank/v1", "/"),
            ("/bank/v1/", "/"),
            ("/bank/v10/account/1", "/bank/v10/account/1"),
            ("/bank/account/1", "/bank/account/1"),
            ("/bank/v1//circuit-breaker", "//circuit-breaker"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(base.strip(raw), path, "{raw}");
        }
    }

    #[test]
    fn without_a_base_path_no_path_changes() {
        for raw in ["/account/1", "/", "", "account"] {
            assert_eq!(BasePath::default().strip(raw), raw);
        }
    }

    #[test]
    fn an_invalid_base_path_is_refused_by_its_key() {
        for invalid in ["bank", "/bank/", "/", ""] {
            let error = Config::from_iter([(KEY, invalid)]).base_path().unwrap_err();
            assert_eq!(error.key(), KEY, "{invalid}");
        }
    }
}
