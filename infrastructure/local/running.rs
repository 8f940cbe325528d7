//! The banks that this folder runs. Each runner writes its bank's address to a file in `target/local/`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use crate::folders;

/// Beginning and end of the files' names.
const PREFIX: &str = "bank-";
const SUFFIX: &str = ".address";

/// A file with a bank's address, which exists as long as this value. This process locks the file, so that the file of a
/// killed process is not taken for one of a running bank.
#[derive(Debug)]
pub struct Announced {
    _file: NamedTempFile,
}

impl Announced {
    /// Announces the bank at `address`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(address: &str) -> Result<Self> {
        Self::new_in(&folders::local(), address)
    }

    fn new_in(folder: &Path, address: &str) -> Result<Self> {
        let mut file = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)?;
        file.as_file().try_lock().context("a new file is locked already")?;
        file.write_all(address.as_bytes())?;
        Ok(Self { _file: file })
    }
}

/// Returns the address of the one bank that this folder runs.
///
/// # Errors
/// This folder runs no bank, or more than one.
pub fn address() -> Result<String> {
    let mut addresses = addresses_in(&folders::local());
    match (addresses.pop(), addresses.is_empty()) {
        (Some(address), true) => Ok(address),
        (Some(address), false) => {
            addresses.push(address);
            bail!("this folder runs several banks: choose one with --url: {}", addresses.join(", "))
        }
        (None, _) => bail!("this folder runs no bank: start one with `cargo run`, or give an address with --url"),
    }
}

fn addresses_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(PREFIX) && name.ends_with(SUFFIX)
    });
    let mut addresses: Vec<String> = files.filter_map(|entry| announced_in(&entry.path())).collect();
    addresses.sort();
    addresses
}

/// Returns the address in the file of a living process. Removes the file if its process has ended.
fn announced_in(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    if file.try_lock().is_ok() {
        // An empty file may belong to a runner that is about to lock and write it.
        if file.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            let _ = fs::remove_file(path);
        }
        return None;
    }
    fs::read_to_string(path).ok().filter(|address| !address.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_is_found_as_long_as_its_runner_lives() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bank-killed.address"), "http://127.0.0.1:3000").unwrap();
        let one = Announced::new_in(folder.path(), "http://127.0.0.1:3001").unwrap();
        let other = Announced::new_in(folder.path(), "http://127.0.0.1:3002").unwrap();
        assert_eq!(addresses_in(folder.path()), ["http://127.0.0.1:3001", "http://127.0.0.1:3002"]);
        drop(one);
        assert_eq!(addresses_in(folder.path()), ["http://127.0.0.1:3002"]);
        drop(other);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_folder_that_does_not_exist_runs_no_bank() {
        assert!(addresses_in(Path::new("/no/such/folder")).is_empty());
    }
}
