//! The local AWS server.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::folders;
use crate::python::Python;

/// The region of the local AWS.
pub const REGION: &str = "us-east-1";
/// Starting takes well under a second; a busy machine is given time.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// Being killed takes no time; this is for a machine that is very busy.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A running server. It cannot outlive this process: its launcher ends when the pipe to it closes.
#[derive(Debug)]
pub struct Server {
    process: Child,
    endpoint: String,
    /// Everything that the server writes; removed with it.
    folder: TempDir,
}

impl Server {
    /// Starts a server on a free loopback port.
    ///
    /// # Errors
    /// It does not answer in time, or ends at once: then with what it logged.
    pub async fn start(python: &Python) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("aws-").tempdir_in(folders::local())?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = File::create(folder.path().join("server.log"))?;
        let mut command = Command::new(python.program("python"));
        // What is set here reaches the Lambdas through the server.
        isolate(&mut command);
        command
            .arg(folders::project().join("infrastructure/local/launcher.py"))
            .current_dir(folder.path())
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        for variable in ["TMPDIR", "HOME", "STATE_DIR", "S3_DATA_DIR"] {
            command.env(variable, folder.path());
        }
        let mut server = Self { process: command.spawn()?, endpoint, folder };
        server.wait_until_it_answers().await?;
        Ok(server)
    }

    async fn wait_until_it_answers(&mut self) -> Result<()> {
        let begun = Instant::now();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build()?;
        loop {
            let log = || fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            if let Some(status) = self.process.try_wait()? {
                bail!("the local AWS ended at once ({status}):\n{}", log());
            }
            if client.get(format!("{}/_ministack/health", self.endpoint)).send().await.is_ok() {
                return Ok(());
            }
            if begun.elapsed() > START_DEADLINE {
                bail!("the local AWS does not answer:\n{}", log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The address of every AWS service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The configuration of SDK clients of this server.
    #[expect(deprecated, reason = "the other names of the types are in a crate that nothing else here needs")]
    pub async fn sdk_config(&self) -> SdkConfig {
        use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .endpoint_url(&self.endpoint)
            .region(Region::new(REGION))
            // The user's own settings are not read either.
            .profile_files(ProfileFiles::builder().with_contents(ProfileFileKind::Config, "").build())
            .credentials_provider(Credentials::new("test", "test", None, None, "local"))
            .load()
            .await
    }

    /// Copies the log to where it outlives the server, for whoever looks into a failure.
    #[must_use]
    pub fn keep_log(&self) -> Option<PathBuf> {
        let kept = folders::local().join("server.log");
        fs::copy(self.folder.path().join("server.log"), &kept).ok().map(|_| kept)
    }

    /// Whether the process is gone.
    fn is_gone(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    /// Ends the server and everything below it, and waits until they are gone: only then can its
    /// folder be removed.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let begun = Instant::now();
        while !self.is_gone() && begun.elapsed() < STOP_DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Keeps a command away from the user's own account, settings and proxy: it sees test credentials and
/// loopback only.
pub fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.envs(test_credentials()).env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
}

/// What stands for credentials locally.
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
