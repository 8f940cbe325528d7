//! Generates the sections of infrastructure/docs/roles.md that come from the evaluation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::sync::{Mutex, PoisonError};

use local::folders;

use crate::necessity::Part;
use crate::policies::Call;
use crate::services::Row;

const PATH: &str = "infrastructure/docs/roles.md";

/// Returns the section about what each action is for.
pub fn needs(needs: &[(Part, Vec<&Call>)]) -> String {
    let mut text = String::from(
        "## What each action is for\n\nA test removes one action at a time, and evaluates every call of the functions and every documented call of AWS's\nservices. The last column says which calls are denied without the action.\n\n| role or policy | statement | action | needed by |\n|---|---|---|---|\n",
    );
    for (part, calls) in needs.iter().filter(|(part, _)| part.kind == "Action") {
        let mut reasons: Vec<&str> = calls.iter().map(|call| call.why.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let action = part.value.replace('*', "\\*");
        writeln!(text, "| {} | {} | {action} | {} |", part.holder, part.sid, reasons.join("; ")).unwrap();
    }
    text
}

/// Returns the section about what AWS's services do by themselves.
pub fn services(rows: &[Row]) -> String {
    let mut text = String::from(
        "## What AWS services do by themselves\n\n| what | who | actions | condition keys | source |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let mut callers: BTreeMap<String, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
        for call in &row.calls {
            let (actions, keys) = callers.entry(call.caller.to_string()).or_default();
            actions.push(&call.action);
            keys.extend(call.context.keys().map(String::as_str).filter(|key| *key != "aws:SecureTransport"));
        }
        // Callers with the same actions and keys share a line.
        let mut lines: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for (caller, (mut actions, mut keys)) in callers {
            for names in [&mut actions, &mut keys] {
                names.sort_unstable();
                names.dedup();
            }
            lines.entry((actions.join(", "), keys.join(", "))).or_default().push(caller);
        }
        for ((actions, keys), callers) in lines {
            let line = format!("| {} | {} | {actions} | {keys} | <{}> |", row.what, callers.join(", "), row.source);
            writeln!(text, "{}", line.replace("|  |", "| |")).unwrap();
        }
    }
    text
}

/// Fails unless the page has this section. With `UPDATE_PAGES` it writes the section instead.
pub fn holds(section: &str) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = folders::project().join(PATH);
    let page = fs::read_to_string(&path).unwrap();
    let heading = section.lines().next().unwrap();
    let start = page.find(&format!("{heading}\n")).unwrap_or(page.len());
    let end = page[start..].find("\n## ").map_or(page.len(), |end| start + end + 1);
    let written = &page[start..end];
    if written.trim_end() == section.trim_end() {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_PAGES").is_some(),
        "{PATH}: {heading} is out of date: run the test with UPDATE_PAGES=1 and read it"
    );
    let rest = if end == page.len() { String::new() } else { format!("\n{}", &page[end..]) };
    fs::write(&path, format!("{}\n\n{}\n{rest}", page[..start].trim_end(), section.trim_end())).unwrap();
}
