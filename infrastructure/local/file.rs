//! The file that describes a deployment, as an option names it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use deployment_file::{Effective, Override};

use crate::folders;

/// The file that an option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The file of an environment: `infrastructure/environments/NAME.toml`.
    Environment(String),
    /// A file at a path of its own.
    File(PathBuf),
}

impl Chosen {
    /// Returns the file that one of the two options names; None if neither is given.
    #[must_use]
    pub fn new(environment: Option<&str>, file: Option<&Path>) -> Option<Self> {
        let of_environment = || environment.map(|name| Self::Environment(name.to_owned()));
        file.map(|path| Self::File(path.to_owned())).or_else(of_environment)
    }

    /// Returns the environment's name: that of the option, or the file's own without its ending.
    #[must_use]
    pub fn environment(&self) -> String {
        match self {
            Self::Environment(name) => name.clone(),
            Self::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// Reads and checks the file; returns its name as messages have it, and the settings in force.
    ///
    /// # Errors
    /// Every mistake of the file and of the overrides, or why it cannot be read.
    pub fn read(&self, overrides: &[Override]) -> Result<(String, Effective)> {
        let path = self.path()?;
        let place = folders::shown(&path);
        let text = fs::read_to_string(&path).with_context(|| missing(&path, &place))?;
        let effective = Effective::read(&place, &text, overrides)?;
        Ok((place, effective))
    }

    fn path(&self) -> Result<PathBuf> {
        let name = match self {
            Self::File(path) => return Ok(path.clone()),
            Self::Environment(name) => name,
        };
        let project =
            folders::existing_project().context("--environment needs the folder of the files; or give --file")?;
        Ok(project.join(folders::ENVIRONMENTS).join(format!("{name}.toml")))
    }
}

/// Names the environments that have a file, because most often the name is misspelt.
fn missing(path: &Path, place: &str) -> String {
    let files = path.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut names: Vec<_> = files
        .map(|file| file.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .filter_map(|file| file.file_stem().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    if names.is_empty() {
        return format!("{place} cannot be read");
    }
    format!("{place} cannot be read; there are files for {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_environment_or_its_path() {
        assert_eq!(Chosen::new(None, None), None);
        let prod = Chosen::new(Some("prod"), None).unwrap();
        let (place, effective) = prod.read(&[]).unwrap();
        assert_eq!((place.as_str(), prod.environment().as_str()), ("infrastructure/environments/prod.toml", "prod"));
        let path = folders::project().join("infrastructure/environments/prod.toml");
        let file = Chosen::new(None, Some(&path)).unwrap();
        assert_eq!((file.environment().as_str(), file.read(&[]).unwrap().1), ("prod", effective));
    }

    #[test]
    fn a_missing_file_and_a_mistake_are_named() {
        let error = Chosen::Environment("prd".to_owned()).read(&[]).unwrap_err().to_string();
        assert!(error.contains("environments/prd.toml cannot be read; there are files for dev, prod"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        fs::write(&path, "[policy]\npreset = \"modern\"").unwrap();
        let error = Chosen::File(path).read(&["api.burst=0".parse().unwrap()]).unwrap_err().to_string();
        assert!(error.contains("mine.toml:2: policy.preset is \"modern\""), "{error}");
        assert!(error.contains("--set: api.burst is 0"), "{error}");
    }
}
