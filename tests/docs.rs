//! Checks the pages: every link has a target, each page says who needs it, and the README stays short.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Maximum length of the README, in lines; everything else is a page that answers one question.
const README_LINES: usize = 200;

/// A page's anchors, links and first sentence.
#[derive(Debug, Default)]
struct Page {
    anchors: Vec<String>,
    links: Vec<String>,
    first_sentence: String,
}

/// Returns the README and every page in `infrastructure` and `infrastructure/docs`.
fn pages() -> BTreeMap<PathBuf, Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    for folder in ["infrastructure", "infrastructure/docs"] {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.into_iter().map(|path| (path.clone(), read(&fs::read_to_string(path).unwrap()))).collect()
}

fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut heading = None;
    let mut paragraph = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => page.anchors.extend(heading.take().map(|text| anchor(&text))),
            Event::Start(Tag::Paragraph) if page.first_sentence.is_empty() => paragraph = Some(String::new()),
            Event::End(TagEnd::Paragraph) => page.first_sentence.extend(paragraph.take()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.to_string());
            }
            Event::Text(text) | Event::Code(text) => {
                for part in [&mut heading, &mut paragraph].into_iter().flatten() {
                    part.push_str(&text);
                }
            }
            _ => {}
        }
    }
    page
}

/// Returns the anchor that the repository's website gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Resolves `link` relative to the folder of `page`, without `..`.
fn target(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap().to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{link} leaves the project"),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    let mut followed = 0;
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { path.clone() } else { target(path, file) };
            let known = pages.get(&file).is_some_and(|page| page.anchors.iter().any(|anchor| anchor == fragment));
            if !file.exists() || !fragment.is_empty() && !known {
                broken.push(format!("{}: {link}", path.display()));
            }
            followed += 1;
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 50, "{followed}");
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let pages = pages();
    let readme = pages.get(Path::new("README.md")).unwrap();
    let linked: Vec<_> = readme.links.iter().map(|link| target(Path::new("README.md"), link)).collect();
    let missing: Vec<_> =
        pages.keys().filter(|page| *page != Path::new("README.md") && !linked.contains(page)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_page_begins_with_who_needs_it() {
    for (path, page) in pages() {
        let begins = path == Path::new("README.md") || page.first_sentence.starts_with("For ");
        assert!(begins, "{}: {}", path.display(), page.first_sentence);
    }
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string("README.md").unwrap().lines().count();
    assert!(lines <= README_LINES, "{lines}");
}
