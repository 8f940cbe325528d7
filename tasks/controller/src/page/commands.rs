//! The commands that an operator may need, ready to copy.

use std::borrow::Cow;

use breaker::{ForceRequest, Level, ReleaseRequest, TransitionRequest};
use maud::{Markup, html};

/// What stands for why and who until somebody puts them in.
const WHY: &str = "say why";
const WHO: &str = "your name";
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
        format!(
            "aws stepfunctions start-execution{}{} --state-machine-arn {} --input {}",
            option("region", region).unwrap_or_default(),
            option("endpoint-url", self.endpoint_url.as_deref()).unwrap_or_default(),
            arn.map_or("\"$STATE_MACHINE_ARN\"".into(), word),
            word(&input),
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
        repair: false,
        dry_run: false,
    })
}

fn release() -> TransitionRequest {
    TransitionRequest::Release(ReleaseRequest {
        reason: WHY.to_owned(),
        requested_by: WHO.to_owned(),
        expected_epoch: None,
        dry_run: false,
    })
}

/// The commands at `level`.
pub fn commands(target: &CommandTarget, level: Level) -> Markup {
    html! {
        section #commands data-live aria-labelledby="commands-title" {
            h2 #commands-title { "Commands" }
            p {
                "Put in why and who: both are kept in the records. " code { "\"dryRun\":true" }
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
    use super::*;

    #[test]
    fn a_command_names_the_machine_its_region_and_another_aws() {
        let arn = "arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-dev";
        let mut target = CommandTarget { state_machine_arn: Some(arn.to_owned()), endpoint_url: None };
        let expected = "aws stepfunctions start-execution --region eu-central-1 --state-machine-arn \
                        arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-dev \
                        --input '{\"trigger\":\"release\",\"reason\":\"say why\",\"requestedBy\":\"your name\"}'";
        assert_eq!(target.command(&release()), expected);
        target.endpoint_url = Some("http://127.0.0.1:4566".to_owned());
        assert!(target.command(&release()).contains(" --endpoint-url http://127.0.0.1:4566 "));
    }

    #[test]
    fn every_offered_command_is_one_that_the_state_machine_takes() {
        let page = commands(&CommandTarget::default(), Level::Degraded).into_string();
        let inputs: Vec<serde_json::Value> = page
            .split("--input '")
            .skip(1)
            .map(|rest| serde_json::from_str(&rest.split('\'').next().unwrap().replace("&quot;", "\"")).unwrap())
            .collect();
        assert_eq!(inputs.len(), 5, "three levels, a hold, a release");
        for input in inputs {
            breaker::TransitionRequest::parse(input).unwrap();
        }
    }
}
