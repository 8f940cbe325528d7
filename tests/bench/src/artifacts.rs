//! Builds and packs the binaries as a deployment does.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Returns the root of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the folder of the binaries: `ready`, or that of a release build of these packages alone. With more packages
/// in one build, cargo would build the Lambdas with the features of all of them.
///
/// # Errors
/// The build failed; cargo has printed the reason.
pub fn binaries(ready: Option<&Path>, names: &[&str]) -> Result<PathBuf> {
    if let Some(folder) = ready {
        return Ok(folder.to_owned());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release"]).current_dir(workspace());
    for name in names {
        command.args(["--package", package(name), "--bin", name]);
    }
    let status = command.status().context("cargo cannot be started")?;
    if !status.success() {
        bail!("the build failed");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    Ok(target.join("release"))
}

/// Returns the size of a binary and of its deployment package, in bytes. The package has the fastest and thus lowest
/// level of compression, as in `breaker deploy`.
///
/// # Errors
/// The binary cannot be read.
pub fn sizes(path: &Path) -> Result<(usize, usize)> {
    let content = std::fs::read(path).with_context(|| format!("{} was not built", path.display()))?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("bootstrap", SimpleFileOptions::default().compression_level(Some(1)).unix_permissions(0o755))?;
    archive.write_all(&content)?;
    Ok((content.len(), archive.finish()?.into_inner().len()))
}

/// Returns the package that a binary belongs to.
fn package(binary: &str) -> &str {
    if binary.ends_with("-service") { "services" } else { binary }
}
