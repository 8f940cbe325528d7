//! Output for a terminal: colours if it shows them, and no character that controls the terminal.

use std::ffi::OsStr;
use std::fmt::Write as _;

/// The tone of a part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Normal text.
    Plain,
    /// The most important part.
    Strong,
    /// Healthy.
    Good,
    /// A warning.
    Warning,
    /// An error.
    Bad,
    /// Less important.
    Faint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        }
    }
}

/// One line of output: parts of text, each with its tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line that begins with a label of a fixed width.
    #[must_use]
    pub fn labelled(label: &str, text: impl Into<String>) -> Self {
        Self::from(format!("{label:<12}")).and(Tone::Plain, text)
    }

    /// A line of one tone.
    #[must_use]
    pub fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self(vec![(tone, text.into())])
    }

    /// The line with more text at its end.
    #[must_use]
    pub fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// The text alone.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// The style of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether tones are shown as colours.
    pub colours: bool,
    /// Whether characters beyond ASCII are written as escapes.
    pub ascii: bool,
}

impl Style {
    /// The style for an output, which is a terminal or not, under these environment variables: no colours elsewhere
    /// than on a terminal, or if `NO_COLOR` is set; ASCII if the locale names another encoding than UTF-8.
    #[must_use]
    pub fn new(is_terminal: bool, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == OsStr::new("dumb"));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let ascii = locale.is_some_and(|locale| {
            let locale = locale.to_string_lossy().to_lowercase();
            !locale.contains("utf-8") && !locale.contains("utf8")
        });
        Self { colours: is_terminal && !dumb && set("NO_COLOR").is_none(), ascii }
    }

    /// Returns the lines as text, each with its line feed.
    #[must_use]
    pub fn render(self, lines: &[Line]) -> String {
        let mut rendered = String::new();
        for line in lines {
            for (tone, text) in &line.0 {
                let coloured = self.colours && *tone != Tone::Plain;
                if coloured {
                    rendered.extend(["\u{1b}[", tone.code(), "m"]);
                }
                text.chars().for_each(|character| self.push(&mut rendered, character));
                if coloured {
                    rendered.push_str("\u{1b}[0m");
                }
            }
            rendered.push('\n');
        }
        rendered
    }

    /// Appends a character. Records hold texts of people and other systems, so no character may control the terminal.
    fn push(self, rendered: &mut String, character: char) {
        let hides = matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if character.is_control() || hides || (self.ascii && !character.is_ascii()) {
            rendered.extend(character.escape_unicode());
        } else {
            rendered.push(character);
        }
    }
}

/// Returns a document as JSON for any terminal and any pipe: characters beyond ASCII are escaped.
#[must_use]
pub fn json(value: &impl serde::Serialize, pretty: bool) -> String {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let mut ascii = String::new();
    for character in text.unwrap_or_default().chars() {
        if character.is_ascii() && character != '\u{7f}' {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(is_terminal: bool, variables: &[(&str, &str)]) -> Style {
        Style::new(is_terminal, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn colours_are_for_terminals_alone() {
        let line = [Line::toned(Tone::Bad, "down").and(Tone::Plain, " now")];
        assert_eq!(style(true, &[]).render(&line), "\u{1b}[31mdown\u{1b}[0m now\n");
        for plain in [style(false, &[]), style(true, &[("NO_COLOR", "1")]), style(true, &[("TERM", "dumb")])] {
            assert_eq!(plain.render(&line), "down now\n");
        }
        assert!(style(true, &[("NO_COLOR", "")]).colours, "an empty NO_COLOR is not set");
    }

    #[test]
    fn a_locale_without_utf_8_gets_escapes() {
        let line = [Line::from("zurück \u{1f525}")];
        assert_eq!(style(false, &[]).render(&line), "zurück \u{1f525}\n");
        assert_eq!(style(false, &[("LC_ALL", "C")]).render(&line), "zur\\u{fc}ck \\u{1f525}\n");
        assert_eq!(style(false, &[("LANG", "de_DE.ISO-8859-1")]).render(&line), "zur\\u{fc}ck \\u{1f525}\n");
        assert!(!style(false, &[("LC_ALL", ""), ("LANG", "C.UTF-8")]).ascii);
        assert!(!style(false, &[("LC_ALL", "en_US.utf8"), ("LANG", "C")]).ascii);
    }

    #[test]
    fn no_text_steers_the_terminal() {
        let line = [Line::from("a\u{1b}[2Jb\nc\u{202e}d\r")];
        assert_eq!(style(true, &[]).render(&line), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d\\u{d}\n");
    }

    #[test]
    fn json_is_ascii_and_says_the_same() {
        let value = serde_json::json!({"reason": "zurück \u{1f525}\u{7f}"});
        let text = json(&value, false);
        assert!(text.is_ascii() && !text.contains('\u{7f}'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
