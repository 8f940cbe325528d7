//! The command `breaker destroy`.

use std::process::ExitCode;

use clap::Args;
use operate::exit::Failure;
use operate::terminal::{Line, json};

use super::arguments::{RunOptions, Target};
use super::report::ended;
use super::talk::Terminal;
use super::{Connected, connect};
use crate::operators::write;
use ::deploy::ports::Talk;

/// Removes a deployment; its data stays for the next one
///
/// Removes the stacks of monitoring and of the system. The data stack (table and key) stays, and the next deployment
/// finds it. Asks for the deployment's name. Exit status: 0 done, 1 refused or failed, 2 wrong arguments, 3
/// CloudFormation goes on without this command.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Removes the data stack too: the table with all records, and the key, which AWS deletes after 30 days
    #[arg(long)]
    delete_data: bool,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    target: Target,
}

/// Runs `breaker destroy`.
pub async fn destroy(args: DestroyArgs) -> ExitCode {
    let as_json = args.run.json;
    let result = Box::pin(run(&args)).await;
    ended(result, as_json)
}

async fn run(args: &DestroyArgs) -> Result<(), Failure> {
    let effective = args.target.read(|text| Terminal::new(args.run.json).say(Line::from(text)))?;
    let Connected { engine, .. } = connect(&args.target, &effective, args.run, false).await?;
    let done = engine.destroy(args.delete_data).await?;
    if args.run.json {
        write(&(json(&done, true) + "\n"));
    }
    Ok(())
}
