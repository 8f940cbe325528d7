//! The pinned Python environment: the local AWS; the AWS CLI and the tests' tools only where they are used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::command::run;
use crate::folders;

/// Takes the place of the AWS CLI's own start script.
const AWS: &str = include_str!("aws.py");
/// Its configuration: an option's value that is an address is not fetched.
const AWS_CONFIGURATION: &str = "[default]\ncli_follow_urlparam = false\n";

/// Packages that are installed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packages {
    /// The local AWS: all that running the bank needs.
    Emulator,
    /// The AWS CLI.
    Cli,
    /// What tests look at templates and requests with.
    Tests,
}

impl Packages {
    const fn requirements(self) -> &'static str {
        match self {
            Self::Emulator => include_str!("requirements.txt"),
            Self::Cli => include_str!("aws-requirements.txt"),
            Self::Tests => include_str!("test-requirements.txt"),
        }
    }

    /// A module that says whether they can be used.
    const fn module(self) -> &'static str {
        match self {
            Self::Emulator => "ministack",
            Self::Cli => "awscli",
            Self::Tests => "cfnlint",
        }
    }

    /// What says that all of them were installed, and which.
    fn stamp(self) -> PathBuf {
        let name = match self {
            Self::Emulator => "requirements.installed",
            Self::Cli => "aws-requirements.installed",
            Self::Tests => "test-requirements.installed",
        };
        folder().join(name)
    }

    /// What is installed, and where: the programs of an environment do not work from another folder.
    fn installed(self) -> String {
        format!("# {}\n{}", folder().display(), self.requirements())
    }

    fn is_installed(self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == self.installed())
    }
}

/// A Python environment with the local AWS in it.
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
        Self::set_up_with(&[]).await
    }

    /// Sets up Python with the AWS CLI, which reaches the local AWS or nothing.
    ///
    /// # Errors
    /// Those of [`Self::set_up`].
    pub async fn with_cli() -> Result<Self> {
        let there = Self { folder: folder() };
        let installed = Self::is_set_up() && Packages::Cli.is_installed() && there.program("aws").exists();
        // Each call of `aws` comes here: what is installed is not looked at again.
        let python = if installed { there } else { Self::set_up_with(&[Packages::Cli]).await? };
        python.keep_aws_local()?;
        Ok(python)
    }

    /// Sets up Python with the packages that tests need.
    ///
    /// # Errors
    /// Those of [`Self::set_up`].
    pub async fn for_tests() -> Result<Self> {
        Self::set_up_with(&[Packages::Tests]).await
    }

    async fn set_up_with(more: &[Packages]) -> Result<Self> {
        let lock = folders::lock("python.lock").await?;
        let python = Self { folder: folder() };
        if !Self::is_set_up() || !python.has(Packages::Emulator).await {
            let _ = fs::remove_dir_all(&python.folder);
            check_version("python3").await?;
            run(Command::new("python3").args(["-m", "venv"]).arg(&python.folder))
                .await
                .context("Python cannot make a virtual environment: on Debian, install the package python3-venv")?;
            python.install(Packages::Emulator).await?;
        }
        for packages in more {
            if !packages.is_installed() || !python.has(*packages).await {
                python.install(*packages).await?;
            }
        }
        python.link_aws()?;
        drop(lock);
        Ok(python)
    }

    async fn install(&self, packages: Packages) -> Result<()> {
        let requirements = self.folder.join("requirements.txt");
        fs::write(&requirements, packages.requirements())?;
        let mut pip = Command::new(self.program("python"));
        // Its cache would be outside the target folder. What is not compiled now is compiled when it is used.
        pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-compile", "--disable-pip-version-check"]);
        run(pip.arg("-r").arg(requirements))
            .await
            .context("the Python packages cannot be installed: the first set-up needs the Python package index")?;
        Ok(fs::write(packages.stamp(), packages.installed())?)
    }

    /// Whether an earlier run set it up.
    #[must_use]
    pub fn is_set_up() -> bool {
        Packages::Emulator.is_installed()
    }

    /// Whether its Python still is there and finds what was installed: another one may be the system's by now.
    async fn has(&self, packages: Packages) -> bool {
        let mut probe = Command::new(self.program("python"));
        let found =
            format!("import importlib.util, sys; sys.exit(not importlib.util.find_spec('{}'))", packages.module());
        run(probe.args(["-c", &found])).await.is_ok()
    }

    /// Puts an `aws` into a folder of its own: it is `breaker aws`, which installs the AWS CLI when it is first used.
    fn link_aws(&self) -> Result<()> {
        fs::create_dir_all(self.aws_folder())?;
        let text = format!("#!/bin/sh\nexec \"{}\" aws \"$@\"\n", folders::program().display());
        keep(&self.aws_folder().join("aws"), &text, 0o755).context("the command `aws` cannot be written")
    }

    /// Makes the environment's `aws` one that reaches the local AWS or nothing.
    fn keep_aws_local(&self) -> Result<()> {
        let program = self.program("aws");
        // The shell starts Python, because a path in a script's first line has no spaces and a limited length. To the
        // shell the next two lines are a command, to Python a string.
        let start = format!("#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\n", self.program("python").display());
        keep(&self.program("aws.config"), AWS_CONFIGURATION, 0o644)?;
        keep(&program, &(start + AWS), 0o755).context("the AWS CLI's start script cannot be replaced")
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
        python.keep_aws_local().unwrap();
        assert_eq!(fs::read_to_string(python.program("aws")).unwrap(), aws);
        python.link_aws().unwrap();
        let linked = fs::read_to_string(python.aws_folder().join("aws")).unwrap();
        assert!(linked.ends_with("\" aws \"$@\"\n"), "{linked}");
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
