//! The command `breaker status`.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aws_edge::stores::state::StateTable;
use clap::Args;
use jiff::Timestamp;
use operate::aws::{AlarmsOf, ControllersOf, Machine};
use operate::exit::{Exit, Failure};
use operate::page;
use operate::response_times;
use operate::status::{Sources, StatusReport};
use operate::terminal::json;

use super::arguments::{text, wait};
use super::{Connected, Target, end, show, style_of, write};

/// Shows the level, the hold, the rules with their evidence, the controllers' view, alarms and newest transitions
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Refreshes the status in place at this interval
    #[arg(long, value_name = "TIME", value_parser = wait, num_args = 0..=1, default_missing_value = "5s", conflicts_with_all = ["open", "output"])]
    watch: Option<Duration>,
    /// Fetches the status page with a signature and opens it, because a browser cannot sign the request that the API
    /// requires
    #[arg(long)]
    open: bool,
    /// Fetches the status page with a signature and writes it to this file, without opening it
    #[arg(long, value_name = "FILE", conflicts_with = "open")]
    output: Option<PathBuf>,
    /// Address of the API for --open and --output, if it is not the stack's output ApiUrl
    #[arg(long, value_name = "URL", value_parser = text())]
    api_url: Option<String>,
    /// Prints the status as JSON. With --watch, one object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Shows the status.
pub async fn status(args: StatusArgs) -> ExitCode {
    let as_json = args.json;
    let result = if args.open || args.output.is_some() { opened(&args).await } else { shown(&args).await };
    end(result, as_json)
}

async fn shown(args: &StatusArgs) -> Result<Exit, Failure> {
    let Connected { config, deployment, .. } = args.target.connect().await?;
    let client = aws_sdk_dynamodb::Client::new(&config);
    let sources = Sources {
        table: StateTable::new(client, deployment.output("StateTableName")?.to_owned()),
        machine: Machine::new(&config, deployment.output("StateMachineArn")?),
        controllers: ControllersOf::new(&config, deployment.name()),
        alarms: AlarmsOf::new(&config, &deployment.project, &deployment.environment),
    };
    // Read once, also with --watch, because it is about a whole day.
    let warning = response_times::warning_of_deployed(&config, &deployment, Timestamp::now()).await;
    let read = async || {
        let report = sources.read(deployment.place.clone(), Timestamp::now()).await;
        StatusReport { warnings: warning.iter().cloned().collect(), ..report }
    };
    let Some(pause) = args.watch else {
        let report = read().await;
        show(&report, args.json, || report.lines());
        return Ok(report.exit());
    };
    if io::stdout().is_terminal() && !args.json {
        write("\u{1b}[2J");
    }
    loop {
        // A reader that has closed the output will not see another status.
        if !refresh(&read().await, args.json) {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Redraws the status in place, line by line, so that the terminal does not flicker.
fn refresh(report: &StatusReport, as_json: bool) -> bool {
    let is_terminal = io::stdout().is_terminal();
    if as_json {
        return write(&(json(report, false) + "\n"));
    }
    let text = style_of(is_terminal).render(&report.lines());
    if is_terminal {
        write(&format!("\u{1b}[H{}\u{1b}[J", text.replace('\n', "\u{1b}[K\n")))
    } else {
        write(&(text + "\n"))
    }
}

async fn opened(args: &StatusArgs) -> Result<Exit, Failure> {
    let (config, region, api) = if let Some(api) = &args.api_url {
        let (config, region) = args.target.sdk_config().await?;
        (config, region, api.clone())
    } else {
        let Connected { config, deployment, .. } = args.target.connect().await?;
        if config.endpoint_url().is_some() {
            return Err(Failure {
                exit: Exit::Usage,
                sentence: "the output ApiUrl is not valid for an endpoint other than AWS: give --api-url".to_owned(),
            });
        }
        let api = deployment.output("ApiUrl")?.to_owned();
        (config, deployment.place.region, api)
    };
    let fetched = page::fetch(&config, &region, &api).await?;
    if let Some(file) = &args.output {
        page::write(&fetched, file)?;
        write(&format!("Written to {}\n", file.display()));
        return Ok(Exit::Done);
    }
    let file = page::keep(&fetched)?;
    let said = if page::open(&file) { "Opened" } else { "No browser could be started: open" };
    write(&format!("{said} {}\n", file.display()));
    Ok(Exit::Done)
}
