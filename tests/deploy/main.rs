//! The deployment script's life, on a local AWS: each test has a stack of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod accounts;
mod build;
mod dashboard;
mod data;
mod options;
mod parameters;
mod releases;
mod removal;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use local::demo::options;
use local::deployment::{DeployOptions, script};
use local::folders;
use local::progress::Progress;
use local::server::isolate;
use local::stack::LocalStack;
use serde_json::Value;
use tokio::process::Command;

/// What the script said, and whether it succeeded.
struct Said {
    success: bool,
    text: String,
}

impl Said {
    fn succeeded(self) -> String {
        assert!(self.success, "{}", self.text);
        self.text
    }

    fn failed(self) -> String {
        assert!(!self.success, "the script succeeded:\n{}", self.text);
        self.text
    }
}

/// A local AWS, and the script against it.
struct Bench {
    stack: LocalStack,
    options: DeployOptions,
}

impl Bench {
    async fn start() -> Self {
        let stack = LocalStack::start(&Progress::quiet()).await.unwrap();
        Self { stack, options: options() }
    }

    async fn run(&self, options: &DeployOptions, arguments: &[&str]) -> Said {
        let mut command = script(self.stack.python(), self.stack.endpoint(), options);
        said(command.args(arguments)).await
    }

    /// The script as it would run where the AWS CLI answers otherwise: `cases` are those of a shell's `case` over the
    /// CLI's arguments, and `$REAL` is the real one.
    async fn deploy_where(&self, cases: &str, parameters: &[(&str, &str)], arguments: &[&str]) -> Said {
        self.deploy_from_where(self.stack.artifacts(), cases, parameters, arguments).await
    }

    /// The same with other binaries.
    async fn deploy_from_where(
        &self,
        artifacts: &Path,
        cases: &str,
        parameters: &[(&str, &str)],
        arguments: &[&str],
    ) -> Said {
        let mut options =
            parameters.iter().fold(self.options.clone(), |options, (name, value)| options.with(name, value));
        if arguments.iter().any(|argument| ["--destroy", "--only"].contains(argument)) {
            options.parameters.clear();
        }
        let real = self.stack.python().program("aws");
        let text =
            format!("#!/bin/sh\nREAL='{}'\ncase \"$*\" in\n{cases}\nesac\nexec \"$REAL\" \"$@\"\n", real.display());
        let programs = programs(&[("aws", &text)]);
        let mut command = script(self.stack.python(), self.stack.endpoint(), &options);
        let path = std::env::var("PATH").unwrap();
        command
            .env("PATH", format!("{}:{}:{path}", programs.path().display(), self.stack.python().programs().display()));
        if !arguments.contains(&"--destroy") {
            command.arg("--artifacts").arg(artifacts);
        }
        said(command.args(arguments)).await
    }

    /// Deploys with these parameters beside the usual ones.
    async fn deploy(&self, parameters: &[(&str, &str)], arguments: &[&str]) -> Said {
        self.deploy_from(self.stack.artifacts(), parameters, arguments).await
    }

    async fn deploy_from(&self, artifacts: &Path, parameters: &[(&str, &str)], arguments: &[&str]) -> Said {
        let options = parameters.iter().fold(self.options.clone(), |options, (name, value)| options.with(name, value));
        let mut all = vec!["--artifacts", artifacts.to_str().unwrap()];
        all.extend(arguments);
        self.run(&options, &all).await
    }

    /// The script with no parameters: what is deployed stays as it is.
    async fn act(&self, arguments: &[&str]) -> Said {
        self.run(&DeployOptions { parameters: BTreeMap::new(), ..self.options.clone() }, arguments).await
    }

    fn table(&self) -> String {
        format!("{}-circuit-breaker-state-{}", self.options.project, self.options.environment)
    }

    fn function(&self, name: &str) -> String {
        format!("{}-{name}-{}", self.options.project, self.options.environment)
    }

    /// What the AWS CLI answers as text; `None` where it refuses.
    async fn aws(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new(self.stack.python().program("aws"));
        isolate(&mut command);
        command.args(["--endpoint-url", self.stack.endpoint(), "--output", "text"]).args(arguments);
        let output = command.output().await.unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    async fn output(&self, name: &str) -> String {
        let stack = format!("{}-{}", self.options.project, self.options.environment);
        let query = format!("Stacks[0].Outputs[?OutputKey=='{name}'].OutputValue");
        self.aws(&["cloudformation", "describe-stacks", "--stack-name", &stack, "--query", &query]).await.unwrap()
    }

    async fn api(&self) -> String {
        format!("{}/_aws/execute-api/{}/$default", self.stack.endpoint(), self.output("ApiId").await)
    }

    /// A parameter that the stack has.
    async fn parameter(&self, name: &str) -> String {
        let stack = format!("{}-{}", self.options.project, self.options.environment);
        let query = format!("Stacks[0].Parameters[?ParameterKey=='{name}'].ParameterValue");
        self.aws(&["cloudformation", "describe-stacks", "--stack-name", &stack, "--query", &query]).await.unwrap()
    }

    /// The folder of the releases.
    fn releases(&self) -> String {
        let DeployOptions { project, environment, .. } = &self.options;
        format!("s3://{project}-artifacts-000000000000-us-east-1/releases/{project}-{environment}")
    }

    /// The breaker's status, through the API, the alias and the version.
    async fn status(&self) -> Value {
        reqwest::get(format!("{}/circuit-breaker", self.api().await)).await.unwrap().json().await.unwrap()
    }

    async fn threshold(&self) -> Value {
        self.status().await["circuitBreaker"]["thresholds"]["level1To2Failures"].clone()
    }

    async fn item(&self, key: &str) -> Option<std::collections::HashMap<String, AttributeValue>> {
        let client = aws_sdk_dynamodb::Client::new(self.stack.sdk());
        let call = client.get_item().table_name(self.table()).key("pk", AttributeValue::S(key.to_owned()));
        call.send().await.unwrap().item
    }

    /// The digest of a function's code behind a qualifier.
    async fn code(&self, name: &str, qualifier: &str) -> String {
        let client = aws_sdk_lambda::Client::new(self.stack.sdk());
        let call = client.get_function_configuration().function_name(self.function(name)).qualifier(qualifier);
        call.send().await.unwrap().code_sha256.unwrap()
    }
}

async fn said(command: &mut Command) -> Said {
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { success: output.status.success(), text: text(&output.stdout) + &text(&output.stderr) }
}

/// A folder of programs for the `PATH`, by name and text.
fn programs(texts: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    for (name, text) in texts {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// A copy of what the script needs of the project, to be changed: the script works where it stands.
fn copy_project() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    for part in ["infrastructure", "infrastructure/deploy", "infrastructure/environments", "statemachines"] {
        fs::create_dir(folder.path().join(part)).unwrap();
        for entry in fs::read_dir(folders::project().join(part)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), folder.path().join(part).join(entry.file_name())).unwrap();
            }
        }
    }
    folder
}

/// Programs that do nothing and are deployed in no time, for tests in which nothing runs.
fn hollow_artifacts() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    for binary in local::artifacts::BINARIES {
        fs::create_dir(folder.path().join(binary)).unwrap();
        fs::write(folder.path().join(binary).join("bootstrap"), "#!/bin/sh\nexit 1\n").unwrap();
    }
    folder
}

/// Copies the binaries to a folder of the test's own.
fn copy_artifacts(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    for binary in local::artifacts::BINARIES {
        fs::create_dir(folder.path().join(binary)).unwrap();
        let name = Path::new(binary).join("bootstrap");
        fs::copy(from.join(&name), folder.path().join(&name)).unwrap();
    }
    folder
}
