//! Checks `infrastructure/docs/aws-facts.md`: each row has a source, and names a file and a test that exist.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::fs;

use operate::check::Check;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

const PAGE: &str = "infrastructure/docs/aws-facts.md";
const COLUMNS: [&str; 4] = ["behaviour", "source", "code", "held by"];
/// Text that a row has instead of a test.
const FIRST_DEPLOYMENT: &str = "first deployment";
/// Command that tests such a row's behaviour on the deployed system. The row has the check's name in brackets.
const COMMAND: &str = "breaker check";
/// Beginning of the reason, if no command tests the row's behaviour.
const NOT_TRIED: &str = "No command tries it: ";

/// One cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// The cell's whole text.
    text: String,
    /// The cell's inline code.
    code: Vec<String>,
    /// The cell's emphasised text.
    emphasis: Vec<String>,
    /// The addresses of the cell's links.
    links: Vec<String>,
}

/// Returns the rows of all tables of a page, header rows included.
fn rows(page: &str) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = Cell::default();
    let mut emphasised = false;
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableCell) => cell = Cell::default(),
            Event::End(TagEnd::TableCell) => row.push(std::mem::take(&mut cell)),
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => rows.push(std::mem::take(&mut row)),
            Event::Start(Tag::Link { dest_url, .. }) => cell.links.push(dest_url.to_string()),
            Event::Start(Tag::Emphasis) => emphasised = true,
            Event::End(TagEnd::Emphasis) => emphasised = false,
            Event::Text(text) => {
                cell.text.push_str(&text);
                cell.emphasis.extend(emphasised.then(|| text.to_string()));
            }
            Event::Code(text) => {
                cell.text.push_str(&text);
                cell.code.push(text.to_string());
            }
            _ => {}
        }
    }
    rows
}

/// Whether `file` has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let functions = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(place, line)| {
        let attributes = lines[..place].iter().rev().take_while(|line| line.starts_with("#["));
        let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        functions.iter().any(|function| line.starts_with(function)) && attributes.clone().any(is_test)
    })
}

/// Returns the problems of a row.
fn problems_of(row: &[Cell]) -> Vec<String> {
    let [behaviour, source, code, held_by] = row else { return vec![format!("{} cells", row.len())] };
    let mut problems = Vec::new();
    let mut check = |holds: bool, problem: String| problems.extend((!holds).then_some(problem));
    check(!behaviour.text.is_empty(), "no behaviour".to_owned());
    let [address] = source.links.as_slice() else { return vec![format!("not one link: {}", source.text)] };
    check(address.starts_with("https://") && !source.text.trim().is_empty(), format!("no source: {address}"));
    let [file] = code.code.as_slice() else { return vec![format!("not one file: {}", code.text)] };
    check(fs::metadata(file).is_ok_and(|file| file.is_file()), format!("no file {file}"));
    match (held_by.code.as_slice(), held_by.emphasis.as_slice()) {
        (_, [words]) if words == FIRST_DEPLOYMENT => {
            let look_at = held_by.text.strip_prefix(FIRST_DEPLOYMENT).and_then(|rest| rest.strip_prefix(": "));
            if look_at.is_none_or(|text| text.trim().is_empty()) {
                return vec!["nothing to look at".to_owned()];
            }
            let is_check = Check::ALL.iter().any(|check| held_by.text.contains(&format!("({})", check.title())));
            let is_tried = held_by.code.iter().any(|code| code == COMMAND) && is_check;
            check(is_tried || held_by.text.contains(NOT_TRIED), "neither tried nor said why not".to_owned());
        }
        ([test], []) => {
            let exists = test.split_once("::").is_some_and(|(file, name)| has_test(file, name));
            check(exists, format!("no test {test}"));
        }
        _ => check(false, format!("neither a test nor a first deployment: {}", held_by.text)),
    }
    problems
}

/// Returns the problems of a page, each with the row's first cell.
fn problems(page: &str) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for row in rows(page) {
        if row.iter().map(|cell| cell.text.as_str()).eq(COLUMNS) {
            continue;
        }
        let name = row.first().map(|cell| cell.text.clone()).unwrap_or_default();
        found.extend(problems_of(&row).into_iter().map(|problem| format!("{name}: {problem}")));
        if !known.insert(name.clone()) {
            found.push(format!("{name}: twice"));
        }
    }
    found
}

#[test]
fn every_fact_has_a_source_a_file_and_a_test() {
    let page = fs::read_to_string(PAGE).unwrap();
    let count = rows(&page).len();
    assert!(count > 100, "{count} rows: the parser misses rows");
    let problems = problems(&page);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_problem_of_a_row_is_found() {
    let row = |source: &str, code: &str, held_by: &str| {
        format!(
            "| behaviour | source | code | held by |\n|---|---|---|---|\n| A limit. | {source} | {code} | {held_by} |\n"
        )
    };
    let (source, code) = ("[Page](https://docs.aws.amazon.com/)", "`tests/facts.rs`");
    let test = "`tests/facts.rs::every_problem_of_a_row_is_found`";
    assert_eq!(problems(&row(source, code, test)), [""; 0]);
    for tried in ["`breaker check` (alarm path)", "the log group. No command tries it: it takes hours"] {
        assert_eq!(problems(&row(source, code, &format!("*first deployment*: {tried}"))), [""; 0]);
    }
    for (page, problem) in [
        (row("Page", code, test), "not one link: Page"),
        (row("[Page](page.html)", code, test), "no source: page.html"),
        (row(source, "`tests/missing.rs`", test), "no file tests/missing.rs"),
        (row(source, code, "`tests/facts.rs::gone`"), "no test tests/facts.rs::gone"),
        // The file has a function of this name, but it is not a test.
        (row(source, code, "`tests/facts.rs::problems`"), "no test tests/facts.rs::problems"),
        (row(source, code, "*first deployment*"), "nothing to look at"),
        (row(source, code, "*first deployment*: the log group"), "neither tried nor said why not"),
        (row(source, code, "*first deployment*: `breaker check` (a guess)"), "neither tried nor said why not"),
        (row(source, code, "a test"), "neither a test nor a first deployment: a test"),
        (row(source, code, test).repeat(2).replace("\n| behaviour", "\n\n| behaviour"), "twice"),
    ] {
        assert_eq!(problems(&page), [format!("A limit.: {problem}")], "{page}");
    }
}
