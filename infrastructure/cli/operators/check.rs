//! The command `breaker check`.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use operate::aws;
use operate::check::{Finding, run};
use operate::exit::{Exit, Failure};
use operate::terminal::{Line, json};

use super::arguments::wait;
use super::{Connected, Target, end, style_of, write};

/// Tests the deployed system: requests, executions, alarms, metrics and notifications; fails if one does not work
///
/// Takes up to some minutes. It sets one level alarm to ALARM and back, whose only effect is an evaluation.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Maximum time to wait for each expected result
    #[arg(long, value_name = "TIME", value_parser = wait, default_value = "2m")]
    wait: Duration,
    /// Prints the report as JSON at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Checks a deployment.
pub async fn check(args: CheckArgs) -> ExitCode {
    let as_json = args.json;
    end(checked(&args).await, as_json)
}

async fn checked(args: &CheckArgs) -> Result<Exit, Failure> {
    let Connected { config, deployment, .. } = args.target.connect().await?;
    let mut checks = aws::checks(&config, &deployment)?;
    checks.pace.patience = args.wait;
    let say = |line: Line| write(&style_of(io::stdout().is_terminal()).render(&[line]));
    let seen = |finding: &Finding| {
        if !args.json {
            say(finding.line());
        }
    };
    let report = run(&checks, deployment.place.clone(), seen).await;
    if args.json {
        write(&(json(&report, true) + "\n"));
    } else {
        say(report.summary());
    }
    Ok(report.exit())
}
