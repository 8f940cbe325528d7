//! The whole system on one machine.

use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow};
use aws_config::SdkConfig;

use crate::artifacts;
use crate::deployment::{DeployOptions, Deployment, deploy};
use crate::lambdas::Lambdas;
use crate::progress::Progress;
use crate::python::Python;
use crate::server::Server;
use cloudwatch_stand_in::{AlarmStatus, StandIn};

/// A local AWS with replacements for its missing parts. Deploy into it as often as you like.
/// Dropping it ends everything that it started.
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
    /// A sentence that says which step failed, and why.
    pub async fn start(progress: &Progress) -> Result<Self> {
        Self::start_seen_at(progress, None).await
    }

    /// Starts a local AWS whose Lambdas and CloudWatch stand-in reach the server at this address. Tests put a proxy
    /// there.
    ///
    /// # Errors
    /// A sentence that says which step failed, and why.
    pub async fn start_seen_at(progress: &Progress, address: Option<&str>) -> Result<Self> {
        Self::start_as(progress, address, false).await
    }

    /// The same, and each function signs its calls with its own name: for tests, which tell callers apart by it.
    ///
    /// # Errors
    /// A sentence that says which step failed, and why.
    pub async fn start_with_names(progress: &Progress, address: &str) -> Result<Self> {
        Self::start_as(progress, Some(address), true).await
    }

    async fn start_as(progress: &Progress, address: Option<&str>, named: bool) -> Result<Self> {
        let python_step = if Python::is_set_up() {
            "Python environment, from an earlier run"
        } else {
            "Python environment, about a minute this first time"
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
    /// The deployment failed: says which resource and why.
    pub async fn deploy(&self, progress: &Progress, options: &DeployOptions) -> Result<Deployment> {
        let deployment = deploy(&self.sdk, &self.artifacts, options);
        progress.step("deployment", deployment).await.map_err(|error| self.with_log(&error))
    }

    /// Keeps the server's log, and the failure with where it is.
    #[must_use]
    pub fn with_log(&self, error: &Error) -> Error {
        match self.server.keep_log() {
            Some(log) => anyhow!("{error:#}\nThe local AWS's log: {}", log.display()),
            None => anyhow!("{error:#}"),
        }
    }

    /// The address of every AWS service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// The folder of the Lambda binaries.
    #[must_use]
    pub fn artifacts(&self) -> &Path {
        &self.artifacts
    }

    /// The configuration of SDK clients.
    #[must_use]
    pub const fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The Python environment.
    #[must_use]
    pub const fn python(&self) -> &Python {
        &self.python
    }

    /// The processes of the Lambdas.
    #[must_use]
    pub const fn lambdas(&self) -> Lambdas {
        self.server.lambdas()
    }

    /// Waits for the unexpected end of the local AWS. Returns how it ended, with the end of its log.
    pub async fn ended(&mut self) -> Error {
        self.server.ended().await
    }

    /// The deployed alarms and their states.
    #[must_use]
    pub fn alarms(&self) -> Vec<AlarmStatus> {
        self.stand_in.alarms()
    }
}
