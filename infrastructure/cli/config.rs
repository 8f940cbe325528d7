//! `config`: checks and shows the file that describes a deployment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use deployment_file::{Effective, Override};
use local::folders;

/// The file of a deployment
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reports every mistake with its line, its key and what is allowed
    Check(FileArgs),
    /// Shows every setting in force, and where it comes from
    Show {
        #[command(flatten)]
        file: FileArgs,
        /// Prints the settings as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which file, and what differs from it in this run.
#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// Environment whose file is read: infrastructure/environments/NAME.toml
    #[arg(long, value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
    environment: Option<String>,
    /// File to read instead
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Value that replaces the file's in this run, for example `policy.rates.failure_percent=5`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
}

/// Runs the command and returns what it prints.
///
/// # Errors
/// Every mistake of the file, or why it cannot be read.
pub fn run(args: &ConfigArgs) -> Result<String> {
    match &args.command {
        ConfigCommand::Check(file) => {
            let (place, _) = read(file)?;
            Ok(format!("{place}: no mistake found"))
        }
        ConfigCommand::Show { file, json } => {
            let (_, effective) = read(file)?;
            if *json { Ok(serde_json::to_string_pretty(&effective.settings)?) } else { Ok(table(&effective)) }
        }
    }
}

impl FileArgs {
    /// Returns the environment's name: that of the option, or the file's own without its ending.
    pub fn environment_name(&self) -> String {
        let of_file = || self.file.as_ref()?.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.environment.clone().or_else(of_file).unwrap_or_default()
    }
}

/// Reads and checks the file; returns its name as messages have it, and what it says.
pub fn read(args: &FileArgs) -> Result<(String, Effective)> {
    let path = match (&args.file, &args.environment) {
        (Some(file), _) => file.clone(),
        (None, Some(environment)) => {
            let project =
                folders::existing_project().context("--environment needs the folder of the files; or give --file")?;
            project.join(folders::ENVIRONMENTS).join(format!("{environment}.toml"))
        }
        (None, None) => bail!("neither --environment nor --file is given"),
    };
    let place = path.strip_prefix(folders::project()).unwrap_or(&path).display().to_string();
    let text = fs::read_to_string(&path).with_context(|| missing(&path, &place))?;
    let effective = Effective::read(&place, &text, &args.overrides)?;
    Ok((place, effective))
}

/// Names the environments that have a file, because most often the name is misspelt.
fn missing(path: &Path, place: &str) -> String {
    let files = path.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut names: Vec<_> = files
        .map(|file| file.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .filter_map(|file| file.file_stem().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    if names.is_empty() {
        return format!("{place} cannot be read");
    }
    format!("{place} cannot be read; there are files for {}", names.join(", "))
}

fn table(effective: &Effective) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["key", "value", "from"]);
    for setting in &effective.settings {
        let value = if setting.value.is_null() { "not set".to_owned() } else { setting.value.to_string() };
        table.add_row([setting.key.clone(), value, setting.origin.to_string()]);
    }
    table.to_string()
}
