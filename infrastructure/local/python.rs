//! The pinned Python environment: the local AWS, the AWS CLI, the linters.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::folders;

const REQUIREMENTS: &str = include_str!("requirements.txt");

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
        let folder = folders::local().join("python");
        fs::create_dir_all(folders::local())?;
        let lock = File::create(folders::local().join("python.lock"))?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
        let python = Self { folder };
        let stamp = python.folder.join("requirements.installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
            return Ok(python);
        }
        let _ = fs::remove_dir_all(&python.folder);
        check_version().await?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&python.folder))
            .await
            .context("Python cannot make a virtual environment: on Debian, install the package python3-venv")?;
        let requirements = folders::project().join("infrastructure/local/requirements.txt");
        run(Command::new(python.program("python")).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))
            .await
            .context("the Python packages cannot be installed: the first set-up needs the Python package index")?;
        fs::write(stamp, REQUIREMENTS)?;
        drop(lock);
        Ok(python)
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

async fn check_version() -> Result<()> {
    let check = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 3)";
    match Command::new("python3").args(["-c", check]).status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("python3 is older than 3.10: install a newer Python 3"),
        Err(error) => bail!("python3 cannot be started ({error}): install Python 3.10 or newer"),
    }
}

/// Runs a command to its end; its output is shown when it fails.
///
/// # Errors
/// The command could not be started, or failed: then with what it said.
pub async fn run(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_owned();
    let program = Path::new(&program).display().to_string();
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{program} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    bail!("{program} failed ({}):\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr))
}
