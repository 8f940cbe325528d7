//! Checks that the committed JSON Schemas of the output of `--json` are those of the types, so that scripts can rely on
//! them.
//! `UPDATE_SCHEMAS=1 cargo test --workspace --test schemas --test report_schemas --test file --test scenarios` writes
//! all schemas.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::path::Path;

use operate::check::CheckReport;
use operate::command::CommandReport;
use operate::history::HistoryReport;
use operate::status::StatusReport;
use schemars::schema_for;

#[test]
fn the_committed_schemas_are_those_of_the_reports() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, schema) in [
        ("check-report", schema_for!(CheckReport)),
        ("command-report", schema_for!(CommandReport)),
        ("status-report", schema_for!(StatusReport)),
        ("history-report", schema_for!(HistoryReport)),
    ] {
        let path = folder.join(format!("{name}.json"));
        let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, expected, "{name} differs: the head of this file has the command that writes it");
    }
}
