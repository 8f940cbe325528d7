//! The operators' commands: they find the deployment, show a report, and set the exit status.

#![expect(clippy::doc_markdown, reason = "most doc comments here are help texts, which have no markdown")]

mod arguments;
mod check;
mod command;
mod history;
mod status;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use operate::aws::{Account, Connection};
use operate::deployment::Deployment;
use operate::discovery;
use operate::exit::{Exit, Failure};
use operate::terminal::{Line, Style, Tone, json};
use serde::Serialize;

pub use self::arguments::text;

pub use check::{CheckArgs, check};
pub use command::{ForceArgs, LookArgs, ReleaseArgs, force, look, release};
pub use history::{HistoryArgs, history};
pub use status::{StatusArgs, status};

// The deployment and the credentials. Credentials come from the SDK's whole default chain: variables, profiles, SSO,
// assumed roles, web identities, processes, containers and instances. This is not a doc comment, because clap would
// show it in the help of each command that has these arguments.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which deployment")]
pub struct Target {
    /// The deployment's environment, for example prod. Required unless --stack-name is given
    #[arg(long, value_name = "NAME", value_parser = text(), required_unless_present = "stack_name")]
    environment: Option<String>,
    /// The deployment's project
    #[arg(long, value_name = "NAME", value_parser = text(), default_value = "bank-circuit-breaker")]
    project_name: String,
    /// The deployment's CloudFormation stack, if it is not {project}-{environment}
    #[arg(long, value_name = "NAME", value_parser = text())]
    stack_name: Option<String>,
    /// AWS region, if it is not that of AWS_REGION or of the profile
    #[arg(long, value_name = "NAME", value_parser = text())]
    region: Option<String>,
    /// Profile of your AWS configuration
    #[arg(long, value_name = "NAME", value_parser = text())]
    profile: Option<String>,
    /// Address of another AWS, such as a local one, if it is not that of AWS_ENDPOINT_URL
    #[arg(long, value_name = "URL", value_parser = text())]
    endpoint_url: Option<String>,
}

/// A deployment that was found, with the configuration for its clients.
struct Connected {
    config: aws_config::SdkConfig,
    account: Account,
    deployment: Deployment,
}

impl Target {
    async fn sdk_config(&self) -> Result<(aws_config::SdkConfig, String), Failure> {
        let connection = Connection {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
        };
        connection.sdk_config().await
    }

    async fn connect(&self) -> Result<Connected, Failure> {
        let (config, region) = self.sdk_config().await?;
        let account = Account::new(&config, &region);
        let environment = self.environment.as_deref().unwrap_or_default();
        let stack = self.stack_name.clone().unwrap_or_else(|| format!("{}-{environment}", self.project_name));
        let deployment = discovery::find(&account, &stack, &region).await?;
        Ok(Connected { config, account, deployment })
    }
}

/// Returns the style of an output.
pub fn style_of(is_terminal: bool) -> Style {
    Style::new(is_terminal, |name| std::env::var_os(name))
}

/// Writes to the standard output. Returns whether the output is still open: a reader that has closed it is no failure
/// of the command.
pub fn write(text: &str) -> bool {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != ErrorKind::BrokenPipe {
                eprintln!("error: the output cannot be written: {error}");
            }
            false
        }
    }
}

/// Shows a report: as JSON, or in lines.
fn show(report: &impl Serialize, as_json: bool, lines: impl FnOnce() -> Vec<Line>) {
    if as_json {
        write(&(json(report, true) + "\n"));
    } else {
        write(&style_of(io::stdout().is_terminal()).render(&lines()));
    }
}

/// The output of `--json` if a command fails before it begins.
#[derive(Serialize)]
struct Problem<'a> {
    problem: &'a str,
}

/// Ends a command: prints the error, if there is one, and returns the exit status.
pub fn end(result: Result<Exit, Failure>, as_json: bool) -> ExitCode {
    let failure = match result {
        Ok(exit) => return exit.into(),
        Err(failure) => failure,
    };
    if as_json {
        write(&(json(&Problem { problem: &failure.sentence }, true) + "\n"));
    }
    // Split into lines first: each mistake has its own line, and control characters within a line are escaped.
    let mut sentences = failure.sentence.lines();
    let first = Line::toned(Tone::Bad, "error").and(Tone::Plain, format!(": {}", sentences.next().unwrap_or_default()));
    let lines: Vec<_> = std::iter::once(first).chain(sentences.map(Line::from)).collect();
    let _ = io::stderr().write_all(style_of(io::stderr().is_terminal()).render(&lines).as_bytes());
    failure.exit.into()
}
