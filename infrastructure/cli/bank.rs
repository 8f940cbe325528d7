//! The commands for the bank on this machine. Processes that a command started end with the command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use deployment_file::Override;
use local::console::Style;
use local::deployment::DeployOptions;
use local::file::Chosen;
use local::load::{self, End};
use local::python::Python;
use local::simulate::SimulateArgs;

use crate::config::{self, ConfigArgs};
use crate::render::{self, RenderArgs};
use crate::{INTERRUPTED, interrupted};

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Port of the local API
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Environment whose file is deployed instead of dev's: infrastructure/environments/NAME.toml
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    environment: Option<String>,
    /// File to deploy instead; its name without the ending is the environment's
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Value that replaces the file's in this run, for example `policy.preset=production`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
    /// Shows only the bank's address and errors
    #[arg(long)]
    quiet: bool,
    /// Shows one JSON object per line: first that the bank is ready, then each transition
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

/// Serves the bank until it is interrupted.
pub async fn serve(args: ServeArgs) -> ExitCode {
    let ServeArgs { port, environment, file, overrides, quiet, json } = args;
    let options = Chosen::new(environment.as_deref(), file.as_deref()).map(DeployOptions::from).unwrap_or_default();
    let options = overrides.into_iter().fold(options, DeployOptions::with_override);
    until_interrupted(Box::pin(local::serve::run(port, options, Style::of(quiet, json)))).await
}

/// Runs the demonstration: a full cycle of transitions.
pub async fn demo() -> ExitCode {
    until_interrupted(Box::pin(local::demo::run())).await
}

/// Sends traffic. An interruption ends the sending; the answers so far are then shown.
pub async fn traffic(options: &load::Options) -> ExitCode {
    match load::run(options, interrupted()).await {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => failed(&error),
    }
}

/// Replaces this process by the AWS CLI on the local AWS. Installs the CLI when it is first used.
pub async fn aws(arguments: &[OsString]) -> ExitCode {
    let python = match Python::with_cli().await {
        Ok(python) => python,
        Err(error) => return failed(&error),
    };
    // Replaces this process, so that the AWS CLI gets the terminal and its signals.
    let error = std::process::Command::new(python.program("aws")).args(arguments).exec();
    failed(&anyhow::Error::new(error).context("the AWS CLI cannot be started"))
}

/// Plays a scenario in simulated time.
pub async fn simulate(args: &SimulateArgs) -> ExitCode {
    let work = async { local::simulate::run(args).and_then(|text| Ok(writeln!(io::stdout(), "{text}")?)) };
    until_interrupted(work).await
}

/// Checks or shows the file of a deployment.
pub async fn config(args: &ConfigArgs) -> ExitCode {
    let work = async { config::run(args).and_then(|text| Ok(writeln!(io::stdout(), "{text}")?)) };
    until_interrupted(work).await
}

/// Renders the stacks of a deployment.
pub async fn render(args: &RenderArgs) -> ExitCode {
    let work = async { render::run(args).and_then(|text| Ok(writeln!(io::stdout(), "{text}")?)) };
    until_interrupted(work).await
}

async fn until_interrupted(work: impl Future<Output = Result<()>>) -> ExitCode {
    tokio::select! {
        result = work => match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        interrupted = interrupted() => {
            if let Err(error) = interrupted {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(INTERRUPTED)
        }
    }
}

/// Prints the error, unless the reader of the output has closed it.
fn failed(error: &anyhow::Error) -> ExitCode {
    let unread = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(unread) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
