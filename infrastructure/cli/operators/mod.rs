//! The operators' commands: which deployment, what is shown, and how the command ends.

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
use operate::deployment::{self, Deployment};
use operate::exit::{Exit, Failure};
use operate::terminal::{Line, Style, Tone, json};
use serde::Serialize;

pub use self::arguments::text;

pub use check::{CheckArgs, check};
pub use command::{ForceArgs, LookArgs, ReleaseArgs, force, look, release};
pub use history::{HistoryArgs, history};
pub use status::{StatusArgs, status};

// Which deployment, and as whom. Credentials come from the SDK's whole default chain: variables, profiles, SSO,
// assumed roles, web identities, processes, containers and instances. No doc comment: it would become the help of each
// command that these arguments are part of.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which deployment")]
pub struct Target {
    /// The deployment's environment, for example prod; always needed, or --stack-name
    #[arg(long, value_name = "NAME", value_parser = text(), required_unless_present = "stack_name")]
    environment: Option<String>,
    /// The deployment's project
    #[arg(long, value_name = "NAME", value_parser = text(), default_value = "bank-circuit-breaker")]
    project_name: String,
    /// Its CloudFormation stack, if that is not {project}-{environment}
    #[arg(long, value_name = "NAME", value_parser = text())]
    stack_name: Option<String>,
    /// AWS region, if not that of AWS_REGION or of the profile
    #[arg(long, value_name = "NAME", value_parser = text())]
    region: Option<String>,
    /// A profile of your AWS configuration
    #[arg(long, value_name = "NAME", value_parser = text())]
    profile: Option<String>,
    /// Another AWS, such as a local one, if not that of AWS_ENDPOINT_URL
    #[arg(long, value_name = "URL", value_parser = text())]
    endpoint_url: Option<String>,
}

/// A deployment that was found, with what its clients need.
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
        let deployment = deployment::find(&account, &stack, &region).await?;
        Ok(Connected { config, account, deployment })
    }
}

/// How an output is written.
pub fn style_of(is_terminal: bool) -> Style {
    Style::new(is_terminal, |name| std::env::var_os(name))
}

/// Writes to the standard output. A reader that has gone is no failure of the command.
pub fn write(text: &str) {
    let mut output = io::stdout().lock();
    if let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("error: the output cannot be written: {error}");
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

/// What `--json` shows of a command that could not be begun.
#[derive(Serialize)]
struct Problem<'a> {
    problem: &'a str,
}

/// Ends a command: says what went wrong, if anything did.
pub fn end(result: Result<Exit, Failure>, as_json: bool) -> ExitCode {
    let failure = match result {
        Ok(exit) => return exit.into(),
        Err(failure) => failure,
    };
    if as_json {
        write(&(json(&Problem { problem: &failure.sentence }, true) + "\n"));
    }
    // A list of mistakes has a line for each; within a line no control character reaches the terminal.
    let mut sentences = failure.sentence.lines();
    let first = Line::toned(Tone::Bad, "error").and(Tone::Plain, format!(": {}", sentences.next().unwrap_or_default()));
    let lines: Vec<_> = std::iter::once(first).chain(sentences.map(Line::from)).collect();
    let _ = io::stderr().write_all(style_of(io::stderr().is_terminal()).render(&lines).as_bytes());
    failure.exit.into()
}
