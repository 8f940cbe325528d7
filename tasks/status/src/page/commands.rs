//! The commands that an operator may need now, ready to copy.

use std::borrow::Cow;

use breaker::{ForceRequest, Level, ReleaseRequest, Stored, TransitionRequest};
use maud::{Markup, html};

use crate::place::Place;
use crate::view::View;

/// Duration of the offered hold, in minutes.
const HOLD_MINUTES: u32 = 60;
/// The default project of `breaker`.
const DEFAULT_PROJECT: &str = "bank-circuit-breaker";
/// How a command asks for its reason. The text is typed at a prompt and never parsed by the shell, so it may have any
/// character. Works in sh, bash and zsh.
const ASK_WHY: &str = "printf 'Why: '; IFS= read -r WHY";
/// How a command asks for a name.
const ASK_WHO: &str = "printf 'Your name: '; IFS= read -r WHO";
/// Makes a typed text safe inside a JSON string.
const ESCAPE: &str = r#"json() { printf %s "$1" | sed 's/[\\"]/\\&/g'; }"#;

/// An operator's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Tells what an evaluation would decide.
    Look,
    /// Sets the level.
    Force { level: Level, hold: bool, repair: bool },
    /// Ends the hold.
    Release,
}

impl Command {
    /// Returns the commands that are useful now, the likeliest first.
    pub fn useful(view: &View<'_>) -> Vec<Self> {
        let broken = matches!(view.stored, Ok(Stored::Lost | Stored::Unreadable(_)));
        let level = view.level().0;
        let is_held = view.state().is_some_and(|state| state.active_hold(view.now).is_some());
        let force = |level, hold| Self::Force { level, hold, repair: broken };
        let others = Level::ALL.into_iter().filter(|to| broken || Some(*to) != level).map(|to| force(to, false));
        let held_here = level.filter(|_| !is_held && !broken).map(|level| force(level, true));
        is_held.then_some(Self::Release).into_iter().chain(others).chain(held_here).chain([Self::Look]).collect()
    }

    fn id(self) -> String {
        match self {
            Self::Look => "look".to_owned(),
            Self::Force { level, hold: true, .. } => format!("hold-{level}"),
            Self::Force { level, .. } => format!("force-{level}"),
            Self::Release => "release".to_owned(),
        }
    }

    fn title(self) -> String {
        match self {
            Self::Look => "Ask what an evaluation would do".to_owned(),
            Self::Force { level, hold: true, .. } => format!("Hold level {level} for {HOLD_MINUTES} min"),
            Self::Force { level, repair: true, .. } => format!("Repair at level {level}"),
            Self::Force { level, .. } => format!("Force level {level}, {}", level.service_type()),
            Self::Release => "Release the hold".to_owned(),
        }
    }

    /// Returns the line of the command `breaker`, which shows the result of a dry run first and asks for confirmation.
    pub fn line(self, place: &Place) -> String {
        let mut words = vec![match self {
            Self::Look => "breaker look".to_owned(),
            Self::Force { level, .. } => format!("breaker force --level {level}"),
            Self::Release => "breaker release".to_owned(),
        }];
        if let Self::Force { hold, repair, .. } = self {
            words.extend(hold.then(|| format!("--hold {HOLD_MINUTES}m")));
            words.extend(repair.then(|| "--repair".to_owned()));
        }
        let option = |name: &str, value: &str| format!("{name} {}", word(value));
        words.push(option("--environment", &place.environment));
        words.extend((place.project != DEFAULT_PROJECT).then(|| option("--project-name", &place.project)));
        words.push(option("--region", &place.region));
        words.extend(place.endpoint_url.as_deref().map(|url| option("--endpoint-url", url)));
        let words = words.join(" ");
        match self {
            Self::Look => words,
            Self::Force { .. } | Self::Release => format!("{ASK_WHY}; {words} --reason \"$WHY\""),
        }
    }

    /// Returns the line that starts the state machine without the command `breaker`: nothing is checked first. `None`
    /// for a command that changes nothing.
    pub fn raw(self, place: &Place) -> Option<String> {
        let (why, who) = (r#"'"$(json "$WHY")"'"#, r#"'"$(json "$WHO")"'"#);
        let request = match self {
            Self::Look => return None,
            Self::Force { level, hold, repair } => TransitionRequest::Force(ForceRequest {
                target_level: level,
                reason: "$WHY".to_owned(),
                requested_by: "$WHO".to_owned(),
                hold_minutes: hold.then_some(HOLD_MINUTES),
                expected_epoch: None,
                expected_hold: None,
                repair,
                dry_run: false,
            }),
            Self::Release => TransitionRequest::Release(ReleaseRequest {
                reason: "$WHY".to_owned(),
                requested_by: "$WHO".to_owned(),
                expected_epoch: None,
                expected_hold: None,
                dry_run: false,
            }),
        };
        // The fields are texts and numbers, so writing them as JSON cannot fail.
        let input = serde_json::to_string(&request).unwrap_or_default().replace("$WHY", why).replace("$WHO", who);
        let endpoint = place.endpoint_url.as_deref().map(|url| format!(" --endpoint-url {}", word(url)));
        Some(format!(
            "{ASK_WHY}; {ASK_WHO}; {ESCAPE}; [ \"$WHY\" ] && [ \"$WHO\" ] && aws stepfunctions start-execution --region \
             {}{} --state-machine-arn {} --input '{input}'",
            word(&place.region),
            endpoint.unwrap_or_default(),
            word(&place.state_machine_arn),
        ))
    }
}

/// Returns the text as one word of a shell. A text with a NUL has no such form, and no variable can have one.
fn word(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_default()
}

/// The box with the commands.
pub fn commands(view: &View<'_>) -> Markup {
    let useful = Command::useful(view);
    html! {
        section #commands data-live aria-labelledby="commands-title" {
            h2 #commands-title { "Commands" }
            fieldset {
                legend { "Each shows first what would happen, and asks before it acts." }
                @for (index, command) in useful.iter().enumerate() {
                    input type="radio" name="command" id={ "c-" (command.id()) } class={ "c" (index) } checked[index == 0];
                    label for={ "c-" (command.id()) } { (command.title()) }
                    " "
                }
                @for (index, command) in useful.iter().enumerate() {
                    (of_command(*command, index, view.place))
                }
            }
        }
    }
}

fn of_command(command: Command, index: usize, place: &Place) -> Markup {
    let id = command.id();
    let copy = |code: &str, what: &str| {
        html! {
            button id={ "copy-" (code) } type="button" hidden data-copies=(code) data-what=(what) { "Copy" }
        }
    };
    let (line, raw) = (format!("line-{id}"), format!("raw-{id}"));
    html! {
        div class={ "command c" (index) } {
            pre tabindex="0" id={ (line) "-box" } role="region" aria-label=(command.title()) { code id=(line) { (command.line(place)) } }
            (copy(&line, &command.title()))
            @if let Some(text) = command.raw(place) {
                details id={ (raw) "-box" } {
                    summary { "Without " code { "breaker" } ": starts the state machine at once and asks nothing" }
                    pre tabindex="0" id={ (raw) "-pre" } role="region" aria-label={ (command.title()) ", without breaker" } {
                        code id=(raw) { (text) }
                    }
                    (copy(&raw, &command.title()))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Output, Stdio};

    use super::*;

    /// Texts with characters that are special in a shell or in JSON.
    const WHY: &str = r#"it's down: 50 % of $calls & `more` "now" \o/ $(id)"#;
    const WHO: &str = r#"Zoë O'Hara "z" $HOME"#;

    /// Runs a command in a shell in which `aws` and `breaker` write their arguments down, each ended by a NUL. The
    /// prompts are answered by `typed`. Gives the arguments and what the shell said.
    fn run(shell: &str, command: &str, typed: &str) -> (Option<Vec<String>>, Output) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["aws", "breaker"] {
            let program = folder.path().join(name);
            fs::write(&program, "#!/bin/sh\nprintf '%s\\0' \"$@\" >\"$(dirname \"$0\")/given\"\n").unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut shell = std::process::Command::new(shell);
        shell
            .args(["-c", command])
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = shell.spawn().unwrap();
        // A command that asks nothing has ended by now, and reads nothing.
        let _ = running.stdin.take().unwrap().write_all(typed.as_bytes());
        let said = running.wait_with_output().unwrap();
        let given = fs::read_to_string(folder.path().join("given")).ok();
        (given.map(|given| given.split_terminator('\0').map(str::to_owned).collect()), said)
    }

    fn place(awkward: &str) -> Place {
        Place {
            project: format!("bank{awkward}"),
            environment: "prod".to_owned(),
            region: "eu-central-1".to_owned(),
            state_machine_arn: format!("arn:aws:states:eu-central-1:123456789012:stateMachine:bank{awkward}"),
            runbook: String::new(),
            endpoint_url: Some("http://127.0.0.1:4566".to_owned()),
        }
    }

    fn all() -> Vec<Command> {
        let force = |level, hold, repair| Command::Force { level, hold, repair };
        let forces = Level::ALL.into_iter().flat_map(|level| [force(level, false, false), force(level, true, true)]);
        forces.chain([Command::Release, Command::Look]).collect()
    }

    #[test]
    fn a_line_of_breaker_has_the_text_as_it_was_typed() {
        for shell in ["sh", "bash"] {
            for command in all() {
                let line = command.line(&place("'s $x"));
                let (given, said) = run(shell, &line, &format!("{WHY}\n"));
                let given = given.unwrap_or_else(|| panic!("{shell}: {line}: {said:?}"));
                let after = |name: &str| given.iter().skip_while(|word| *word != name).nth(1).map(String::as_str);
                assert_eq!(after("--project-name"), Some("bank's $x"));
                assert_eq!((after("--environment"), after("--region")), (Some("prod"), Some("eu-central-1")));
                let expected = if command == Command::Look { None } else { Some(WHY) };
                assert_eq!(after("--reason"), expected, "{shell}: {line}");
            }
        }
        let usual = Place { project: DEFAULT_PROJECT.to_owned(), endpoint_url: None, ..place("") };
        let force = Command::Force { level: Level::Degraded, hold: true, repair: false };
        let expected = "printf 'Why: '; IFS= read -r WHY; breaker force --level 2 --hold 60m --environment prod --region \
                        eu-central-1 --reason \"$WHY\"";
        assert_eq!(force.line(&usual), expected);
    }

    #[test]
    fn a_raw_command_is_one_that_the_state_machine_takes() {
        for shell in ["sh", "bash"] {
            for command in all() {
                let Some(line) = command.raw(&place("'s $x")) else { continue };
                let (given, said) = run(shell, &line, &format!("{WHY}\n{WHO}\n"));
                let given = given.unwrap_or_else(|| panic!("{shell}: {line}: {said:?}"));
                let after = |name: &str| given.iter().skip_while(|word| *word != name).nth(1).unwrap();
                let request = TransitionRequest::parse(serde_json::from_str(after("--input")).unwrap()).unwrap();
                let told = match &request {
                    TransitionRequest::Force(force) => (&*force.reason, &*force.requested_by),
                    TransitionRequest::Release(release) => (&*release.reason, &*release.requested_by),
                    other => panic!("{other:?}"),
                };
                assert_eq!(told, (WHY, WHO));
                assert!(after("--state-machine-arn").ends_with("bank's $x"));
            }
        }
    }

    #[test]
    fn a_raw_command_without_reason_or_name_starts_nothing() {
        for (shell, typed) in
            ["sh", "bash"].into_iter().flat_map(|shell| [(shell, "\n\n"), (shell, "why\n\n"), (shell, "\nwho\n")])
        {
            let line = Command::Release.raw(&place("")).unwrap();
            assert_eq!(run(shell, &line, typed).0, None, "{shell}: {typed:?}");
        }
    }
}
