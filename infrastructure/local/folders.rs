//! Where things are: everything that the runner makes is below `target/local/`.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Result, bail};
use tempfile::TempDir;

/// The folder of the files that describe deployments, in the project's folder.
pub const ENVIRONMENTS: &str = "infrastructure/environments";
/// What the names of the folders of single runs begin with.
const RUN: &str = "aws-";
/// The file in a run's folder that its runner holds locked while it lives.
const OWNED: &str = "runner.lock";

/// The project's folder: that of `cargo run`, or the one that the working folder is in, or else the one that this program
/// was built from, which may be gone.
#[must_use]
pub fn project() -> &'static Path {
    static PROJECT: LazyLock<PathBuf> = LazyLock::new(|| {
        let of_cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let working = std::env::current_dir().unwrap_or_default();
        let mut folders = of_cargo.iter().map(PathBuf::as_path).chain(working.ancestors());
        folders.find(|folder| is_project(folder)).unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR"))).to_owned()
    });
    &PROJECT
}

/// The project's folder.
///
/// # Errors
/// There is none: says from where the command is to be started.
pub fn existing_project() -> Result<&'static Path> {
    let folder = project();
    if is_project(folder) {
        return Ok(folder);
    }
    bail!(
        "the project's folder is needed, and is neither here nor at {}, where this program was built: start the command \
         in the project's folder",
        folder.display()
    )
}

fn is_project(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file() && folder.join(ENVIRONMENTS).is_dir()
}

/// The build's target folder.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), |folder| project().join(folder))
}

/// The project's command: this program, or the one that was built beside it if this is a test.
#[must_use]
pub fn program() -> PathBuf {
    let own = still_there(&std::env::current_exe().unwrap_or_default());
    match own.parent().filter(|folder| folder.ends_with("deps")).and_then(Path::parent) {
        Some(folder) => folder.join("breaker"),
        None => own,
    }
}

/// Linux marks the path of a running program whose file was replaced, as the build of the Lambdas replaces the runner's.
/// The program that is there now is the same one, built anew.
fn still_there(program: &Path) -> PathBuf {
    program.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map_or_else(|| program.to_owned(), PathBuf::from)
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
    fs::create_dir_all(local())?;
    let file = File::create(local().join(name))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

/// The folder of one run, removed with it. A runner that is killed leaves its folder behind; the next
/// one removes it.
#[derive(Debug)]
pub struct RunFolder {
    folder: TempDir,
    /// Locked as long as this process lives, however it ends.
    _owned: File,
}

impl RunFolder {
    /// Makes a folder, and removes those of dead runners.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub async fn make() -> Result<Self> {
        // So that no other runner takes a folder that is not locked yet for a dead runner's.
        let making = lock("folders.lock").await?;
        remove_leftovers(&local())?;
        let made = Self::make_in(&local())?;
        drop(making);
        Ok(made)
    }

    fn make_in(parent: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(RUN).tempdir_in(parent)?;
        let owned = File::create(folder.path().join(OWNED))?;
        owned.try_lock()?;
        Ok(Self { folder, _owned: owned })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_leftovers(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(RUN) || !entry.file_type()?.is_dir() {
            continue;
        }
        let alive = File::open(entry.path().join(OWNED)).is_ok_and(|owned| owned.try_lock().is_err());
        if !alive {
            // What cannot be removed now is removed by the next runner.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_built_anew_is_found_where_it_was() {
        assert_eq!(still_there(Path::new("/target/debug/breaker (deleted)")), Path::new("/target/debug/breaker"));
        assert_eq!(still_there(Path::new("/target/debug/breaker")), Path::new("/target/debug/breaker"));
    }

    #[test]
    fn only_a_dead_runners_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let living = RunFolder::make_in(parent.path()).unwrap();
        let dead = parent.path().join("aws-dead");
        fs::create_dir(&dead).unwrap();
        // The lock of a process that is gone is open.
        File::create(dead.join(OWNED)).unwrap();
        let other = parent.path().join("artifacts");
        fs::create_dir(&other).unwrap();

        remove_leftovers(parent.path()).unwrap();
        assert!(living.path().exists() && other.exists());
        assert!(!dead.exists());

        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
