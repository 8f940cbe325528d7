//! The commands `breaker look`, `breaker force` and `breaker release`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_edge::stores::state::StateTable;
use breaker::{ForceRequest, Level, ReleaseRequest};
use clap::Args;
use jiff::Timestamp;
use operate::aws::Machine;
use operate::command::{ExpectedHold, Operator, Order, Orders};
use operate::exit::{Exit, Failure};
use operate::ports::{Confirm, Confirmation, Stacks};
use operate::terminal::Line;

use super::arguments::{hold, level, text, wait};
use super::{Connected, Target, end, show, style_of};

/// Shows what an evaluation would decide now, and the reason; changes nothing
#[derive(Debug, Args)]
pub struct LookArgs {
    #[command(flatten)]
    target: Target,
    /// Prints the whole answer as JSON
    #[arg(long)]
    json: bool,
}

// Arguments that `force` and `release` share.
#[derive(Debug, Args)]
struct Common {
    /// Reason of the command, 1 to 500 characters, kept in its record
    #[arg(long, value_name = "TEXT", value_parser = text())]
    reason: String,
    /// Name of the requester. Default: the identity of the credentials
    #[arg(long, value_name = "NAME", value_parser = text())]
    requested_by: Option<String>,
    /// Epoch that you saw. Refuses the command if the level has moved since
    #[arg(long, value_name = "NUMBER")]
    expected_epoch: Option<u64>,
    /// Hold that the command may end: the execution that set the hold, none, or any. Default: the hold that is in force
    /// when the command begins. A deployment whose release does not support expectedHold needs any
    #[arg(long, value_name = "EXECUTION", value_parser = text())]
    expected_hold: Option<String>,
    /// Only shows what would happen
    #[arg(long)]
    dry_run: bool,
    /// Does not ask for confirmation, for scripts
    #[arg(long)]
    yes: bool,
    /// Maximum time to wait for the command's record
    #[arg(long, value_name = "TIME", value_parser = wait, default_value = "60s")]
    wait: Duration,
    /// Prints the result of the command as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Sets the level, whatever the rules say
///
/// A dry run comes first and shows what would happen and whose hold would end; then the command asks. Exit status: 0
/// done, 1 refused or failed, 2 wrong arguments, 3 started with unknown outcome.
#[derive(Debug, Args)]
pub struct ForceArgs {
    /// 1 (full), 2 (degraded) or 3 (maintenance)
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Level,
    /// Time for which automation must not move the level, 1m to 72h. Without it, the command ends any hold
    #[arg(long, value_name = "TIME", value_parser = hold)]
    hold: Option<u32>,
    /// Continues after the newest record if the state is missing or corrupt
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    common: Common,
}

/// Ends a hold
///
/// A dry run comes first and shows whose hold would end; then the command asks. Exit status: 0 done, 1 refused or
/// failed, 2 wrong arguments, 3 started with unknown outcome.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    common: Common,
}

/// Runs `breaker look`.
pub async fn look(args: LookArgs) -> ExitCode {
    let result = async { carry_out(&args.target.connect().await?, &Orders::look(), args.json).await };
    end(result.await, args.json)
}

/// Forces a level.
pub async fn force(args: ForceArgs) -> ExitCode {
    let ForceArgs { level, hold, repair, common } = args;
    let order = |Claim { reason, requested_by, expected_epoch, dry_run }| {
        Order::Force(ForceRequest {
            target_level: level,
            reason,
            requested_by,
            hold_minutes: hold,
            expected_epoch,
            expected_hold: None,
            repair,
            dry_run,
        })
    };
    command(common, order).await
}

/// Ends a hold.
pub async fn release(args: ReleaseArgs) -> ExitCode {
    let order = |Claim { reason, requested_by, expected_epoch, dry_run }| {
        Order::Release(ReleaseRequest { reason, requested_by, expected_epoch, expected_hold: None, dry_run })
    };
    command(args.common, order).await
}

/// What every command that changes something claims.
struct Claim {
    reason: String,
    requested_by: String,
    expected_epoch: Option<u64>,
    dry_run: bool,
}

async fn command(common: Common, order: impl FnOnce(Claim) -> Order) -> ExitCode {
    let as_json = common.json;
    let result = async {
        let connected = common.target.connect().await?;
        let requested_by = match common.requested_by {
            Some(requested_by) => requested_by,
            None => caller(&connected).await?,
        };
        let expected_hold = match common.expected_hold.as_deref() {
            None => ExpectedHold::AsSeen,
            Some("any") => ExpectedHold::Any,
            Some(named) => ExpectedHold::Named(named.to_owned()),
        };
        let Common { reason, expected_epoch, dry_run, yes, wait, .. } = common;
        let order = order(Claim { reason, requested_by, expected_epoch, dry_run });
        let orders = Orders { order, expected_hold, yes, wait };
        carry_out(&connected, &orders, as_json).await
    };
    end(result.await, as_json)
}

async fn caller(connected: &Connected) -> Result<String, Failure> {
    let asked = connected.account.identity().await;
    asked.map(|identity| identity.arn).map_err(|error| Failure::failed(format!("{error}; give --requested-by")))
}

async fn carry_out(connected: &Connected, orders: &Orders, as_json: bool) -> Result<Exit, Failure> {
    let Connected { config, deployment, .. } = connected;
    let machine = Machine::new(config, deployment.output("StateMachineArn")?);
    let client = aws_sdk_dynamodb::Client::new(config);
    let operator = Operator {
        place: deployment.place.clone(),
        log_group: machine.log_group(),
        machine,
        records: StateTable::new(client, deployment.output("StateTableName")?.to_owned()),
        confirm: Terminal,
    };
    let report = operator.carry_out(orders).await;
    let now = Timestamp::now();
    show(&report, as_json, || report.lines(now));
    Ok(report.exit())
}

/// The operator at the terminal. Questions go to the standard error, so that the output contains only the result.
struct Terminal;

impl Confirm for Terminal {
    fn confirm(&self, lines: &[Line]) -> Confirmation {
        let mut questions = io::stderr().lock();
        let shown = style_of(questions.is_terminal()).render(lines);
        if questions.write_all(shown.as_bytes()).is_err() || !io::stdin().is_terminal() {
            return Confirmation::NotAsked;
        }
        let _ = write!(questions, "Type yes to go on: ");
        let _ = questions.flush();
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(_) if answer.trim() == "yes" => Confirmation::Yes,
            _ => Confirmation::No,
        }
    }
}
