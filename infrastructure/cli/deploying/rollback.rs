//! The command `breaker rollback`.

use std::process::ExitCode;

use clap::Args;
use operate::exit::Failure;
use operate::terminal::Line;

use super::arguments::{RunOptions, Target};
use super::report::{self, Deployed};
use super::talk::Terminal;
use super::{Connected, connect};
use ::deploy::ports::Talk;

/// Deploys the release before the current one: its templates, its settings and its code
///
/// The data stack stays as it is. Exit status: 0 done, 1 refused or failed, 2 wrong arguments, 3 CloudFormation goes on
/// without this command.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Leaves out the check at the end, which is that of `breaker check`
    #[arg(long, alias = "skip-canary")]
    skip_check: bool,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    target: Target,
}

/// Runs `breaker rollback`.
pub async fn rollback(args: RollbackArgs) -> ExitCode {
    let as_json = args.run.json;
    report::concluded(Box::pin(run(&args)).await, as_json)
}

async fn run(args: &RollbackArgs) -> Result<Option<Deployed>, Failure> {
    let effective = args.target.read(|text| Terminal::new(args.run.json).say(Line::from(text)))?;
    let Connected { engine, config } = connect(&args.target, &effective, args.run, !args.skip_check).await?;
    Ok(Some(Deployed { report: engine.rollback().await?, config }))
}
