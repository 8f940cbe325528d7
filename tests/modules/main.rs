//! Checks that no crate of the workspace has an import cycle between its modules: each module can be read after those
//! that it imports.
//!
//! The rule holds for the modules of each folder: a module counts with everything below it, and what it imports from its
//! own ancestors or descendants is its own matter. A name is followed through re-exports to the module that defines it.
//! Modules for tests are left out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod cycles;
mod imports;
mod tree;
mod uses;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use cycles::cycles;
use tree::Crate;

/// Returns the name and the first file of every library, program, test and benchmark of the workspace.
fn targets() -> Vec<(String, PathBuf)> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.map(|target| (text(&target["name"]), text(&target["src_path"]).into())).collect()
}

/// Returns the cycles of a crate with these files.
fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    cycles(&Crate::read(&folder.path().join("lib.rs")))
}

#[test]
fn no_crate_has_an_import_cycle_between_its_modules() {
    let targets = targets();
    let of = |name: &str, file: &Path| {
        cycles(&Crate::read(file)).into_iter().map(|cycle| format!("{name}: {cycle}")).collect::<Vec<_>>()
    };
    let cycles: Vec<String> = targets.iter().flat_map(|(name, file)| of(name, file)).collect();
    assert!(targets.len() > 20, "{targets:#?}");
    assert!(cycles.is_empty(), "{} cycles:\n{}", cycles.len(), cycles.join("\n"));
}

#[test]
fn modules_that_import_each_other_are_a_cycle() {
    let found = cycles_of(&[
        ("lib.rs", "mod one;\nmod two;\nmod three;"),
        ("one.rs", "use crate::two::Two;\npub struct One(Two);"),
        ("two.rs", "pub struct Two;\nfn three() { super::three::three(); }"),
        ("three.rs", "pub fn three() { println!(\"{}\", crate::one::NAME); }"),
    ]);
    assert_eq!(found.len(), 1, "{found:#?}");
    for import in ["one -> two: crate::two::Two", "two -> three: super::three::three", "three -> one: crate::one::NAME"]
    {
        assert!(found[0].contains(import), "{found:#?}");
    }
}

#[test]
fn a_re_export_hides_no_cycle() {
    let names = "use crate::Role;\npub struct Names(Role);";
    let direct = "use crate::Names;\npub enum Role {}\npub fn name(names: Names) {}";
    let renamed = "use crate::facade::Called;\npub enum Role {}";
    let globbed = "use crate::all::*;\npub enum Role {}\npub fn name(names: Names) {}";
    for role in [direct, renamed, globbed] {
        let found = cycles_of(&[
            ("lib.rs", "mod all;\nmod facade;\nmod names;\nmod role;\npub use names::Names;\npub use role::Role;"),
            ("all.rs", "pub use crate::names::*;"),
            ("facade.rs", "pub use crate::Names as Called;"),
            ("names.rs", names),
            ("role.rs", role),
        ]);
        assert!(found.iter().any(|cycle| cycle.contains("names -> role")), "{role}: {found:#?}");
    }
}

#[test]
fn a_module_counts_with_everything_below_it() {
    let found = cycles_of(&[
        ("lib.rs", "mod stack;\nmod alarms { pub mod table; pub mod render { pub fn all() {} } }"),
        ("alarms/table.rs", "use crate::stack::Stack;\npub const ROWS: [Stack; 0] = [];"),
        ("stack/mod.rs", "pub struct Stack;\nfn all() { crate::alarms::render::all(); }"),
    ]);
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn ancestors_tests_and_other_crates_make_no_cycle() {
    let found = cycles_of(&[
        ("lib.rs", "mod one;\nmod two;\n#[cfg(test)]\nmod doubles;\npub const LIMIT: u32 = 1;"),
        ("one/mod.rs", "mod part;\nuse part::Part;\npub struct One(Part);"),
        ("one/part.rs", "use super::One;\nuse crate::LIMIT;\npub struct Part;\nfn one() -> Option<One> { None }"),
        ("two.rs", "use crate::one::One;\nuse two::Other;\n#[cfg(test)]\nmod tests { use crate::doubles::Double; }"),
        ("doubles.rs", "use crate::two::Two;"),
    ]);
    assert!(found.is_empty(), "{found:#?}");
}
