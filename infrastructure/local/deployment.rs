//! Deploys into the local AWS with the engine that the command `breaker deploy` uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use deploy::artifacts::Binary;
use deploy::aws::{S3Bucket, parts};
use deploy::engine::{Engine, Manner};
use deploy::names::DataNames;
use deploy::ports::{Step, Talk};
use deployment_file::{Architecture, Effective, Override};
use operate::ports::Confirmation;
use operate::terminal::Line;
use stacks::{FUNCTIONS, Names};

use crate::folders;
use crate::server::REGION;

/// The account of the local AWS.
pub const ACCOUNT: &str = "000000000000";
/// Stacks change in seconds here.
const PAUSE: Duration = Duration::from_millis(100);
/// What this machine's binaries are built for.
const HOST: Architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };

/// What to deploy: the file of an environment, and what differs from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployOptions {
    /// The last part of every resource's name; its file is read, if there is one.
    environment: String,
    overrides: Vec<Override>,
}

impl Default for DeployOptions {
    fn default() -> Self {
        let options = Self { environment: "dev".to_owned(), overrides: Vec::new() };
        options.with("deployment.architecture", deploy::artifacts::word(HOST)).with("samples.fault_injection", "true")
    }
}

impl DeployOptions {
    /// Returns the options for another environment.
    #[must_use]
    pub fn in_environment(mut self, environment: &str) -> Self {
        environment.clone_into(&mut self.environment);
        self
    }

    /// Returns the options with another value of a key of the file.
    #[must_use]
    pub fn with(self, key: &str, value: &str) -> Self {
        self.with_override(Override { key: key.to_owned(), value: value.to_owned() })
    }

    /// Returns the options with an override of the file's value.
    #[must_use]
    pub fn with_override(mut self, one: Override) -> Self {
        self.overrides.push(one);
        self
    }

    /// The settings in force.
    ///
    /// # Errors
    /// Every mistake of the file and of the values that replace it.
    pub fn effective(&self) -> Result<Effective> {
        let (place, text) = environment_file(&self.environment)?;
        let mut effective = Effective::read(&place, &text.unwrap_or_default(), &self.overrides)?;
        // These name an account and a region of AWS, and this is neither.
        (effective.file.deployment.account, effective.file.deployment.region) = (None, None);
        Ok(effective)
    }

    /// The names of the deployment.
    #[must_use]
    pub fn names(&self, effective: &Effective) -> Names {
        Names { project: effective.file.deployment.project.clone(), environment: self.environment.clone() }
    }
}

/// The file of an environment: how messages name it, and its text, None if there is no such file.
///
/// # Errors
/// It is there and cannot be read, or the folder in which it could be is not there.
pub fn environment_file(environment: &str) -> Result<(String, Option<String>)> {
    let place = format!("{}/{environment}.toml", folders::ENVIRONMENTS);
    let project = folders::existing_project().with_context(|| format!("{place} cannot be read without --file FILE"))?;
    match std::fs::read_to_string(project.join(&place)) {
        Ok(text) => Ok((place, Some(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((place, None)),
        Err(error) => Err(error).with_context(|| format!("{place} cannot be read")),
    }
}

/// A deployment that is there.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its names.
    pub names: Names,
    /// `{project}-{environment}`, the dimension of its metrics.
    pub name: String,
    /// Where its API answers.
    pub api: String,
    /// The outputs of the main stack.
    outputs: BTreeMap<String, String>,
}

impl Deployment {
    /// An output of the main stack; empty if it has none of that name.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// All outputs of the main stack.
    #[must_use]
    pub const fn outputs(&self) -> &BTreeMap<String, String> {
        &self.outputs
    }
}

/// Says and asks nothing: the local AWS is the runner's own.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Talk for Quiet {
    fn say(&self, _: Line) {}

    fn step(&self, _: Step<'_>) {}

    fn confirm(&self, _: &str, _: &str) -> Confirmation {
        Confirmation::NotAsked
    }
}

/// Deploys into the AWS of `sdk`.
///
/// # Errors
/// The deployment failed: says which resource and why.
pub async fn deploy(sdk: &SdkConfig, artifacts: &Path, options: &DeployOptions) -> Result<Deployment> {
    let endpoint = sdk.endpoint_url().unwrap_or_default().to_owned();
    let effective = options.effective()?;
    let names = options.names(&effective);
    let bucket = S3Bucket::new(sdk, &names.bucket(ACCOUNT, REGION), ACCOUNT, REGION);
    // Without a check at the end: the runner shows every transition anyway, and it takes some seconds.
    let manner = Manner { yes: true, dry_run: false, check: false, pause: PAUSE };
    let engine = Engine::new(parts(sdk, bucket, Quiet), names.clone(), ACCOUNT, REGION, manner);
    let begun = Box::pin(engine.begin(effective)).await.context("the deployment failed")?;
    let begun = begun.context("the deployment ended before it began")?;
    let folder = artifacts.to_owned();
    let binaries = tokio::task::spawn_blocking(move || Binary::read_all(&folder, &FUNCTIONS)).await??;
    let report = Box::pin(engine.deploy(begun, &binaries, HOST)).await.context("the deployment failed")?;
    let api = report.outputs.get("ApiId").context("the stack has no output ApiId")?;
    let api = format!("{endpoint}/_aws/execute-api/{api}/$default");
    Ok(Deployment { name: names.to_string(), names, api, outputs: report.outputs })
}
