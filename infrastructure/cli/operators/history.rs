//! The command `breaker history`.

use std::process::ExitCode;

use aws_edge::stores::state::StateTable;
use clap::Args;
use jiff::Timestamp;
use operate::aws::{CloudTrail, RecordsTable};
use operate::exit::{Exit, Failure};
use operate::history::{Selection, read, verify_all};

use super::arguments::since;
use super::{Connected, Target, end, show};

/// Shows the records of transitions and commands, newest first
///
/// Reads the table's index by time, in which a record appears some moments after its write. Use --epoch for records of
/// releases from before the index.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Oldest time to show: a duration before now (2h), or a time (2026-09-10T14:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Shows only the records of this epoch
    #[arg(long, value_name = "NUMBER")]
    epoch: Option<u64>,
    /// Maximum number of entries
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    count: usize,
    /// Looks up in CloudTrail who really started each command. Needs cloudtrail:LookupEvents, two calls per second
    #[arg(long)]
    verify: bool,
    /// Prints the records as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Shows the history.
pub async fn history(args: HistoryArgs) -> ExitCode {
    let as_json = args.json;
    end(shown(&args).await, as_json)
}

async fn shown(args: &HistoryArgs) -> Result<Exit, Failure> {
    let Connected { config, deployment, .. } = args.target.connect().await?;
    let table = deployment.output("StateTableName")?;
    let states = StateTable::new(aws_sdk_dynamodb::Client::new(&config), table.to_owned());
    let records = RecordsTable::new(&config, table);
    let selection = Selection { since: args.since, epoch: args.epoch, count: args.count };
    let mut report = read(deployment.place.clone(), &states, &records, selection).await?;
    if args.verify {
        verify_all(&mut report, &CloudTrail::new(&config), Timestamp::now()).await;
    }
    show(&report, args.json, || report.lines());
    Ok(if report.verification_error.is_some() { Exit::Failed } else { Exit::Done })
}
