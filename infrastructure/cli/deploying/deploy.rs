//! The command `breaker deploy`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::deploy::artifacts::{self, Binary};
use ::deploy::build::{CargoLambda, Programs};
use ::deploy::ports::{Builder, Ports, Talk};
use ::deploy::report::DeployReport;
use aws_config::SdkConfig;
use clap::Args;
use clap::builder::PossibleValuesParser;
use deployment_file::{Architecture, Effective, Origin};
use jiff::Timestamp;
use local::folders;
use operate::exit::Failure;
use operate::response_times::warning;
use operate::terminal::Line;
use stacks::FUNCTIONS;

use super::arguments::{RunOptions, Target, usage};
use super::report::{self, Deployed};
use super::talk::Terminal;
use super::{Aws, Connected, connect};

/// Deploys what the file of an environment describes
///
/// Builds the functions or takes ready ones, uploads what is new, shows what changes in each stack, asks, changes the
/// stacks, records the release and checks it. Another run changes only what differs. Exit status: 0 done, 1 refused or
/// failed, 2 wrong arguments, 3 CloudFormation goes on without this command.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Folder of functions that are built already, FOLDER/<name>/bootstrap; without it they are built here
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
    /// Updates only the code of this function
    #[arg(long, value_name = "FUNCTION", value_parser = PossibleValuesParser::new(FUNCTIONS), conflicts_with = "overrides")]
    only: Option<String>,
    /// Leaves out the check at the end, which is that of `breaker check`
    #[arg(long, alias = "skip-canary")]
    skip_check: bool,
    /// Also writes the main stack's outputs to FILE, as one JSON object
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    target: Target,
}

/// Runs `breaker deploy`.
pub async fn deploy(args: DeployArgs) -> ExitCode {
    let as_json = args.run.json;
    report::concluded(Box::pin(run(&args)).await, as_json)
}

async fn run(args: &DeployArgs) -> Result<Option<Deployed>, Failure> {
    if let Some(file) = &args.outputs {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(usage(format!("--outputs {}: there is no such folder", file.display())));
        }
    }
    let effective = args.target.read(|text| Terminal::new(args.run.json).say(Line::from(text)))?;
    // Read before the first call to AWS, so that a missing binary fails at once.
    let functions = selection(args)?;
    let ready = args.artifacts.as_deref().map(|folder| Binary::read_all(folder, &functions)).transpose()?;
    let Connected { engine, config } = connect(&args.target, &effective, args.run, !args.skip_check).await?;
    let done = if args.only.is_some() {
        only(args, &engine, ready).await?
    } else {
        let Some(done) = Box::pin(whole(args, &engine, &config, effective, ready)).await? else { return Ok(None) };
        done
    };
    if let Some(file) = args.outputs.as_deref().filter(|_| !args.run.dry_run) {
        write_outputs(file, &done)?;
    }
    Ok(Some(Deployed { report: done, config }))
}

async fn whole(
    args: &DeployArgs,
    engine: &Aws,
    config: &SdkConfig,
    effective: Effective,
    ready: Option<Vec<Binary>>,
) -> Result<Option<DeployReport>, Failure> {
    // If the file does not name the architecture, the binaries determine it.
    let mut effective = effective;
    if let Some(binaries) = &ready {
        let wanted = effective.file.deployment.architecture;
        let found = artifacts::architecture(binaries, is_said(&effective).then_some(wanted))?.unwrap_or(wanted);
        if found != wanted {
            effective = args.target.read_for(found)?;
        }
    }
    let architecture = effective.file.deployment.architecture;
    let read_timeout = effective.read_timeout();
    let Some(begun) = engine.begin(effective).await? else { return Ok(None) };
    if let Some(read_timeout) = read_timeout
        && let Some(warning) = warning(config, &engine.place().stack, read_timeout, Timestamp::now()).await
    {
        engine.warn(&warning);
    }
    let binaries = match ready {
        Some(binaries) => binaries,
        None => build(args, engine, architecture).await?,
    };
    engine.deploy(begun, &binaries, architecture).await.map(Some)
}

async fn only(args: &DeployArgs, engine: &Aws, ready: Option<Vec<Binary>>) -> Result<DeployReport, Failure> {
    let only = engine.begin_only().await?;
    let deployed = only.current.architecture;
    let binaries = match ready {
        Some(binaries) => binaries,
        None => build(args, engine, deployed).await?,
    };
    artifacts::architecture(&binaries, Some(deployed))?;
    let binary = binaries.first().ok_or_else(|| usage("--only: no function is named".to_owned()))?;
    engine.only(only, binary).await
}

/// Returns whether the file or an option names the architecture.
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
    let project = folders::existing_project().map_err(|error| {
        Failure::failed(format!("the functions cannot be built without --artifacts FOLDER: {error}"))
    })?;
    refuse_other_templates(project)?;
    let builder = CargoLambda::new(Programs::default(), project.to_owned(), folders::target());
    let folder = builder.build(&functions, architecture).await?;
    let binaries = Binary::read_all(&folder, &functions)?;
    artifacts::architecture(&binaries, Some(architecture))?;
    Ok(binaries)
}

/// Refuses to build functions from sources that this program was not built from, because its templates would be of
/// another release than the functions.
fn refuse_other_templates(project: &Path) -> Result<(), Failure> {
    let template = std::fs::read_to_string(project.join(stacks::MAIN_FILE));
    if template.is_ok_and(|template| template == stacks::MAIN) {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "this command was built from other sources than those in {}: install it again (cargo install --path {0}), use \
         cargo run -- in that folder, or give ready functions with --artifacts",
        project.display()
    )))
}

fn write_outputs(file: &Path, done: &DeployReport) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&done.outputs).map_err(|error| Failure::failed(error.to_string()))?;
    std::fs::write(file, text + "\n").map_err(|error| {
        Failure::failed(format!("it is deployed, but --outputs {} cannot be written: {error}", file.display()))
    })
}
