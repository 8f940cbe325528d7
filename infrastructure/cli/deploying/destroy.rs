//! `breaker destroy`.

use std::process::ExitCode;

use clap::Args;
use operate::exit::Failure;
use operate::terminal::{Line, json};

use super::arguments::Target;
use super::report::ended;
use super::talk::Terminal;
use super::{Connected, Restraint, connect};
use crate::operators::write;
use ::deploy::ports::Talk;

/// Removes a deployment; its data stays for the next one
///
/// Removes the stacks of monitoring and of the system. The data stack (table and key) stays, and the next deployment
/// finds it. Asks for the deployment's name. Exit status: 0 done, 1 refused or failed, 2 wrong arguments, 3 goes on
/// without this command.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct DestroyArgs {
    /// Removes the data stack too: the table with all records, and the key, which goes in 30 days
    #[arg(long)]
    delete_data: bool,
    /// Shows what would be removed and what would stay, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Asks nothing: for pipelines
    #[arg(long)]
    yes: bool,
    /// Prints what was removed and what was kept as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Removes.
pub async fn destroy(args: DestroyArgs) -> ExitCode {
    let as_json = args.json;
    let result = Box::pin(run(&args)).await;
    ended(result, as_json)
}

async fn run(args: &DestroyArgs) -> Result<(), Failure> {
    let effective = args.target.read(|text| Terminal::new(args.json).say(Line::from(text)))?;
    let restraint = Restraint { yes: args.yes, dry_run: args.dry_run, skip_canary: true, json: args.json };
    let Connected { engine, .. } = connect(&args.target, &effective, restraint).await?;
    let done = engine.destroy(&effective, args.delete_data).await?;
    if args.json {
        write(&(json(&done, true) + "\n"));
    }
    Ok(())
}
