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

/// Runs `deploy.sh` against the server at `endpoint`.
///
/// # Errors
/// The script failed: then with what it said.
pub async fn deploy(python: &Python, endpoint: &str, artifacts: &Path, options: &DeployOptions) -> Result<Deployment> {
    let outputs = tempfile::NamedTempFile::new_in(folders::local())?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .arg(folders::project().join("infrastructure/deploy.sh"))
        .args(["--environment", &options.environment, "--project-name", &options.project])
        .args(["--region", REGION, "--endpoint-url", endpoint])
        .arg("--artifacts")
        .arg(artifacts)
        .arg("--outputs")
        .arg(outputs.path())
        .args(options.parameters.iter().flat_map(|(key, value)| ["--parameter".to_owned(), format!("{key}={value}")]))
        .env("PATH", format!("{}:{path}", python.programs().display()))
        // What the AWS CLI leaves when it is interrupted goes where everything else is.
        .env("TMPDIR", folders::local());
    isolate(&mut command);
    run(&mut command).await.context("the deployment failed")?;
    let outputs: BTreeMap<String, String> = serde_json::from_str(&fs::read_to_string(outputs.path())?)?;
    let api = outputs.get("ApiId").context("the stack has no output ApiId")?;
    let name = format!("{}-{}", options.project, options.environment);
    Ok(Deployment { name, api: format!("{endpoint}/_aws/execute-api/{api}/$default"), outputs })
}
