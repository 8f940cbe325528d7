//! The command `breaker`. Without a subcommand it runs the bank circuit breaker on this machine.

mod bank;
mod config;
mod deploying;
mod operators;
#[cfg(test)]
mod pages;
mod render;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use local::console::Errors;
use local::load;
use local::simulate::SimulateArgs;
use tokio::signal::unix::{SignalKind, signal};

use crate::bank::ServeArgs;
use crate::config::ConfigArgs;
use crate::deploying::{DeployArgs, DestroyArgs, RollbackArgs};
use crate::operators::{CheckArgs, ForceArgs, HistoryArgs, LookArgs, ReleaseArgs, StatusArgs};
use crate::render::RenderArgs;

/// Exit status that a shell reports for a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs the bank circuit breaker on this machine: a local AWS, the real template, the real Lambdas.
#[derive(Debug, Parser)]
#[command(name = "breaker", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Demonstrates a full cycle 1-2-3-2-1 and a forced recovery; fails if a transition does not happen
    Demo,
    /// Sends requests to a bank that is already running, and counts the answers by level and status
    Traffic(load::Options),
    Simulate(Box<SimulateArgs>),
    Config(ConfigArgs),
    Deploy(Box<DeployArgs>),
    Rollback(Box<RollbackArgs>),
    Destroy(Box<DestroyArgs>),
    Render(RenderArgs),
    Check(Box<CheckArgs>),
    Status(Box<StatusArgs>),
    Look(Box<LookArgs>),
    Force(Box<ForceArgs>),
    Release(Box<ReleaseArgs>),
    History(Box<HistoryArgs>),
    /// Runs the AWS CLI on the local AWS only, for example: breaker aws s3 ls
    #[command(disable_help_flag = true)]
    Aws {
        /// Arguments of the AWS CLI
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Prints a shell's completions for this command, for example: breaker completions bash > breaker.bash
    Completions {
        /// Name of the shell
        shell: Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Shows the errors of background tasks.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(Errors::default)
        .with_target(false)
        .init();
    match cli.command {
        Some(Command::Demo) => bank::demo().await,
        Some(Command::Traffic(options)) => bank::traffic(&options).await,
        Some(Command::Simulate(args)) => bank::simulate(&args).await,
        Some(Command::Config(args)) => bank::config(&args).await,
        Some(Command::Deploy(args)) => deploying::deploy(*args).await,
        Some(Command::Rollback(args)) => deploying::rollback(*args).await,
        Some(Command::Destroy(args)) => deploying::destroy(*args).await,
        Some(Command::Render(args)) => bank::render(&args).await,
        Some(Command::Check(args)) => operators::check(*args).await,
        Some(Command::Status(args)) => operators::status(*args).await,
        Some(Command::Look(args)) => operators::look(*args).await,
        Some(Command::Force(args)) => operators::force(*args).await,
        Some(Command::Release(args)) => operators::release(*args).await,
        Some(Command::History(args)) => operators::history(*args).await,
        Some(Command::Aws { arguments }) => bank::aws(&arguments).await,
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "breaker", &mut script);
            operators::write(&String::from_utf8_lossy(&script));
            ExitCode::SUCCESS
        }
        None => bank::serve(cli.serve).await,
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be watched")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.context("signals cannot be watched"),
        _ = terminate.recv() => Ok(()),
    }
}
