//! Arguments that choose a deployment: its file, its account and its region.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use deploy::artifacts::word;
use deployment_file::{Architecture, Effective, Override};
use local::deployment::environment_file;
use operate::exit::{Exit, Failure};

use crate::operators::text;

/// An environment's name is the last part of every resource's name.
const LONGEST_ENVIRONMENT: usize = 8;

// No doc comments on the two types: they would become the help of each command that these arguments are part of.
#[derive(Clone, Copy, Debug, Args)]
pub struct RunOptions {
    /// Shows what would change; uploads no function and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask for confirmation, for pipelines
    #[arg(long)]
    pub yes: bool,
    /// Prints what was done as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Which deployment")]
pub struct Target {
    /// The environment, at most 8 characters: the last part of every resource's name. Its file is
    /// infrastructure/environments/NAME.toml; without a file every setting has its default
    #[arg(long, value_name = "NAME", value_parser = text(), required_unless_present = "file")]
    environment: Option<String>,
    /// Another file that describes the deployment; its name is the environment's, unless --environment gives one
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Value that replaces the file's in this run, for example policy.rates.failure_percent=5
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
    /// First part of every resource's name: the same as --set deployment.project=NAME
    #[arg(long, value_name = "NAME", value_parser = text())]
    project_name: Option<String>,
    /// Processor of the functions, arm64 or x86_64: the same as --set deployment.architecture=NAME
    #[arg(long, value_name = "NAME", value_parser = text())]
    architecture: Option<String>,
    /// Existing bucket for artefacts and releases; its settings stay. Without it the command creates a private one
    #[arg(long, value_name = "NAME", value_parser = text())]
    pub bucket: Option<String>,
    /// AWS region, if not that of the file, of AWS_REGION or of the profile
    #[arg(long, value_name = "NAME", value_parser = text())]
    pub region: Option<String>,
    /// Profile of your AWS configuration
    #[arg(long, value_name = "NAME", value_parser = text())]
    pub profile: Option<String>,
    /// Address of another AWS, such as a local one, if not that of AWS_ENDPOINT_URL
    #[arg(long, value_name = "URL", value_parser = text())]
    pub endpoint_url: Option<String>,
}

impl Target {
    /// The environment's name.
    pub fn environment(&self) -> Result<&str, Failure> {
        let of_file = || self.file.as_deref().and_then(Path::file_stem).and_then(std::ffi::OsStr::to_str);
        let name = self.environment.as_deref().or_else(of_file).unwrap_or_default();
        let mut characters = name.chars();
        let sound = characters.next().is_some_and(|first| first.is_ascii_lowercase())
            && name.len() <= LONGEST_ENVIRONMENT
            && characters.all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-')
            && !name.contains("--")
            && !name.ends_with('-');
        if sound {
            return Ok(name);
        }
        Err(usage(format!(
            "the environment is \"{name}\": use lower-case letters, digits and single hyphens, a letter first, at most \
             {LONGEST_ENVIRONMENT} characters"
        )))
    }

    /// Reads and checks the file. If there is no file, `say` gets a message about it.
    pub fn read(&self, say: impl FnOnce(String)) -> Result<Effective, Failure> {
        self.read_with(self.architecture.as_deref(), say)
    }

    /// Reads and checks the file for the processor that the binaries are built for.
    pub fn read_for(&self, architecture: Architecture) -> Result<Effective, Failure> {
        self.read_with(Some(word(architecture)), |_| {})
    }

    fn read_with(&self, architecture: Option<&str>, say: impl FnOnce(String)) -> Result<Effective, Failure> {
        let environment = self.environment()?;
        let (place, text) = match &self.file {
            Some(file) => {
                let place = file.display().to_string();
                let read = fs::read_to_string(file);
                (place.clone(), Some(read.map_err(|error| usage(format!("{place} cannot be read: {error}")))?))
            }
            None => environment_file(environment).map_err(|error| Failure::failed(format!("{error:#}")))?,
        };
        if text.is_none() {
            say(format!("There is no file {place}: every setting has its default."));
        } else if self.file.is_none() && Path::new(&place).is_absolute() {
            say(format!("The command was started outside of the project's folder. It reads {place}."));
        }
        let mut overrides = Vec::new();
        let mut replace = |key: &str, value: Option<&str>| {
            overrides.extend(value.map(|value| Override { key: key.to_owned(), value: value.to_owned() }));
        };
        replace("deployment.project", self.project_name.as_deref());
        replace("deployment.architecture", architecture);
        overrides.extend(self.overrides.iter().cloned());
        Effective::read(&place, &text.unwrap_or_default(), &overrides)
            .map_err(|problems| Failure::failed(format!("nothing was changed, because of these mistakes:\n{problems}")))
    }
}

/// Returns the failure for wrong arguments.
pub fn usage(sentence: String) -> Failure {
    Failure { exit: Exit::Usage, sentence }
}
