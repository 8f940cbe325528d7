//! Deploying the real template with the real script.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::command::run;
use crate::folders;
use crate::python::Python;
use crate::server::{REGION, isolate};

/// What to deploy under which name.
#[derive(Clone, Debug)]
pub struct DeployOptions {
    /// The first part of every resource's name.
    pub project: String,
    /// The last part of every resource's name.
    pub environment: String,
    /// Parameters of the template that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
}

impl Default for DeployOptions {
    fn default() -> Self {
        Self {
            project: "bank-circuit-breaker".to_owned(),
            environment: "dev".to_owned(),
            parameters: BTreeMap::from([("FaultInjection".to_owned(), "enabled".to_owned())]),
        }
    }
}

impl DeployOptions {
    /// The same with another value of a parameter.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: &str) -> Self {
        self.parameters.insert(parameter.to_owned(), value.to_owned());
        self
    }
}

/// Reads `Name=Value`.
///
/// # Errors
/// There is no `=` in it.
pub fn parameter(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "is not Name=Value".to_owned())
}

/// A deployed stack.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// `{project}-{environment}`, the dimension of its metrics.
    pub name: String,
    /// Where its API answers.
    pub api: String,
    /// The outputs of the stack.
    outputs: BTreeMap<String, String>,
}

impl Deployment {
    /// An output of the stack; empty where the template has none of that name.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }
}

/// `deploy.sh` for these names against the server at `endpoint`; the caller adds what it is to do.
#[must_use]
pub fn script(python: &Python, endpoint: &str, options: &DeployOptions) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .arg(folders::project().join("infrastructure/deploy.sh"))
        .args(["--environment", &options.environment, "--project-name", &options.project])
        .args(["--region", REGION, "--endpoint-url", endpoint])
        // Nobody is asked: the server is the runner's own.
        .arg("--yes")
        .args(options.parameters.iter().flat_map(|(key, value)| ["--parameter".to_owned(), format!("{key}={value}")]))
        .env("PATH", format!("{}:{path}", python.programs().display()))
        .env("BREAKER", folders::program())
        // What the AWS CLI leaves when it is interrupted goes where everything else is.
        .env("TMPDIR", folders::local());
    isolate(&mut command);
    command
}

/// Runs `deploy.sh` against the server at `endpoint`.
///
/// # Errors
/// The script failed: then with what it said.
pub async fn deploy(python: &Python, endpoint: &str, artifacts: &Path, options: &DeployOptions) -> Result<Deployment> {
    let outputs = tempfile::NamedTempFile::new_in(folders::local())?;
    let mut command = script(python, endpoint, options);
    // Without the canary: the runner shows every transition anyway, and it takes some seconds.
    command.args(["--skip-canary", "--artifacts"]).arg(artifacts).arg("--outputs").arg(outputs.path());
    run(&mut command).await.context("the deployment failed")?;
    let outputs: BTreeMap<String, String> = serde_json::from_str(&fs::read_to_string(outputs.path())?)?;
    let api = outputs.get("ApiId").context("the stack has no output ApiId")?;
    let name = format!("{}-{}", options.project, options.environment);
    Ok(Deployment { name, api: format!("{endpoint}/_aws/execute-api/{api}/$default"), outputs })
}
