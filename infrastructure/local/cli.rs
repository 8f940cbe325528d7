//! The command line.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, ConfigArgs};
use crate::console::{Errors, Style};
use crate::deployment::DeployOptions;
use crate::load::End;
use crate::simulate::SimulateArgs;
use crate::{demo, load, serve, simulate};

/// What a shell reports for a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs the bank circuit breaker on this machine: a local AWS, the real template, the real Lambdas.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Port of the local API
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// A parameter of the template that differs from its default, as Name=Value
    #[arg(long = "parameter", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Shows nothing but where the bank answers, and errors
    #[arg(long)]
    quiet: bool,
    /// Shows one JSON object a line: that the bank is ready, then each transition
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Drives a full cycle 1-2-3-2-1 and a forced recovery; fails unless every transition comes
    Demo,
    /// Sends requests to a bank that runs already, and counts the answers by level and status
    Traffic(load::Options),
    Simulate(Box<SimulateArgs>),
    Config(ConfigArgs),
}

/// Reads `Name=Value`.
pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "is not Name=Value".to_owned())
}

/// The program: runs the command until it ends or is interrupted. What was started ends with it.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    // What goes wrong in the background, of which nobody else would hear.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(Errors::default)
        .with_target(false)
        .init();
    match cli.command {
        Some(Command::Demo) => until_interrupted(Box::pin(demo::run())).await,
        // It ends by itself when it is interrupted, with what came back until then.
        Some(Command::Traffic(options)) => match load::run(&options, interrupted()).await {
            Ok(End::Done) => ExitCode::SUCCESS,
            Ok(End::Interrupted) => ExitCode::from(INTERRUPTED),
            Err(error) => failed(&error),
        },
        Some(Command::Simulate(args)) => {
            let work = async { simulate::run(&args).and_then(|text| Ok(writeln!(io::stdout(), "{text}")?)) };
            until_interrupted(work).await
        }
        Some(Command::Config(args)) => {
            let work = async { config::run(&args).and_then(|text| Ok(writeln!(io::stdout(), "{text}")?)) };
            until_interrupted(work).await
        }
        None => {
            let ServeArgs { port, parameters, quiet, json } = cli.serve;
            let options =
                parameters.iter().fold(DeployOptions::default(), |options, (name, value)| options.with(name, value));
            until_interrupted(Box::pin(serve::run(port, options, Style::of(quiet, json)))).await
        }
    }
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

/// Says what went wrong, unless it is that nobody reads the output any more.
fn failed(error: &anyhow::Error) -> ExitCode {
    let unread = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(unread) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be watched")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.context("signals cannot be watched"),
        _ = terminate.recv() => Ok(()),
    }
}
