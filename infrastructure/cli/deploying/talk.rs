//! Shows progress to the person at the terminal or in the log of a pipeline, and asks for confirmation.

use std::io::{self, IsTerminal, Write};

use deploy::ports::{Step, Talk};
use indicatif::{ProgressBar, ProgressStyle};
use operate::ports::Confirmation;
use operate::terminal::{Line, Tone};

use super::is_watched;
use crate::operators::{style_of, write};

/// Writes progress to the standard output, or to the standard error if the output is one JSON document.
#[derive(Clone, Debug)]
pub struct Terminal {
    as_json: bool,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// With `as_json` the standard output contains only the report.
    pub fn new(as_json: bool) -> Self {
        let bar = (is_watched() && !as_json).then(|| {
            let bar = ProgressBar::new_spinner();
            match ProgressStyle::with_template("{spinner} {wide_msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { as_json, bar }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            bar.reset();
        }
    }
}

impl Talk for Terminal {
    fn say(&self, line: Line) {
        self.clear();
        if self.as_json {
            let _ = io::stderr().write_all(style_of(io::stderr().is_terminal()).render(&[line]).as_bytes());
        } else {
            write(&style_of(is_watched()).render(&[line]));
        }
    }

    fn step(&self, Step { stack, done, of, event }: Step<'_>) {
        let status = event.status.as_str();
        let failed = status.ends_with("_FAILED");
        if failed || (self.bar.is_none() && status.ends_with("_COMPLETE")) {
            let tone = if failed { Tone::Bad } else { Tone::Faint };
            let reason = if event.reason.is_empty() { String::new() } else { format!(": {}", event.reason) };
            let what = format!("{}{reason}", event.resource);
            self.say(Line::toned(tone, format!("  {status:<16}")).and(Tone::Plain, what));
        }
        if let Some(bar) = &self.bar {
            let progress = if of > 0 { format!("{done} of {of}  ") } else { String::new() };
            bar.set_message(format!("{stack}  {progress}{status} {}", event.resource));
            bar.tick();
        }
    }

    fn confirm(&self, question: &str, expected: &str) -> Confirmation {
        self.clear();
        if !io::stdin().is_terminal() {
            return Confirmation::NotAsked;
        }
        let mut questions = io::stderr().lock();
        let asked = writeln!(questions, "{question}").and_then(|()| write!(questions, "Type {expected} to go on: "));
        if asked.and_then(|()| questions.flush()).is_err() {
            return Confirmation::NotAsked;
        }
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(_) if answer.trim() == expected => Confirmation::Yes,
            _ => Confirmation::No,
        }
    }
}
