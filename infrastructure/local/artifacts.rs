//! The Lambda binaries, built and laid out as `deploy.sh` takes them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::command::run;
use crate::folders;

/// The binaries; each is one Lambda function.
pub const BINARIES: [&str; 8] = [
    "controller",
    "full-service",
    "degraded-service",
    "maintenance-service",
    "alarm-processor",
    "evaluate-thresholds",
    "write-state",
    "emit-metrics",
];

/// Builds the Lambdas and returns the folder with `<binary>/bootstrap` in it.
///
/// # Errors
/// The build failed: then with what the compiler said.
pub async fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(folders::project());
    run(&mut command).await.context("the Lambdas cannot be built")?;
    let lock = folders::lock("artifacts.lock").await?;
    let folder = folders::local().join("artifacts");
    for binary in BINARIES {
        let (from, to) = (folders::target().join("debug").join(binary), folder.join(binary).join("bootstrap"));
        let modified = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
        if modified(&to).is_none_or(|copied| modified(&from).is_none_or(|built| built > copied)) {
            fs::create_dir_all(folder.join(binary))?;
            let fresh = to.with_extension("fresh");
            fs::copy(&from, &fresh).with_context(|| format!("{} was not built", from.display()))?;
            fs::rename(&fresh, &to)?;
        }
    }
    drop(lock);
    Ok(folder)
}
