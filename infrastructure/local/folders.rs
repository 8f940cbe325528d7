//! The folders of the runner. Everything that it writes is below `target/local/`.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Result, bail};
use tempfile::TempDir;

/// Folder of the files that describe deployments, below the project's folder.
pub const ENVIRONMENTS: &str = "infrastructure/environments";
/// Beginning of the names of the runs' folders.
const RUN: &str = "aws-";
/// File in a run's folder that the runner keeps locked while it lives.
const OWNED: &str = "runner.lock";

/// Returns the project's folder: that of `cargo run`, else the one that contains the working folder, else the one from
/// which this program was built, which may no longer exist.
#[must_use]
pub fn project() -> &'static Path {
    static PROJECT: LazyLock<PathBuf> = LazyLock::new(|| {
        let of_cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let working = std::env::current_dir().unwrap_or_default();
        find_project(of_cargo.as_deref(), &working).unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")))
    });
    &PROJECT
}

fn find_project(of_cargo: Option<&Path>, working: &Path) -> Option<PathBuf> {
    of_cargo.into_iter().chain(working.ancestors()).find(|folder| is_project(folder)).map(Path::to_owned)
}

/// Returns the project's folder, which exists.
///
/// # Errors
/// The folder does not exist. The error says from where to start the command.
pub fn existing_project() -> Result<&'static Path> {
    let folder = project();
    if is_project(folder) {
        return Ok(folder);
    }
    bail!(
        "the working folder is outside of the project's folder, and {}, where this command was built, no longer holds \
         the project: start it in the project's folder",
        folder.display()
    )
}

/// How messages name a file of the project: from the project's folder if the command was started in it, else in full.
#[must_use]
pub fn shown(path: &Path) -> String {
    let is_inside = std::env::current_dir().is_ok_and(|working| working.starts_with(project()));
    let relative = path.strip_prefix(project()).ok().filter(|_| is_inside);
    relative.unwrap_or(path).display().to_string()
}

fn is_project(folder: &Path) -> bool {
    folder.join(stacks::MAIN_FILE).is_file() && folder.join(ENVIRONMENTS).is_dir()
}

/// Returns the build's target folder.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), |folder| project().join(folder))
}

/// Returns the path of the project's command: this program, or the one that was built beside it if this is a test.
#[must_use]
pub fn program() -> PathBuf {
    let own = still_there(&std::env::current_exe().unwrap_or_default());
    match own.parent().filter(|folder| folder.ends_with("deps")).and_then(Path::parent) {
        Some(folder) => folder.join("breaker"),
        None => own,
    }
}

/// Returns a program's path without the mark that Linux adds if the file of the running program was replaced. The build
/// of the Lambdas replaces the runner's file with the same program, built again.
fn still_there(program: &Path) -> PathBuf {
    program.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map_or_else(|| program.to_owned(), PathBuf::from)
}

/// Returns the runner's own folder.
#[must_use]
pub fn local() -> PathBuf {
    target().join("local")
}

/// Waits until this process holds a lock in the runner's folder. Dropping the file releases the lock. The lock is
/// polled, because a thread that waits for it cannot be interrupted.
///
/// # Errors
/// The file cannot be created or locked.
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

/// The folder of one run, which is removed when this value is dropped. If a runner is killed, the next runner removes
/// its folder.
#[derive(Debug)]
pub struct RunFolder {
    folder: TempDir,
    /// The lock, which the system releases however this process ends.
    _owned: File,
}

impl RunFolder {
    /// Creates a folder, and removes those of dead runners.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub async fn make() -> Result<Self> {
        // Prevents another runner from removing the new folder before it is locked.
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

    /// Returns the folder's path.
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
            // If this fails, the next runner removes the folder.
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
    fn the_project_is_that_of_cargo_or_of_the_working_folder() {
        let parent = tempfile::tempdir().unwrap();
        let project = |name: &str| {
            let folder = parent.path().join(name);
            fs::create_dir_all(folder.join(ENVIRONMENTS)).unwrap();
            File::create(folder.join(stacks::MAIN_FILE)).unwrap();
            folder
        };
        let (one, other) = (project("one"), project("other"));
        let inside = other.join(ENVIRONMENTS);
        assert_eq!(find_project(None, &inside), Some(other.clone()));
        assert_eq!(find_project(Some(&one), &inside), Some(one));
        // A package of the project, as in the tests of a crate.
        assert_eq!(find_project(Some(&inside), &inside), Some(other));
        assert_eq!(find_project(None, parent.path()), None);
    }

    #[test]
    fn only_a_dead_runners_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let living = RunFolder::make_in(parent.path()).unwrap();
        let dead = parent.path().join("aws-dead");
        fs::create_dir(&dead).unwrap();
        // A process that has ended holds no lock.
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
