//! The commands that an operator may need, ready to copy.

use std::borrow::Cow;

use breaker::Level;
use maud::{Markup, html};
use serde_json::{Value, json};

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
    /// The command that starts the state machine with `input`.
    fn command(&self, input: &Value) -> String {
        let arn = self.state_machine_arn.as_deref();
        let region = arn.and_then(|arn| arn.split(':').nth(3)).filter(|region| !region.is_empty());
        let option = |name: &str, value: Option<&str>| value.map(|value| format!(" --{name} {}", word(value)));
        format!(
            "aws stepfunctions start-execution{}{} --state-machine-arn {} --input {}",
            option("region", region).unwrap_or_default(),
            option("endpoint-url", self.endpoint_url.as_deref()).unwrap_or_default(),
            arn.map_or("\"$STATE_MACHINE_ARN\"".into(), word),
            word(&input.to_string()),
        )
    }
}

/// The text as one word of a shell. One with a NUL cannot be said to a shell, and no variable has one.
fn word(text: &str) -> Cow<'_, str> {
    shlex::try_quote(text).unwrap_or_default()
}

/// The commands at `level`.
pub fn commands(target: &CommandTarget, level: Level) -> Markup {
    let who_and_why = |mut input: Value| {
        if let Some(members) = input.as_object_mut() {
            members.insert("reason".to_owned(), json!("say why"));
            members.insert("requestedBy".to_owned(), json!("your name"));
        }
        target.command(&input)
    };
    let force = |level: Level| who_and_why(json!({ "trigger": "force", "targetLevel": level }));
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
                (command(&format!("force-{to}"), &format!("Force level {to}, {}", to.service_type()), &force(to)))
            }
            (command(
                "hold",
                &format!("Hold level {level}, {}, for {HOLD_MINUTES} minutes", level.service_type()),
                &who_and_why(json!({ "trigger": "force", "targetLevel": level, "holdMinutes": HOLD_MINUTES })),
            ))
            (command("release", "Release the hold", &who_and_why(json!({ "trigger": "release" }))))
        }
    }
}

fn command(id: &str, what: &str, text: &str) -> Markup {
    let (title, code) = (format!("do-{id}-title"), format!("do-{id}"));
    html! {
        div.controls {
            h3 id=(title) { (what) }
            button id={ "copy-" (id) } type="button" hidden data-copies=(code) data-what=(what)
                aria-describedby=(title) { "Copy" }
        }
        pre tabindex="0" role="region" aria-labelledby=(title) { code id=(code) { (text) } }
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
                        --input '{\"trigger\":\"release\"}'";
        assert_eq!(target.command(&json!({ "trigger": "release" })), expected);
        target.endpoint_url = Some("http://127.0.0.1:4566".to_owned());
        assert!(target.command(&json!({})).contains(" --endpoint-url http://127.0.0.1:4566 "));
    }

    #[test]
    fn every_offered_command_is_one_that_the_state_machine_takes() {
        let page = commands(&CommandTarget::default(), Level::Degraded).into_string();
        let inputs: Vec<Value> = page
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
