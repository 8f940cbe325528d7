//! `breaker deploy`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::deploy::artifacts::{self, Binary};
use ::deploy::build::{CargoLambda, Programs};
use ::deploy::ports::{Builder, Ports, Talk};
use ::deploy::report::DeployReport;
use clap::Args;
use clap::builder::PossibleValuesParser;
use deployment_file::{Architecture, Effective, Origin};
use local::folders;
use operate::exit::Failure;
use operate::terminal::Line;
use stacks::FUNCTIONS;

use super::arguments::{Target, usage};
use super::report::{self, ended};
use super::talk::Terminal;
use super::{Aws, Connected, Restraint, connect};

/// Deploys what the file of an environment describes
///
/// Builds the functions or takes ready ones, uploads what is new, shows what changes in each stack, asks, changes it,
/// tries the deployment and records the release. Run it as often as you like: it changes what differs and nothing
/// else. Exit status: 0 done, 1 refused or failed, 2 wrong arguments, 3 goes on without this command.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct DeployArgs {
    /// Folder of functions that are built already, FOLDER/<name>/bootstrap; without it they are built here
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
    /// Updates one function's code; all else stays as it is
    #[arg(long, value_name = "FUNCTION", value_parser = PossibleValuesParser::new(FUNCTIONS), conflicts_with = "overrides")]
    only: Option<String>,
    /// Shows what would change: uploads no function and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Asks nothing: for pipelines
    #[arg(long)]
    yes: bool,
    /// Does not try the deployment at the end
    #[arg(long)]
    skip_canary: bool,
    /// Also writes the main stack's outputs to FILE, as one JSON object
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Deploys.
pub async fn deploy(args: DeployArgs) -> ExitCode {
    let as_json = args.json;
    let result = Box::pin(run(&args)).await;
    ended(result, as_json)
}

async fn run(args: &DeployArgs) -> Result<(), Failure> {
    if let Some(file) = &args.outputs {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(usage(format!("--outputs {}: there is no such folder", file.display())));
        }
    }
    let effective = args.target.read(|text| Terminal::new(args.json).say(Line::from(text)))?;
    // Before anything is asked of AWS.
    let functions = selection(args)?;
    let ready = args.artifacts.as_deref().map(|folder| Binary::read_all(folder, &functions)).transpose()?;
    let restraint = Restraint { yes: args.yes, dry_run: args.dry_run, skip_canary: args.skip_canary, json: args.json };
    let Connected { engine, config } = connect(&args.target, &effective, restraint).await?;
    let done = if args.only.is_some() {
        only(args, &engine, &effective, ready).await?
    } else {
        let Some(done) = whole(args, &engine, effective, ready).await? else { return Ok(()) };
        done
    };
    if let Some(file) = args.outputs.as_deref().filter(|_| !args.dry_run) {
        write_outputs(file, &done)?;
    }
    report::show(&done, &config, args.json);
    Ok(())
}

async fn whole(
    args: &DeployArgs,
    engine: &Aws,
    effective: Effective,
    ready: Option<Vec<Binary>>,
) -> Result<Option<DeployReport>, Failure> {
    // What the file does not say follows from the binaries.
    let mut effective = effective;
    if let Some(binaries) = &ready {
        let wanted = effective.file.deployment.architecture;
        let found = artifacts::architecture(binaries, is_said(&effective).then_some(wanted))?.unwrap_or(wanted);
        if found != wanted {
            effective = args.target.read_for(found)?;
        }
    }
    let architecture = effective.file.deployment.architecture;
    let Some(begun) = engine.begin(effective).await? else { return Ok(None) };
    let binaries = match ready {
        Some(binaries) => binaries,
        None => build(args, engine, architecture).await?,
    };
    engine.deploy(begun, &binaries, architecture).await.map(Some)
}

async fn only(
    args: &DeployArgs,
    engine: &Aws,
    effective: &Effective,
    ready: Option<Vec<Binary>>,
) -> Result<DeployReport, Failure> {
    let only = engine.begin_only(effective).await?;
    let deployed = only.current.architecture;
    let binaries = match ready {
        Some(binaries) => binaries,
        None => build(args, engine, deployed).await?,
    };
    artifacts::architecture(&binaries, Some(deployed))?;
    let binary = binaries.first().ok_or_else(|| usage("--only: no function is named".to_owned()))?;
    engine.only(only, binary).await
}

/// Whether file or options name the processor.
fn is_said(effective: &Effective) -> bool {
    let mut settings = effective.settings.iter();
    let found = settings.find(|setting| setting.key == "deployment.architecture");
    found.is_some_and(|setting| !matches!(setting.origin, Origin::Default))
}

fn selection(args: &DeployArgs) -> Result<Vec<&'static str>, Failure> {
    let Some(only) = &args.only else { return Ok(FUNCTIONS.to_vec()) };
    let found = FUNCTIONS.into_iter().find(|function| function == only);
    found.map(|function| vec![function]).ok_or_else(|| usage(format!("--only {only}: there is no such function")))
}

async fn build(args: &DeployArgs, engine: &Aws, architecture: Architecture) -> Result<Vec<Binary>, Failure> {
    let functions = selection(args)?;
    let name = artifacts::word(architecture);
    engine.ports().talk().say(Line::from(format!("Building the functions for {name} ...")));
    let builder = CargoLambda::new(Programs::default(), folders::project().to_owned(), folders::target());
    let folder = builder.build(&functions, architecture).await?;
    let binaries = Binary::read_all(&folder, &functions)?;
    artifacts::architecture(&binaries, Some(architecture))?;
    Ok(binaries)
}

fn write_outputs(file: &Path, done: &DeployReport) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&done.outputs).map_err(|error| Failure::failed(error.to_string()))?;
    std::fs::write(file, text + "\n").map_err(|error| {
        Failure::failed(format!("it is deployed, but --outputs {} cannot be written: {error}", file.display()))
    })
}
