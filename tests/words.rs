//! Checks the house style: words that hide the actor or the fact, and the length of test names.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// Maximum length of a test's name in characters. A bug's history belongs in a comment.
const TEST_NAME: usize = 60;

/// Page that explains the style.
const STYLE: &str = "infrastructure/docs/contributing.md#words";

/// Refused words: a pattern, a text that it matches, and what to write instead. A space matches an underscore, too, and
/// a line break within a comment.
const REFUSED: &[(&str, &str, &str)] = &[
    (r"ma(?:kes?|king|de) (?:no|little) sense", "makes no sense", "say `invalid` and the allowed values"),
    (r"(?:nonsense|senseless)", "nonsense", "say `invalid`"),
    (r"(?:nobody|somebody|anybody|everybody|whoever)", "nobody", "name who acts, or use the passive"),
    (r"mend(?:s|ed|ing)?", "mended", "say `repair` or `fix`"),
    (r"in vain", "in vain", "say what is unnecessary"),
    (r"to the byte", "to the byte", "say `unchanged bytes`"),
    (r"st(?:ands?|anding|ood) in for", "stands in for", "say `fallback`, or `replaces`"),
    (r"rehears\w*", "rehearsal", "say `dry run`"),
    (r"in a row", "in a row", "say `consecutive`"),
    (r"a run of (?:failures|successes)", "a run of failures", "say `consecutive`"),
    (r"(?:garbage|garbled?)", "garbled", "say `corrupt`"),
    (r"may be sent twice", "may be sent twice", "say `retryable`"),
    (r"one's own", "one's own", "name the owner"),
    (r"where (?:there is|it is|that is) none", "where there is none", "say `if it is not set` or `if it is empty`"),
    (r"///? (?:the same|when|why|who|where|what|how)\.", "/// When.", "say what the item is"),
    (r"//[/!] the same ", "/// The same with ", "say what the item is"),
];

/// Files that are not read: a path's beginning and the reason.
const EXEMPT: &[(&str, &str)] = &[("tests/words.rs", "it lists the refused words")];

/// Texts that are allowed: the file, the text and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[(
    "infrastructure/docs/api.md",
    "`invalid-response` was called `nonsense` before.",
    "it names the old value of a header",
)];

/// Returns the sources, templates, scripts and pages below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|extension| {
            ["rs", "md", "yaml", "yml", "json", "toml", "sh", "py", "js", "css"].iter().any(|known| *known == extension)
        }) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the files that are checked, each with its text.
fn checked() -> impl Iterator<Item = (PathBuf, String)> {
    let folders = ["tasks", "tests", "infrastructure", "statemachines", ".ci"].map(Path::new);
    let exempt = |path: &Path| EXEMPT.iter().any(|(beginning, _)| path.to_str().unwrap().starts_with(beginning));
    let paths = folders.into_iter().flat_map(files).chain([PathBuf::from("README.md")]);
    paths.filter(move |path| !exempt(path)).map(|path| {
        let mut text = fs::read_to_string(&path).unwrap_or_default();
        for (_, allowed, _) in ALLOWED.iter().filter(|(file, _, _)| Path::new(file) == path) {
            text = text.replace(allowed, "");
        }
        (path, text)
    })
}

/// Returns the pattern with its spaces widened: they match underscores and the line breaks of comments.
fn pattern(words: &str) -> Regex {
    let boundary = if words.starts_with('/') { "" } else { r"\b" };
    let spaced = words.replace(' ', r"\s+(?:(?://[/!]?|#|>)\s*)?");
    Regex::new(&format!("(?i){boundary}{spaced}(?:\\b|$|\\s)")).unwrap()
}

/// Patterns of the refused words, each with what to write instead, built once for all files.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| REFUSED.iter().map(|(words, _, instead)| (pattern(words), *instead)).collect());

/// Returns the refused words in a text, each with its line and what to write instead.
fn refused_in(text: &str) -> Vec<String> {
    let text = text.replace('_', " ");
    let mut problems = Vec::new();
    for (pattern, instead) in PATTERNS.iter() {
        for found in pattern.find_iter(&text) {
            let line = text[..found.start()].lines().count().max(1);
            problems.push(format!("{line}: {:?}: {instead}", found.as_str()));
        }
    }
    problems
}

#[test]
fn every_pattern_matches_its_example() {
    for (words, example, _) in REFUSED {
        assert!(pattern(words).is_match(example), "{words}");
        let found = refused_in(&format!("fn a() {{\n    {example}\n}}\n"));
        assert!(found.iter().any(|problem| problem.starts_with("2: ")), "{example}: {found:?}");
    }
    assert_eq!(refused_in("// A deployment makes\n    // no sense.\nfn it_makes_no_sense() {}").len(), 2);
    assert!(refused_in("Amend the recommended row: it makes sense.").is_empty());
}

#[test]
fn words_are_plain_technical_english() {
    let mut problems = Vec::new();
    for (path, text) in checked() {
        problems.extend(refused_in(&text).into_iter().map(|problem| format!("{}:{problem}", path.display())));
    }
    assert!(problems.is_empty(), "{} places; the reasons are in {STYLE}\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn test_names_fit_in_a_line() {
    let name = Regex::new(r"\bfn (\w+)\(").unwrap();
    let mut long = Vec::new();
    for (path, text) in checked().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs")) {
        let names = name.captures_iter(&text).map(|found| found[1].to_owned());
        long.extend(names.filter(|name| name.len() > TEST_NAME).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(long.is_empty(), "longer than {TEST_NAME} characters; the reasons are in {STYLE}\n{}", long.join("\n"));
}

#[test]
fn every_exemption_is_needed() {
    for (beginning, reason) in EXEMPT {
        assert!(Path::new(beginning).exists(), "{beginning} ({reason}) is not there");
    }
    for (file, allowed, reason) in ALLOWED {
        assert!(fs::read_to_string(file).unwrap().contains(allowed), "{file}: {allowed} ({reason}) is not there");
    }
}
