//! Checks that this program accepts every command that the pages tell readers to type.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use crate::Cli;

/// Beginnings of the lines that are commands of this program.
const PREFIXES: [&str; 2] = ["cargo run", "breaker "];

/// Returns the README and every page in `infrastructure/docs`.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir("infrastructure/docs").unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.chain([PathBuf::from("README.md")]).collect()
}

/// Returns the code blocks of a page. A line that ends with a backslash is joined with the next one.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut inside = false;
    for event in pulldown_cmark::Parser::new(page) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                inside = true;
                blocks.push(String::new());
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(text) if inside => blocks.last_mut().unwrap().push_str(&text),
            _ => {}
        }
    }
    blocks.iter().map(|block| block.replace("\\\n", " ")).collect()
}

/// Returns the arguments of a command of this program, or `None` for any other line. Drops the prompt of a transcript.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    if !PREFIXES.iter().any(|prefix| line.starts_with(prefix)) {
        return None;
    }
    let words = shlex::split(line).unwrap_or_else(|| panic!("a shell cannot read this: {line}"));
    // A pipe, a redirection or a following command is not part of the arguments.
    let own = words.into_iter().take_while(|word| !["|", ">", "&&", "&"].contains(&word.as_str()));
    let own = own.skip(1).skip_while(|word| ["run", "--quiet", "--"].contains(&word.as_str()));
    Some(std::iter::once("breaker".to_owned()).chain(own).collect())
}

#[test]
fn every_command_of_the_pages_is_understood() {
    let mut wrong = Vec::new();
    let mut understood = 0;
    for path in pages() {
        for line in blocks(&fs::read_to_string(&path).unwrap()).iter().flat_map(|block| block.lines()) {
            let Some(arguments) = arguments(line) else { continue };
            match Cli::try_parse_from(&arguments) {
                Ok(_) => understood += 1,
                Err(error) => wrong.push(format!("{}: {line}: {error}", path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(understood > 30, "only {understood} commands are found in the pages");
}
