//! The pinned Python environment: the local AWS, the AWS CLI, the linters.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::command::run;
use crate::folders;

const REQUIREMENTS: &str = include_str!("requirements.txt");
/// Takes the place of the AWS CLI's own start script.
const AWS: &str = include_str!("aws.py");
/// Its configuration: an option's value that is an address is not fetched.
const AWS_CONFIGURATION: &str = "[default]\ncli_follow_urlparam = false\n";

/// A Python environment with the requirements installed.
#[derive(Clone, Debug)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Sets the environment up, or finds it as an earlier run left it. Runs side by side wait for
    /// each other, and a set-up that was interrupted is done again.
    ///
    /// # Errors
    /// A sentence with the remedy: no Python, too old a Python, no package index.
    pub async fn set_up() -> Result<Self> {
        let lock = folders::lock("python.lock").await?;
        let python = Self { folder: folder() };
        if Self::is_set_up() && python.works().await {
            python.keep_aws_local()?;
            return Ok(python);
        }
        let _ = fs::remove_dir_all(&python.folder);
        check_version("python3").await?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&python.folder))
            .await
            .context("Python cannot make a virtual environment: on Debian, install the package python3-venv")?;
        let requirements = folders::project().join("infrastructure/local/requirements.txt");
        let mut pip = Command::new(python.program("python"));
        // Its cache would be outside the target folder.
        pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check", "-r"]);
        run(pip.arg(requirements))
            .await
            .context("the Python packages cannot be installed: the first set-up needs the Python package index")?;
        python.keep_aws_local()?;
        fs::write(stamp(), installed())?;
        drop(lock);
        Ok(python)
    }

    /// Whether an earlier run set it up.
    #[must_use]
    pub fn is_set_up() -> bool {
        fs::read_to_string(stamp()).is_ok_and(|stamp| stamp == installed())
    }

    /// Whether its Python still is there and finds what was installed: another one may be the system's by now.
    async fn works(&self) -> bool {
        let mut probe = Command::new(self.program("python"));
        run(probe.args(["-c", "import ministack, awscli"])).await.is_ok()
    }

    /// Makes the environment's `aws` one that reaches the local AWS or nothing, and links it into a folder of its own.
    fn keep_aws_local(&self) -> Result<()> {
        let program = self.program("aws");
        // The shell starts Python, because a path in a script's first line has no spaces and a limited length. To the
        // shell the next two lines are a command, to Python a string.
        let start = format!("#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\n", self.program("python").display());
        keep(&self.program("aws.config"), AWS_CONFIGURATION, 0o644)?;
        keep(&program, &(start + AWS), 0o755).context("the AWS CLI's start script cannot be replaced")?;
        let link = self.aws_folder().join("aws");
        if fs::read_link(&link).is_ok_and(|linked| linked == program) {
            return Ok(());
        }
        fs::create_dir_all(self.aws_folder())?;
        let _ = fs::remove_file(&link);
        symlink(program, link).context("the AWS CLI's start script cannot be linked")
    }

    /// The folder that holds `aws` alone: in front of a user's `PATH` it replaces nothing else.
    #[must_use]
    pub fn aws_folder(&self) -> PathBuf {
        self.folder.with_file_name("aws")
    }

    /// A program of the environment.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// The folder of the environment's programs.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }
}

/// Makes a file have this text. It is written beside the old one and moved, because another run may be reading it.
fn keep(path: &Path, text: &str, mode: u32) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|written| written == text) {
        return Ok(());
    }
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
    Ok(fs::rename(&beside, path)?)
}

fn folder() -> PathBuf {
    folders::local().join("python")
}

/// What is installed, and where: the programs of an environment do not work from another folder.
fn installed() -> String {
    format!("# {}\n{REQUIREMENTS}", folder().display())
}

/// What says that everything was installed, and which.
fn stamp() -> PathBuf {
    folder().join("requirements.installed")
}

async fn check_version(python: &str) -> Result<()> {
    let check = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 3)";
    match Command::new(python).args(["-c", check]).status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("{python} is older than 3.10: install a newer Python 3"),
        Err(error) => bail!("{python} cannot be started ({error}): install Python 3.10 or newer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_aws_is_written_again() {
        let local = tempfile::tempdir().unwrap();
        let python = Python { folder: local.path().join("python") };
        fs::create_dir_all(python.programs()).unwrap();
        python.keep_aws_local().unwrap();
        let aws = fs::read_to_string(python.program("aws")).unwrap();
        fs::write(python.program("aws.config"), "").unwrap();
        python.keep_aws_local().unwrap();
        assert_eq!(fs::read_to_string(python.program("aws.config")).unwrap(), AWS_CONFIGURATION);
        fs::write(python.program("aws"), "").unwrap();
        fs::remove_file(python.aws_folder().join("aws")).unwrap();
        python.keep_aws_local().unwrap();
        assert_eq!(fs::read_to_string(python.aws_folder().join("aws")).unwrap(), aws);
    }

    #[tokio::test]
    async fn a_python_that_is_missing_or_too_old_is_said_with_the_remedy() {
        let missing = check_version("no-such-python3").await.unwrap_err().to_string();
        assert!(missing.starts_with("no-such-python3 cannot be started"), "{missing}");
        assert!(missing.ends_with("install Python 3.10 or newer"), "{missing}");
        // A program that answers as an old Python does.
        let old = check_version("false").await.unwrap_err().to_string();
        assert_eq!(old, "false is older than 3.10: install a newer Python 3");
    }
}
