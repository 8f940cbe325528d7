//! Deploys into the local AWS with the engine that the command `breaker deploy` uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use deploy::artifacts::Binary;
use deploy::aws::{S3Bucket, parts};
use deploy::engine::{Engine, Limits, Manner};
use deploy::names::DataNames;
use deploy::ports::{Step, Talk};
use deployment_file::{Architecture, Authorization, Effective, Override, Services};
use operate::ports::Confirmation;
use operate::terminal::Line;
use stacks::{FUNCTIONS, Names};

use crate::file::Chosen;
use crate::folders;
use crate::server::REGION;

/// The account of the local AWS.
pub const ACCOUNT: &str = "000000000000";
/// Time between two reads of a stack's progress. Locally stacks change within seconds.
const PAUSE: Duration = Duration::from_millis(100);
/// Architecture that this machine's binaries are built for.
const HOST: Architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };

/// What to deploy: the file of an environment, and the settings that replace its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployOptions {
    /// Name of the environment, the last part of every resource's name. Its file is read if it exists and no other is
    /// chosen.
    environment: String,
    chosen: Option<Chosen>,
    overrides: Vec<Override>,
}

impl Default for DeployOptions {
    fn default() -> Self {
        let options = Self { environment: "dev".to_owned(), chosen: None, overrides: Vec::new() };
        options.with("deployment.architecture", deploy::artifacts::word(HOST)).with("samples.fault_injection", "true")
    }
}

impl From<Chosen> for DeployOptions {
    fn from(chosen: Chosen) -> Self {
        Self { environment: chosen.environment(), chosen: Some(chosen), ..Self::default() }
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

    /// Returns the settings in force.
    ///
    /// # Errors
    /// Lists every mistake in the file and in the values that replace its settings.
    pub fn effective(&self) -> Result<Effective> {
        let mut effective = if let Some(chosen) = &self.chosen {
            let mut effective = chosen.read(&self.overrides)?.1;
            // Callers of the bank on this machine have no credentials of AWS and no tokens.
            effective.file.api.authorization = Authorization::None;
            effective.file.api.status_authorization = Authorization::None;
            effective
        } else {
            let (place, text) = environment_file(&self.environment)?;
            Effective::read(&place, &text.unwrap_or_default(), &self.overrides)?
        };
        // Account, region and functions of the file are those of AWS, so they do not apply to the local AWS. An
        // override names a function that exists here.
        (effective.file.deployment.account, effective.file.deployment.region) = (None, None);
        if !self.overrides.iter().any(|one| one.key.starts_with("services.")) {
            effective.file.services = Services::default();
        }
        Ok(effective)
    }

    /// Returns the names of the deployment.
    #[must_use]
    pub fn names(&self, effective: &Effective) -> Names {
        Names { project: effective.file.deployment.project.clone(), environment: self.environment.clone() }
    }
}

/// Returns the name of an environment's file for messages, and its text, or `None` if the file does not exist.
///
/// # Errors
/// The file exists and cannot be read, or the project's folder does not exist.
pub fn environment_file(environment: &str) -> Result<(String, Option<String>)> {
    let file = format!("{}/{environment}.toml", folders::ENVIRONMENTS);
    let project = folders::existing_project().with_context(|| format!("{file} cannot be found without --file FILE"))?;
    let file = project.join(file);
    let place = folders::shown(&file);
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((place, Some(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((place, None)),
        Err(error) => Err(error).with_context(|| format!("{place} cannot be read")),
    }
}

/// A finished deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The names of the deployment.
    pub names: Names,
    /// `{project}-{environment}`, a dimension of the deployment's metrics.
    pub name: String,
    /// Address of the API.
    pub api: String,
    /// The outputs of the main stack.
    outputs: BTreeMap<String, String>,
}

impl Deployment {
    /// Returns an output of the main stack, or an empty text if the stack has no output of that name.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// Returns all outputs of the main stack.
    #[must_use]
    pub const fn outputs(&self) -> &BTreeMap<String, String> {
        &self.outputs
    }
}

/// An interface without output and questions, because the local AWS belongs to the runner.
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
/// The deployment failed. The error names the resource and the reason.
pub async fn deploy(sdk: &SdkConfig, artifacts: &Path, options: &DeployOptions) -> Result<Deployment> {
    let endpoint = sdk.endpoint_url().unwrap_or_default().to_owned();
    let effective = options.effective()?;
    let names = options.names(&effective);
    let bucket = S3Bucket::new(sdk, &names.bucket(ACCOUNT, REGION), ACCOUNT, REGION);
    // Without the check at the end, which takes some seconds: the runner shows every transition anyway.
    // The local AWS has no throttle, and its limit is no account's.
    let manner = Manner { yes: true, dry_run: false, check: false, limits: Limits::AsInFile, pause: PAUSE };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings that name resources on AWS are replaced; all others are as in the file.
    #[test]
    fn a_chosen_file_is_deployed_without_what_only_aws_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pilot.toml");
        let text = "[deployment]\nregion = \"eu-west-1\"\naccount = \"111122223333\"\n[policy]\npreset = \"production\"\n\
                    [services]\nfull = \"arn:aws:lambda:us-east-1:111122223333:function:own\"";
        std::fs::write(&path, text).unwrap();
        let options = DeployOptions::from(Chosen::File(path)).with("policy.mode", "observe-only");
        let effective = options.effective().unwrap();
        assert_eq!(options.names(&effective).environment, "pilot");
        assert_eq!(effective.policy.settings().preset, breaker::Preset::Production);
        assert!(effective.policy.observes_only() && effective.file.samples.fault_injection);
        let (deployment, api) = (&effective.file.deployment, &effective.file.api);
        assert_eq!((&deployment.region, &deployment.account), (&None, &None));
        assert_eq!((api.authorization, api.status_authorization), (Authorization::None, Authorization::None));
        assert_eq!(effective.file.services, Services::default());
    }
}
