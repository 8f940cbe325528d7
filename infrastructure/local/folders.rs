//! Where things are: everything that the runner makes is below `target/local/`.

use std::path::{Path, PathBuf};

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
