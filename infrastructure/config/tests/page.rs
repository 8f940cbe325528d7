//! The tables of the configuration page are those of the type.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::fs;
use std::path::Path;

use breaker::NUMBERS;
use deployment_file::{Effective, tables};

const BEGIN: &str = "<!-- written by UPDATE_PAGES=1 cargo test --workspace --test page -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_page_has_the_tables_of_the_type() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (committed, after) = rest.split_once(END).unwrap();
    let written = format!("\n{}\n", tables());
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, [before, BEGIN, &written, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(committed, written, "UPDATE_PAGES=1 cargo test --workspace --test page writes it");
}

#[test]
fn each_setting_has_a_row_with_its_default_and_bounds() {
    let tables = tables();
    for setting in Effective::read("a file", "", &[]).unwrap().settings {
        let row = format!("| `{}` | ", setting.key);
        let line = tables.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no {}", setting.key));
        let default = if setting.value.is_null() { "not set".to_owned() } else { format!("`{}`", setting.value) };
        assert!(line.starts_with(&format!("{row}{default} | ")), "{line}");
        assert!(line.split(" | ").all(|cell| !cell.trim_matches(['|', ' ']).is_empty()), "an empty cell: {line}");
    }
    let percent = NUMBERS.iter().find(|number| number.key == "rates.failure_percent").unwrap();
    let bounds = format!("| `0` | `10` | a whole number from {} to {} |", percent.minimum, percent.maximum);
    assert!(tables.contains(&bounds), "{tables}");
}
