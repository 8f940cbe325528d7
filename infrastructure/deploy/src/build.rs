//! Builds the functions with the pinned cargo-lambda, which brings a linker for other processors.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use deployment_file::Architecture;
use operate::exit::Failure;
use tokio::process::Command;

use crate::artifacts::word;
use crate::ports::Builder;

/// cargo-lambda and its linker, pinned.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// The programs that a build starts.
#[derive(Clone, Debug)]
pub struct Programs {
    /// cargo.
    pub cargo: PathBuf,
    /// rustc.
    pub rustc: PathBuf,
    /// rustup.
    pub rustup: PathBuf,
    /// Python 3.
    pub python: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self { cargo: "cargo".into(), rustc: "rustc".into(), rustup: "rustup".into(), python: "python3".into() }
    }
}

/// Builds with cargo-lambda.
#[derive(Clone, Debug)]
pub struct CargoLambda {
    programs: Programs,
    project: PathBuf,
    target: PathBuf,
}

impl CargoLambda {
    /// Builds the sources in `project`; tools and binaries go below `target`.
    #[must_use]
    pub const fn new(programs: Programs, project: PathBuf, target: PathBuf) -> Self {
        Self { programs, project, target }
    }

    fn tools(&self) -> PathBuf {
        self.target.join("deploy-tools")
    }

    /// Adds the processor's standard library if it is not installed. Without it a cross build fails late, with errors that
    /// do not name the cause.
    async fn check_standard_library(&self, architecture: Architecture) -> Result<(), Failure> {
        let triple = match architecture {
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
            Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        };
        let asked = said(Command::new(&self.programs.rustc).args(["--print", "sysroot"])).await;
        let sysroot =
            asked.map_err(|text| Failure::failed(format!("rustc cannot be asked: {text}; see https://rustup.rs")))?;
        if Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("lib").is_dir() {
            return Ok(());
        }
        let name = word(architecture);
        let added = said(Command::new(&self.programs.rustup).args(["target", "add", triple])).await;
        added.map(drop).map_err(|text| {
            Failure::failed(format!(
                "Rust's standard library for {name} ({triple}) is not installed, and rustup cannot add it: {text}. Build \
                 for this machine's processor with --architecture, or give ready binaries with --artifacts"
            ))
        })
    }

    /// Installs the tools into a folder of their own, once.
    async fn set_up_tools(&self) -> Result<(), Failure> {
        let tools = self.tools();
        let stamp = tools.join("requirements.installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
            return Ok(());
        }
        let failed = |text: String| {
            Failure::failed(format!("cargo-lambda could not be installed (ready binaries: --artifacts): {text}"))
        };
        let _ = fs::remove_dir_all(&tools);
        fs::create_dir_all(&tools).map_err(|error| failed(error.to_string()))?;
        let wanted = tools.join("requirements.txt");
        fs::write(&wanted, REQUIREMENTS).map_err(|error| failed(error.to_string()))?;
        said(Command::new(&self.programs.python).args(["-m", "venv"]).arg(&tools)).await.map_err(failed)?;
        let mut install = Command::new(tools.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check", "-r"]);
        said(install.arg(&wanted)).await.map_err(failed)?;
        fs::write(&stamp, REQUIREMENTS).map_err(|error| failed(error.to_string()))
    }
}

impl Builder for CargoLambda {
    async fn build(&self, functions: &[&str], architecture: Architecture) -> Result<PathBuf, Failure> {
        self.check_standard_library(architecture).await?;
        self.set_up_tools().await?;
        let folder = self.target.join("lambda");
        let mut path = OsString::from(self.tools().join("bin"));
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let mut build = Command::new(&self.programs.cargo);
        build
            .args(["lambda", "build", "--release"])
            .arg(if architecture == Architecture::Arm64 { "--arm64" } else { "--x86-64" })
            .arg("--lambda-dir")
            .arg(&folder)
            .current_dir(&self.project)
            .env("PATH", path)
            .stdin(Stdio::null())
            // Shows the build's messages as they come.
            .stdout(Stdio::inherit());
        // Only these packages: in a build of all packages, cargo enables features that only the others need.
        for function in functions {
            let package = if function.ends_with("-service") { "services" } else { function };
            build.args(["--bin", function, "--package", package]);
        }
        let failed = |text: String| Failure::failed(format!("the build failed ({text}); nothing was deployed"));
        let status = build.status().await.map_err(|error| failed(format!("cargo cannot be started: {error}")))?;
        if !status.success() {
            return Err(failed(status.to_string()));
        }
        Ok(folder)
    }
}

/// Runs a command to its end. Returns its standard output, or the reason of its failure.
async fn said(command: &mut Command) -> Result<String, String> {
    let program = Path::new(command.as_std().get_program()).display().to_string();
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("{program} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{program} said: {said}"))
}
