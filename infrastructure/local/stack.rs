//! The local AWS and the services around it, in which the whole system runs on one machine.

use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow};
use aws_config::SdkConfig;

use crate::artifacts;
use crate::deployment::{DeployOptions, Deployment, deploy};
use crate::folders;
use crate::lambdas::Lambdas;
use crate::progress::Progress;
use crate::python::Python;
use crate::server::Server;
use cloudwatch_stand_in::{AlarmStatus, StandIn};

/// A local AWS with replacements for its missing parts, which can hold several deployments. Dropping it ends everything
/// that it started.
#[derive(Debug)]
pub struct LocalStack {
    python: Python,
    artifacts: PathBuf,
    stand_in: StandIn,
    sdk: SdkConfig,
    server: Server,
}

impl LocalStack {
    /// Sets up Python, builds the Lambdas and starts the server.
    ///
    /// # Errors
    /// A step of the set-up failed. The error names the step and the reason.
    pub async fn start(progress: &Progress) -> Result<Self> {
        Self::start_seen_at(progress, None).await
    }

    /// Starts a local AWS whose Lambdas and CloudWatch stand-in reach the server at `address`, for example through a
    /// test's proxy.
    ///
    /// # Errors
    /// A step of the set-up failed. The error names the step and the reason.
    pub async fn start_seen_at(progress: &Progress, address: Option<&str>) -> Result<Self> {
        Self::start_as(progress, address, false).await
    }

    /// Starts a local AWS like [`Self::start_seen_at`], in which each function signs its calls with its own name, so
    /// that tests can distinguish the callers.
    ///
    /// # Errors
    /// A step of the set-up failed. The error names the step and the reason.
    pub async fn start_with_names(progress: &Progress, address: &str) -> Result<Self> {
        Self::start_as(progress, Some(address), true).await
    }

    async fn start_as(progress: &Progress, address: Option<&str>, named: bool) -> Result<Self> {
        folders::existing_project()?;
        let python_step = if Python::is_set_up() {
            "Python environment, from an earlier run"
        } else {
            "Python environment, about half a minute this first time"
        };
        let (python, artifacts) = tokio::try_join!(
            progress.step(python_step, Python::set_up()),
            progress.step("Lambda binaries", artifacts::build()),
        )?;
        let server = progress.step("local AWS", Server::start(&python, address, named)).await?;
        let sdk = server.sdk_config().await;
        let seen = Server::sdk_config_at(address.unwrap_or(server.endpoint())).await;
        let stand_in = StandIn::start(&seen).await?;
        Ok(Self { python, artifacts, stand_in, sdk, server })
    }

    /// Deploys the stacks.
    ///
    /// # Errors
    /// The deployment failed. The error names the resource and the reason.
    pub async fn deploy(&self, progress: &Progress, options: &DeployOptions) -> Result<Deployment> {
        let deployment = deploy(&self.sdk, &self.artifacts, options);
        progress.step("deployment", deployment).await.map_err(|error| self.with_log(&error))
    }

    /// Keeps the server's log, and returns the error with the log's path.
    #[must_use]
    pub fn with_log(&self, error: &Error) -> Error {
        match self.server.keep_log() {
            Some(log) => anyhow!("{error:#}\nThe local AWS's log: {}", log.display()),
            None => anyhow!("{error:#}"),
        }
    }

    /// Returns the address of every AWS service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// Returns the folder of the Lambda binaries.
    #[must_use]
    pub fn artifacts(&self) -> &Path {
        &self.artifacts
    }

    /// Returns the configuration of SDK clients.
    #[must_use]
    pub const fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Returns the Python environment.
    #[must_use]
    pub const fn python(&self) -> &Python {
        &self.python
    }

    /// Returns the processes of the Lambdas.
    #[must_use]
    pub const fn lambdas(&self) -> Lambdas {
        self.server.lambdas()
    }

    /// Waits for the unexpected end of the local AWS. Returns an error with its exit status and the end of its log.
    pub async fn ended(&mut self) -> Error {
        self.server.ended().await
    }

    /// Returns the deployed alarms and their states.
    #[must_use]
    pub fn alarms(&self) -> Vec<AlarmStatus> {
        self.stand_in.alarms()
    }
}
