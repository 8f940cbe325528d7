//! Where things are: everything that the runner makes is below `target/local/`.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

/// The project's folder.
#[must_use]
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The build's target folder.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), |folder| project().join(folder))
}

/// The runner's own folder.
#[must_use]
pub fn local() -> PathBuf {
    target().join("local")
}

/// Waits until this is the only holder of a lock in the runner's folder; dropping the file lets go of
/// it. Asked again and again instead of waited for, because a thread that waits cannot be interrupted.
///
/// # Errors
/// The file cannot be made or locked.
pub async fn lock(name: &str) -> Result<File> {
    std::fs::create_dir_all(local())?;
    let file = File::create(local().join(name))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}
