//! `config`: checks and shows the file that describes a deployment.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use deployment_file::{Effective, Override};
use local::file::Chosen;

/// The file of a deployment
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reports every mistake with its line, its key and the allowed values
    Check(FileArgs),
    /// Shows every setting in force and its source
    Show {
        #[command(flatten)]
        file: FileArgs,
        /// Prints the settings as JSON
        #[arg(long)]
        json: bool,
    },
}

/// The file of a deployment, and settings that replace its values in this run.
#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// Environment whose file is read: infrastructure/environments/NAME.toml
    #[arg(long, value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
    environment: Option<String>,
    /// File to read instead
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Setting that replaces the file's in this run, for example `policy.rates.failure_percent=5`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
}

/// Runs the command and returns what it prints.
///
/// # Errors
/// Lists every mistake in the file, or the reason why it cannot be read.
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
    /// Returns the environment's name: from the option, or the file's name without its extension.
    pub fn environment_name(&self) -> String {
        self.chosen().map(|chosen| chosen.environment()).unwrap_or_default()
    }

    fn chosen(&self) -> Option<Chosen> {
        Chosen::new(self.environment.as_deref(), self.file.as_deref())
    }
}

/// Reads and checks the file. Returns its name for messages, and the settings in force.
pub fn read(args: &FileArgs) -> Result<(String, Effective)> {
    args.chosen().context("neither --environment nor --file is given")?.read(&args.overrides)
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
