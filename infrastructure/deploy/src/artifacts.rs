//! The functions' binaries and their archives.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use deployment_file::Architecture;
use operate::exit::Failure;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

/// Number of hexadecimal digits of a content's hash that its key has.
const DIGITS: usize = 32;

/// A function's binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The function.
    pub function: &'static str,
    content: Vec<u8>,
}

impl Binary {
    /// Reads `<folder>/<function>/bootstrap` of these functions.
    ///
    /// # Errors
    /// Names the file that is missing or empty.
    pub fn read_all(folder: &Path, functions: &[&'static str]) -> Result<Vec<Self>, Failure> {
        if !folder.is_dir() {
            return Err(Failure::failed(format!("there is no folder {}", folder.display())));
        }
        let read = |function: &&'static str| {
            let path = folder.join(function).join("bootstrap");
            match fs::read(&path) {
                Ok(content) if !content.is_empty() => Ok(Self { function, content }),
                _ => Err(Failure::failed(format!("{} is missing or empty", path.display()))),
            }
        };
        functions.iter().map(read).collect()
    }

    /// Returns the key of the archive. It has a hash of the binary, so the same binary is not uploaded twice.
    #[must_use]
    pub fn key(&self) -> String {
        format!("functions/{}-{}.zip", self.function, digest(&self.content))
    }

    /// Returns the processor that the binary was built for, or `None` if the file is not ELF, such as a script.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        // The first four bytes of an ELF file are its format, the nineteenth is the machine.
        let machine = self.content.starts_with(b"\x7fELF").then(|| self.content.get(18))??;
        match machine {
            0x3e => Some(Architecture::X86_64),
            0xb7 => Some(Architecture::Arm64),
            _ => None,
        }
    }

    /// Returns the archive. The same binary gives the same bytes, because the archive's time is fixed.
    ///
    /// # Errors
    /// It cannot be packed.
    pub fn archive(&self) -> Result<Vec<u8>, Failure> {
        let pack = || {
            let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
            // The fastest level: a tenth more to upload, in a quarter of the time.
            let options = SimpleFileOptions::default()
                .compression_level(Some(1))
                .last_modified_time(DateTime::default())
                .unix_permissions(0o755);
            archive.start_file("bootstrap", options)?;
            archive.write_all(&self.content)?;
            Ok::<_, zip::result::ZipError>(archive.finish()?.into_inner())
        };
        pack().map_err(|error| Failure::failed(format!("{} cannot be packed: {error}", self.function)))
    }
}

/// Returns the processor that these binaries are built for, or `wanted` if none of them is ELF.
///
/// # Errors
/// A binary is built for another processor than `wanted` or than the other binaries. Lambda would accept it and fail at
/// the first request.
pub fn architecture(binaries: &[Binary], wanted: Option<Architecture>) -> Result<Option<Architecture>, Failure> {
    let mut expected = wanted;
    for binary in binaries {
        let Some(built) = binary.architecture() else { continue };
        match expected {
            Some(expected) if expected != built => {
                return Err(Failure::failed(format!(
                    "{} is built for {}, not for {}: give deployment.architecture the same processor, or build it again",
                    binary.function,
                    word(built),
                    word(expected)
                )));
            }
            _ => expected = Some(built),
        }
    }
    Ok(expected)
}

/// Returns the name of a processor in the deployment's file.
#[must_use]
pub const fn word(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "arm64",
        Architecture::X86_64 => "x86_64",
    }
}

/// Returns the first digits of a content's hash.
#[must_use]
pub fn digest(content: &[u8]) -> String {
    let bytes = Sha256::digest(content);
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).map(char::from).take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(function: &'static str, machine: u8) -> Binary {
        let mut content = b"\x7fELF".to_vec();
        content.resize(64, 0);
        content[18] = machine;
        Binary { function, content }
    }

    #[test]
    fn the_same_binary_is_the_same_archive() {
        let one = elf("controller", 0xb7);
        assert_eq!(one.archive().unwrap(), one.archive().unwrap());
        assert_eq!(one.key(), elf("controller", 0xb7).key());
        assert_ne!(one.key(), elf("controller", 0x3e).key());
        let mut archive = zip::ZipArchive::new(Cursor::new(one.archive().unwrap())).unwrap();
        let file = archive.by_name("bootstrap").unwrap();
        assert_eq!((file.unix_mode().map(|mode| mode & 0o777), file.size()), (Some(0o755), 64));
    }

    #[test]
    fn a_binary_says_what_it_was_built_for() {
        assert_eq!(elf("controller", 0xb7).architecture(), Some(Architecture::Arm64));
        let script = Binary { function: "controller", content: b"#!/bin/sh\n".to_vec() };
        assert_eq!(script.architecture(), None);
        let both = [script, elf("write-state", 0x3e)];
        assert_eq!(architecture(&both, None).unwrap(), Some(Architecture::X86_64));
        let refused = architecture(&both, Some(Architecture::Arm64)).unwrap_err().sentence;
        assert!(refused.starts_with("write-state is built for x86_64, not for arm64"), "{refused}");
    }

    #[test]
    fn a_missing_or_empty_binary_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("controller")).unwrap();
        fs::write(folder.path().join("controller/bootstrap"), "").unwrap();
        let refused = Binary::read_all(folder.path(), &["controller"]).unwrap_err().sentence;
        assert!(refused.ends_with("controller/bootstrap is missing or empty"), "{refused}");
        let nowhere = Binary::read_all(&folder.path().join("nowhere"), &["controller"]).unwrap_err().sentence;
        assert!(nowhere.starts_with("there is no folder"), "{nowhere}");
    }

    #[test]
    fn a_digest_is_a_hash_in_hexadecimal() {
        assert_eq!(digest(b""), "e3b0c44298fc1c149afbf4c8996fb924");
    }
}
