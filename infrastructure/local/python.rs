//! The pinned Python environment: the local AWS, and, when they are first used, the AWS CLI and the tests' tools.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::command::run;
use crate::folders;

/// Script that replaces the AWS CLI's own start script.
const AWS: &str = include_str!("aws.py");
/// Configuration of the AWS CLI: if an option's value is a URL, the CLI does not fetch it.
const AWS_CONFIGURATION: &str = "[default]\ncli_follow_urlparam = false\n";

/// Packages that are installed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packages {
    /// The local AWS, which is enough to run the bank.
    Emulator,
    /// The AWS CLI.
    Cli,
    /// The tools with which tests check templates and requests.
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

    /// Returns a module whose import shows that the packages can be used.
    const fn module(self) -> &'static str {
        match self {
            Self::Emulator => "ministack",
            Self::Cli => "awscli",
            Self::Tests => "cfnlint",
        }
    }

    /// Returns pip's option for packages whose requirements are complete.
    const fn resolution(self) -> &'static [&'static str] {
        match self {
            Self::Emulator => &["--no-deps"],
            Self::Cli | Self::Tests => &[],
        }
    }

    /// Returns the path of the file that records which packages were installed completely.
    fn stamp(self) -> PathBuf {
        let name = match self {
            Self::Emulator => "requirements.installed",
            Self::Cli => "aws-requirements.installed",
            Self::Tests => "test-requirements.installed",
        };
        folder().join(name)
    }

    /// Returns the packages and the folder, because an environment's programs do not work from another folder.
    fn installed(self) -> String {
        format!("# {}\n{}", folder().display(), self.requirements())
    }

    fn is_installed(self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == self.installed())
    }
}

/// A Python environment that contains the local AWS.
#[derive(Clone, Debug)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Sets up the environment, or uses that of an earlier run. Concurrent runs wait for each other, and an interrupted
    /// set-up is repeated.
    ///
    /// # Errors
    /// Python is missing or too old, or the package index does not answer. The error contains the remedy.
    pub async fn set_up() -> Result<Self> {
        Self::set_up_with(&[]).await
    }

    /// Sets up Python with an AWS CLI that can call only the local AWS.
    ///
    /// # Errors
    /// Returns the errors of [`Self::set_up`].
    pub async fn with_cli() -> Result<Self> {
        let there = Self { folder: folder() };
        let installed = Self::is_set_up() && Packages::Cli.is_installed() && there.program("aws").exists();
        // Each call of `aws` comes here, so an installed CLI is not checked again.
        let python = if installed { there } else { Self::set_up_with(&[Packages::Cli]).await? };
        python.keep_aws_local()?;
        Ok(python)
    }

    /// Sets up Python with the packages that tests need.
    ///
    /// # Errors
    /// Returns the errors of [`Self::set_up`].
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
        // Without pip's cache, which would be outside the target folder. Modules are compiled when they are first used.
        pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-compile", "--disable-pip-version-check"]);
        pip.args(packages.resolution());
        run(pip.arg("-r").arg(requirements))
            .await
            .context("the Python packages cannot be installed: the first set-up needs the Python package index")?;
        Ok(fs::write(packages.stamp(), packages.installed())?)
    }

    /// Whether an earlier run set up the environment.
    #[must_use]
    pub fn is_set_up() -> bool {
        Packages::Emulator.is_installed()
    }

    /// Whether the environment's Python still exists and finds the packages. The system's Python may have changed.
    async fn has(&self, packages: Packages) -> bool {
        let mut probe = Command::new(self.program("python"));
        let found =
            format!("import importlib.util, sys; sys.exit(not importlib.util.find_spec('{}'))", packages.module());
        run(probe.args(["-c", &found])).await.is_ok()
    }

    /// Writes an `aws` into a separate folder. It calls `breaker aws`, which installs the AWS CLI at its first use.
    fn link_aws(&self) -> Result<()> {
        fs::create_dir_all(self.aws_folder())?;
        let text = format!("#!/bin/sh\nexec \"{}\" aws \"$@\"\n", folders::program().display());
        keep(&self.aws_folder().join("aws"), &text, 0o755).context("the command `aws` cannot be written")
    }

    /// Replaces the environment's `aws` by one that can call only the local AWS.
    fn keep_aws_local(&self) -> Result<()> {
        let program = self.program("aws");
        // The shell starts Python, because the path in a script's first line must not contain spaces and has a limited
        // length. The shell reads the next two lines as a command, Python reads them as a string.
        let start = format!("#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\n", self.program("python").display());
        keep(&self.program("aws.config"), AWS_CONFIGURATION, 0o644)?;
        keep(&program, &(start + AWS), 0o755).context("the AWS CLI's start script cannot be replaced")
    }

    /// Returns the folder that contains only `aws`. If a user's `PATH` begins with it, no other program is replaced.
    #[must_use]
    pub fn aws_folder(&self) -> PathBuf {
        self.folder.with_file_name("aws")
    }

    /// Returns the path of a program of the environment.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// Returns the folder of the environment's programs.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }
}

/// Writes a file if its text differs. The new file is renamed into place, because another run may be reading the old
/// one or writing its own.
fn keep(path: &Path, text: &str, mode: u32) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|written| written == text) {
        return Ok(());
    }
    let mut beside = NamedTempFile::new_in(path.parent().context("a file without a folder")?)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    beside.persist(path)?;
    Ok(())
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

    /// Prints what the packages of the list need, on each version of Python, and the list lacks.
    const MISSING: &str = "
import importlib.metadata, sys
from pip._vendor.packaging.requirements import Requirement
lines = [line.strip() for line in open(sys.argv[1]) if line.strip() and not line.startswith('#')]
listed = [Requirement(line) for line in lines]
for version in ['3.10', '3.11', '3.12', '3.13', '3.14']:
    python = {'python_version': version, 'python_full_version': version + '.0', 'extra': ''}
    applies = lambda required: required.marker is None or required.marker.evaluate(python)
    plain = lambda name: name.lower().replace('_', '-')
    there = {plain(required.name) for required in listed if applies(required)}
    for package in listed:
        try:
            needs = importlib.metadata.requires(package.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for needed in map(Requirement, needs):
            if applies(package) and applies(needed) and plain(needed.name) not in there:
                print(version, package.name, needed)
";

    #[tokio::test]
    async fn the_list_of_packages_is_complete_on_each_python() {
        let python = Python::set_up().await.unwrap();
        let list = folders::project().join("infrastructure/local/requirements.txt");
        let found = Command::new(python.program("python")).args(["-c", MISSING]).arg(list).output().await.unwrap();
        let told = (String::from_utf8(found.stdout).unwrap(), String::from_utf8(found.stderr).unwrap());
        assert_eq!(told, (String::new(), String::new()));
    }

    #[tokio::test]
    async fn an_error_about_python_contains_the_remedy() {
        let missing = check_version("no-such-python3").await.unwrap_err().to_string();
        assert!(missing.starts_with("no-such-python3 cannot be started"), "{missing}");
        assert!(missing.ends_with("install Python 3.10 or newer"), "{missing}");
        // A program that answers as an old Python does.
        let old = check_version("false").await.unwrap_err().to_string();
        assert_eq!(old, "false is older than 3.10: install a newer Python 3");
    }
}
