//! The local AWS server.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde::Deserialize;
use tokio::process::{Child, ChildStdin, Command};

use crate::folders::{self, RunFolder};
use crate::lambdas::Lambdas;
use crate::python::Python;

/// The region of the local AWS.
pub const REGION: &str = "us-east-1";
/// Maximum time to start. On an idle machine the start takes less than a second.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// Maximum number of starts, because another program may take the free port before the server binds it.
const START_ATTEMPTS: u32 = 3;

/// Maximum time until the killed processes have ended on a very busy machine.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Limit of concurrent executions of an ordinary account. By default the server derives it from the machine's memory.
const ACCOUNT_CONCURRENCY: &str = "1000";

/// Number of the log's last lines that an error about the server contains.
const LOG_TAIL: usize = 20;

/// A running server. It cannot outlive this process: its launcher ends when the pipe to it closes.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// The pipe to the launcher. It is kept apart from the child, because waiting for a child closes its input.
    lifeline: Option<ChildStdin>,
    endpoint: String,
    lambdas: Lambdas,
    /// The folder for everything that the server writes, removed when the server ends.
    folder: RunFolder,
}

/// The part of the server's health that is read.
#[derive(Deserialize)]
struct Health {
    /// The name that the starter gave to this server.
    edition: String,
}

impl Server {
    /// Starts a server on a free loopback port. Lambdas reach it at `seen_at`, for example through a proxy, else at its
    /// own address. With `named`, each function signs its calls with its own name as access key.
    ///
    /// # Errors
    /// The server does not answer in time, or ends at once several times. The error contains the server's log.
    pub async fn start(python: &Python, seen_at: Option<&str>, named: bool) -> Result<Self> {
        let mut ended = String::new();
        for _ in 0..START_ATTEMPTS {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut server = Self::spawn(python, port, seen_at, named).await?;
            match server.wait_until_it_answers().await? {
                None => return Ok(server),
                Some(status) => ended = format!("({status}):\n{}", server.log()),
            }
        }
        bail!("the local AWS ended at once, {START_ATTEMPTS} times {ended}")
    }

    async fn spawn(python: &Python, port: u16, seen_at: Option<&str>, named: bool) -> Result<Self> {
        let folder = RunFolder::make().await?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = File::create(folder.path().join("server.log"))?;
        let mut command = Command::new(python.program("python"));
        // The Lambdas inherit this environment from the server.
        isolate(&mut command);
        command
            .arg(folders::project().join("infrastructure/local/launcher.py"))
            .current_dir(folder.path())
            .env("AWS_ENDPOINT_URL", seen_at.unwrap_or(&endpoint))
            .env("LOCAL_AWS_NAMED_FUNCTIONS", named.to_string())
            // Prevents bytecode files beside the launcher's modules, which are in the source folder.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_EDITION", edition(&folder))
            .env("LAMBDA_ACCOUNT_CONCURRENCY", ACCOUNT_CONCURRENCY)
            .env("LOCAL_AWS_FOLDER", folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        for variable in ["TMPDIR", "HOME", "STATE_DIR", "S3_DATA_DIR"] {
            command.env(variable, folder.path());
        }
        let mut process = command.spawn().context(
            "the local AWS cannot be started: remove the folder `local` in the target folder, and it is set up anew",
        )?;
        let id = process.id().ok_or_else(|| anyhow!("the local AWS ended before it began"))?;
        let lifeline = process.stdin.take();
        Ok(Self { process, lifeline, endpoint, lambdas: Lambdas::of_server(id), folder })
    }

    /// Returns `None` once the server answers, or its exit status if it ends before.
    async fn wait_until_it_answers(&mut self) -> Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build()?;
        loop {
            // Another program on this port would answer with another edition.
            let ours = self.health(&client).await.is_some_and(|health| health.edition == edition(&self.folder));
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            if ours {
                return Ok(None);
            }
            if begun.elapsed() > START_DEADLINE {
                bail!("the local AWS does not answer:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn health(&self, client: &reqwest::Client) -> Option<Health> {
        let answer = client.get(format!("{}/_ministack/health", self.endpoint)).send().await.ok()?;
        answer.json().await.ok()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Waits for the unexpected end of the server. Returns an error with its exit status and the end of its log.
    pub async fn ended(&mut self) -> Error {
        let how = match self.process.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LOG_TAIL)..).unwrap_or_default().join("\n");
        anyhow!("the local AWS ended ({how}); its log ended with:\n{tail}")
    }

    /// Returns the processes of the server's Lambdas.
    #[must_use]
    pub const fn lambdas(&self) -> Lambdas {
        self.lambdas
    }

    /// Returns the address of every AWS service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the configuration of SDK clients of this server.
    pub async fn sdk_config(&self) -> SdkConfig {
        Self::sdk_config_at(&self.endpoint).await
    }

    /// Returns the configuration of SDK clients that reach the server at `endpoint`.
    #[expect(deprecated, reason = "the other names of the types are in a crate that nothing else here needs")]
    pub async fn sdk_config_at(endpoint: &str) -> SdkConfig {
        use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint)
            // Unlike the default HTTP client, this one ignores proxy settings.
            .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https())
            .region(Region::new(REGION))
            // The user's AWS configuration is ignored, too.
            .profile_files(ProfileFiles::builder().with_contents(ProfileFileKind::Config, "").build())
            .credentials_provider(Credentials::new("test", "test", None, None, "local"))
            .load()
            .await
    }

    /// Copies the log to a folder that is not removed with the server, so that a failure can be investigated.
    #[must_use]
    pub fn keep_log(&self) -> Option<PathBuf> {
        let kept = folders::local().join("server.log");
        fs::copy(self.folder.path().join("server.log"), &kept).ok().map(|_| kept)
    }

    /// Whether the process has ended.
    fn is_gone(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    /// Ends the server and the processes that it started, and waits for their end: the folder can be removed only then.
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let begun = Instant::now();
        while !self.is_gone() && begun.elapsed() < STOP_DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Returns the name of one run's server, so that another server's answer is not taken for this one's.
fn edition(folder: &RunFolder) -> String {
    folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Hides the user's account, settings and proxy from a command, which gets test credentials and reaches loopback only.
pub fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.envs(test_credentials()).env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
}

/// Returns the variables with the local test credentials.
#[must_use]
fn test_credentials() -> [(&'static str, &'static str); 6] {
    [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn another_program_on_the_port_is_not_the_server() {
        let python = Python::set_up().await.unwrap();
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = other.local_addr().unwrap().port();
        let answer = get(|| async { "{\"edition\": \"light\"}" });
        tokio::spawn(axum::serve(other, Router::new().route("/_ministack/health", answer)).into_future());
        let mut server = Server::spawn(&python, port, None, false).await.unwrap();
        let ended = server.wait_until_it_answers().await.unwrap();
        assert!(ended.is_some_and(|status| !status.success()), "{ended:?}: {}", server.log());
    }
}
