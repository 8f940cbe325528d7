//! `breaker rollback`.

use std::process::ExitCode;

use clap::Args;
use operate::exit::Failure;
use operate::terminal::Line;

use super::arguments::Target;
use super::report::{self, ended};
use super::talk::Terminal;
use super::{Connected, Restraint, connect};
use ::deploy::ports::Talk;

/// Deploys the release before the current one: its templates, its settings and its code
///
/// The data stack stays as it is. Exit status: 0 done, 1 refused or failed, 2 wrong arguments, 3 goes on without this
/// command.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct RollbackArgs {
    /// Shows what would change, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Asks nothing: for pipelines
    #[arg(long)]
    yes: bool,
    /// Does not try the deployment at the end
    #[arg(long)]
    skip_canary: bool,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Rolls back.
pub async fn rollback(args: RollbackArgs) -> ExitCode {
    let as_json = args.json;
    let result = Box::pin(run(&args)).await;
    ended(result, as_json)
}

async fn run(args: &RollbackArgs) -> Result<(), Failure> {
    let effective = args.target.read(|text| Terminal::new(args.json).say(Line::from(text)))?;
    let restraint = Restraint { yes: args.yes, dry_run: args.dry_run, skip_canary: args.skip_canary, json: args.json };
    let Connected { engine, config } = connect(&args.target, &effective, restraint).await?;
    report::show(&engine.rollback(&effective).await?, &config, args.json);
    Ok(())
}
