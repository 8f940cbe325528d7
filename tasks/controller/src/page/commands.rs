//! The commands that an operator may need, ready to copy.

use std::borrow::Cow;

use breaker::{ForceRequest, Level, ReleaseRequest, TransitionRequest};
use maud::{Markup, html};

/// What each command begins with: where somebody puts in why and who.
const FILL_IN: &str = "REASON=\"\" REQUESTED_BY=\"\"";
/// How the shell takes them, and fails while they are empty: else a command that is pasted at three in the morning
/// would run as it is, and leave nobody's name in the records.
const WHY: &str = "${REASON:?say why}";
const WHO: &str = "${REQUESTED_BY:?say who you are}";
/// Minutes that the offered hold lasts.
const HOLD_MINUTES: u32 = 60;

/// Where operators' commands go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandTarget {
    /// `STATE_MACHINE_ARN`: the state machine. Without it the page cannot offer whole commands.
    pub state_machine_arn: Option<String>,
    /// `AWS_ENDPOINT_URL`: another AWS than the cloud's, such as a local one.
    pub endpoint_url: Option<String>,
}

impl CommandTarget {
    /// The command that starts the state machine with `request`.
    fn command(&self, request: &TransitionRequest) -> String {
        // Its fields are plain texts and numbers, which can always be written.
        let input = serde_json::to_string(request).unwrap_or_default();
        let arn = self.state_machine_arn.as_deref();
        let region = arn.and_then(|arn| arn.split(':').nth(3)).filter(|region| !region.is_empty());
        let option = |name: &str, value: Option<&str>| value.map(|value| format!(" --{name} {}", word(value)));
        // Out of the single quotes, in which the shell takes nothing for a variable, and back.
        let input = [WHY, WHO]
            .into_iter()
            .fold(word(&input).into_owned(), |input, open| input.replace(open, &format!("'\"{open}\"'")));
        format!(
            "{FILL_IN}; aws stepfunctions start-execution{}{} --state-machine-arn {} --input {}",
            option("region", region).unwrap_or_default(),
            option("endpoint-url", self.endpoint_url.as_deref()).unwrap_or_default(),
            arn.map_or("\"$STATE_MACHINE_ARN\"".into(), word),
            input,
        )
    }
}

/// The text as one word of a shell. One with a NUL cannot be said to a shell, and no variable has one.
fn word(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_default()
}

/// An operator's command that sets the level to `to`.
fn force(to: Level, hold_minutes: Option<u32>) -> TransitionRequest {
    TransitionRequest::Force(ForceRequest {
        target_level: to,
        reason: WHY.to_owned(),
        requested_by: WHO.to_owned(),
        hold_minutes,
        expected_epoch: None,
        expected_hold: None,
        repair: false,
        dry_run: false,
    })
}

fn release() -> TransitionRequest {
    TransitionRequest::Release(ReleaseRequest {
        reason: WHY.to_owned(),
        requested_by: WHO.to_owned(),
        expected_epoch: None,
        expected_hold: None,
        dry_run: false,
    })
}

/// The commands at `level`.
pub fn commands(target: &CommandTarget, level: Level) -> Markup {
    html! {
        section #commands data-live aria-labelledby="commands-title" {
            h2 #commands-title { "Commands" }
            p {
                "Put in why and who at the beginning, without " code { "\"" } " and " code { "\\" }
                ": both are kept in the records, and without them the shell refuses. " code { "\"dryRun\":true" }
                " in the input only tells what would happen."
            }
            @if target.state_machine_arn.is_none() {
                p {
                    strong { "The state machine is not known here: set " code { "STATE_MACHINE_ARN" } " yourself." }
                }
            }
            @for to in Level::ALL {
                (command(
                    &format!("force-{to}"),
                    &format!("Force level {to}, {}", to.service_type()),
                    &target.command(&force(to, None)),
                ))
            }
            (command(
                "hold",
                &format!("Hold level {level}, {}, for {HOLD_MINUTES} minutes", level.service_type()),
                &target.command(&force(level, Some(HOLD_MINUTES))),
            ))
            (command("release", "Release the hold", &target.command(&release())))
        }
    }
}

fn command(id: &str, what: &str, text: &str) -> Markup {
    let [title, region, code] = ["-title", "-region", ""].map(|end| format!("do-{id}{end}"));
    html! {
        div.controls {
            h3 id=(title) { (what) }
            button id={ "copy-" (id) } type="button" hidden data-copies=(code) data-what=(what)
                aria-describedby=(title) { "Copy" }
        }
        pre id=(region) tabindex="0" role="region" aria-labelledby=(title) { code id=(code) { (text) } }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Output};

    use super::*;

    /// Runs a command of the page in a shell in which `aws` writes its arguments down, each ended by a NUL. Gives
    /// what it was given and what the shell said.
    fn run(shell: &str, command: &str) -> (Option<Vec<String>>, Output) {
        let folder = tempfile::tempdir().unwrap();
        let aws = folder.path().join("aws");
        fs::write(&aws, "#!/bin/sh\nprintf '%s\\0' \"$@\" >\"$(dirname \"$0\")/given\"\n").unwrap();
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let said = Command::new(shell).args(["-c", command]).env("PATH", path).output().unwrap();
        let given = fs::read_to_string(folder.path().join("given")).ok();
        (given.map(|given| given.split_terminator('\0').map(str::to_owned).collect()), said)
    }

    fn every_command(target: &CommandTarget) -> Vec<String> {
        let level = Level::Degraded;
        let requests = Level::ALL.map(|to| force(to, None)).into_iter().chain([force(level, Some(60)), release()]);
        let offered: Vec<_> = requests.map(|request| target.command(&request)).collect();
        let page = commands(target, level).into_string();
        for command in &offered {
            assert!(page.contains(&html! { (command) }.into_string()), "{command} is not on the page");
        }
        assert_eq!(page.matches("<pre").count(), offered.len());
        offered
    }

    fn target() -> CommandTarget {
        let arn = "arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-dev";
        CommandTarget { state_machine_arn: Some(arn.to_owned()), endpoint_url: None }
    }

    #[test]
    fn a_command_names_the_machine_its_region_and_another_aws() {
        let mut target = target();
        let expected = "REASON=\"\" REQUESTED_BY=\"\"; aws stepfunctions start-execution --region eu-central-1 \
                        --state-machine-arn \
                        arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-dev \
                        --input '{\"trigger\":\"release\",\"reason\":\"'\"${REASON:?say why}\"'\",\
                        \"requestedBy\":\"'\"${REQUESTED_BY:?say who you are}\"'\"}'";
        assert_eq!(target.command(&release()), expected);
        target.endpoint_url = Some("http://127.0.0.1:4566".to_owned());
        assert!(target.command(&release()).contains(" --endpoint-url http://127.0.0.1:4566 "));
    }

    #[test]
    fn a_command_without_reason_and_name_starts_nothing() {
        for (command, shell) in every_command(&target()).iter().flat_map(|command| [(command, "sh"), (command, "bash")])
        {
            for (filled_in, missing) in [
                (command.clone(), "say why"),
                (command.replacen("REASON=\"\"", "REASON=\"a drill\"", 1), "say who you are"),
                (command.replacen("REQUESTED_BY=\"\"", "REQUESTED_BY=\"alice\"", 1), "say why"),
            ] {
                let (given, said) = run(shell, &filled_in);
                assert_eq!(given, None, "{shell}: {filled_in}");
                let complaint = String::from_utf8(said.stderr).unwrap();
                assert!(!said.status.success() && complaint.contains(missing), "{shell}: {complaint}");
            }
        }
    }

    #[test]
    fn a_completed_command_is_one_the_state_machine_takes() {
        let words = ("it's down: 50 % of $calls & more", "Zoë O'Hara");
        for command in every_command(&target()) {
            let command = command
                .replacen("REASON=\"\"", &format!("REASON=\"{}\"", words.0.replace('$', "\\$")), 1)
                .replacen("REQUESTED_BY=\"\"", &format!("REQUESTED_BY=\"{}\"", words.1), 1);
            for shell in ["sh", "bash"] {
                let (given, said) = run(shell, &command);
                let given = given.unwrap_or_else(|| panic!("{shell}: {command}: {said:?}"));
                let input = given.iter().skip_while(|word| *word != "--input").nth(1).unwrap();
                let request = TransitionRequest::parse(serde_json::from_str(input).unwrap()).unwrap();
                let told = match &request {
                    TransitionRequest::Force(force) => (&*force.reason, &*force.requested_by),
                    TransitionRequest::Release(release) => (&*release.reason, &*release.requested_by),
                    other => panic!("{other:?}"),
                };
                assert_eq!(told, words);
            }
        }
    }
}
