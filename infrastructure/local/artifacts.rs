//! Builds the Lambda binaries and lays them out as `breaker deploy` expects them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use stacks::FUNCTIONS;
use tokio::process::Command;

use crate::command::run;
use crate::folders;

/// Builds the Lambdas and returns the folder with `<binary>/bootstrap` in it.
///
/// # Errors
/// The build failed. The error contains the compiler's output.
pub async fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins", "--message-format=json"]);
    if is_test() {
        // Naming any test makes cargo resolve the dependencies' features as for tests, so that nothing is built twice.
        command.args(["--test", "binaries"]);
    } else {
        command.args(["--exclude", "bench", "--exclude", "floor"]);
    }
    command.current_dir(folders::existing_project().context("the Lambdas cannot be built")?);
    let messages = run(&mut command).await.context("the Lambdas cannot be built")?;
    let built = executables(&messages);
    let lock = folders::lock("artifacts.lock").await?;
    let folder = folders::local().join("artifacts");
    for binary in FUNCTIONS {
        let from = built.get(binary).with_context(|| format!("the workspace has no binary {binary}"))?;
        lay_out(from, &folder.join(binary)).with_context(|| format!("{binary} cannot be laid out"))?;
    }
    drop(lock);
    Ok(folder)
}

/// Name of the variable that a test sets for a runner that it starts as a process.
pub const STARTED_BY_TEST: &str = "BANK_STARTED_BY_TEST";

/// Whether this program is a test, which cargo puts into the folder `deps`, or was started by a test.
fn is_test() -> bool {
    std::env::var_os(STARTED_BY_TEST).is_some()
        || std::env::current_exe().is_ok_and(|program| program.parent().is_some_and(|folder| folder.ends_with("deps")))
}

/// One line of cargo's JSON output, with the members that are read here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Returns the paths of the built programs by name. Cargo's messages are right even if its settings change the folders.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages.filter_map(|message| Some((message.target?.name, message.executable?))).collect()
}

/// Copies a binary, unless an equal one is there already: an unchanged archive need not be uploaded again.
fn lay_out(from: &Path, folder: &Path) -> Result<()> {
    let to = folder.join("bootstrap");
    let fresh = fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
    if fs::read(&to).is_ok_and(|there| there == fresh) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    // Written under another name and renamed, because another runner may be reading the old file.
    let new = to.with_extension("fresh");
    fs::copy(from, &new)?;
    fs::rename(&new, &to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_knows_that_it_is_one() {
        assert!(is_test());
    }

    #[test]
    fn programs_are_read_from_the_paths_that_cargo_reports() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"breaker"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"controller"},"executable":"/elsewhere/controller"}"#,
            "\nno JSON\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let expected = BTreeMap::from([("controller".to_owned(), PathBuf::from("/elsewhere/controller"))]);
        assert_eq!(executables(messages), expected);
    }

    #[test]
    fn a_binary_that_differs_is_replaced_even_by_an_older_file() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("built"), folder.path().join("laid-out"));
        fs::write(&from, "older").unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(to.join("bootstrap"), "newer").unwrap();
        lay_out(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("bootstrap")).unwrap(), "older");
    }
}
