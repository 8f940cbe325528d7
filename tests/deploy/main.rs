//! Tests deployments on a local AWS that all tests here share. Each test has its own project.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod build;
mod command;
mod data;
mod earlier;
mod options;
mod releases;
mod removal;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use deploy::artifacts::Binary;
use deploy::aws::{AwsAccount, AwsData, CloudFormation, DeployedSystem, S3Bucket, parts};
use deploy::engine::{Engine, Limits, Manner};
use deploy::names::DataNames;
use deploy::ports::{Check, Parts, StackService, StackView, Step, Talk};
use deploy::report::DeployReport;
use deployment_file::{Architecture, Effective};
use jiff::Timestamp;
use local::demo::options;
use local::deployment::{ACCOUNT, DeployOptions};
use local::folders;
use local::progress::Progress;
use local::server::REGION;
use local::stack::LocalStack;
use operate::check::{Check as Checked, CheckReport, Verdict};
use operate::deployment::Deployment;
use operate::exit::Failure;
use operate::ports::Confirmation;
use operate::terminal::Line;
use serde_json::Value;
use stacks::{FUNCTIONS, Names};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;

/// A deployment without the check at the end.
const QUIETLY: Manner = Manner {
    yes: true,
    dry_run: false,
    check: false,
    limits: Limits::FittedToAccount,
    pause: Duration::from_millis(100),
};
const CHECKED: Manner = Manner { check: true, ..QUIETLY };
const DRY_RUN: Manner = Manner { dry_run: true, ..QUIETLY };

/// Architecture that this machine's binaries are built for.
const HOST: Architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };

/// The runtime of the local AWS outlives each test.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());
static STACK: OnceCell<LocalStack> = OnceCell::const_new();

/// Runs a test on the shared local AWS.
fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}

async fn stack() -> &'static LocalStack {
    STACK.get_or_init(async || LocalStack::start(&Progress::quiet()).await.unwrap()).await
}

/// An interface that keeps the lines of the output and asks nothing.
#[derive(Clone, Debug, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Talk for Listener {
    fn say(&self, line: Line) {
        self.0.lock().unwrap().push(line.text());
    }

    fn step(&self, _: Step<'_>) {}

    fn confirm(&self, _: &str, _: &str) -> Confirmation {
        Confirmation::NotAsked
    }
}

/// The check at the end of a deployment. It waits until the `CloudWatch` stand-in has taken over the deployment's
/// alarms, because the stand-in does not notify of an alarm that was set before.
struct Tried {
    system: DeployedSystem,
    stack: &'static LocalStack,
}

impl Check for Tried {
    async fn check(
        &self,
        deployment: &Deployment,
        since: Timestamp,
        talk: &(impl Talk + Sync),
    ) -> Result<CheckReport, Failure> {
        let alarm = &deployment.outputs["CanaryAlarmName"];
        while !self.stack.alarms().iter().any(|known| known.name == *alarm) {
            tokio::time::sleep(QUIETLY.pause).await;
        }
        self.system.check(deployment, since, talk).await
    }
}

type OnAws = Engine<Parts<CloudFormation, S3Bucket, AwsAccount, AwsData, Tried, Listener>>;

/// A project on the local AWS.
struct Bench {
    stack: &'static LocalStack,
    options: DeployOptions,
    names: Names,
    listener: Listener,
}

impl Bench {
    /// Returns the project of one test.
    async fn open(project: &str) -> Self {
        Self::open_in(project, "dev").await
    }

    async fn open_in(project: &str, environment: &str) -> Self {
        let options = options().in_environment(environment).with("deployment.project", project);
        let names = Names { project: project.to_owned(), environment: environment.to_owned() };
        Self { stack: stack().await, options, names, listener: Listener::default() }
    }

    fn bucket(&self) -> String {
        self.names.bucket(ACCOUNT, REGION)
    }

    fn engine(&self, manner: Manner) -> OnAws {
        let bucket = S3Bucket::new(self.stack.sdk(), &self.bucket(), ACCOUNT, REGION);
        let Parts { stacks, bucket, account, data, check, talk } =
            parts(self.stack.sdk(), bucket, self.listener.clone());
        let check = Tried { system: check, stack: self.stack };
        let parts = Parts { stacks, bucket, account, data, check, talk };
        Engine::new(parts, self.names.clone(), ACCOUNT, REGION, manner)
    }

    fn effective(&self, values: &[(&str, &str)]) -> Effective {
        let options = values.iter().fold(self.options.clone(), |options, (key, value)| options.with(key, value));
        options.effective().unwrap()
    }

    /// Deploys this machine's binaries with these values.
    async fn deploy(&self, values: &[(&str, &str)], manner: Manner) -> Result<DeployReport, Failure> {
        self.deploy_from(self.stack.artifacts(), values, manner).await
    }

    async fn deploy_from(
        &self,
        artifacts: &Path,
        values: &[(&str, &str)],
        manner: Manner,
    ) -> Result<DeployReport, Failure> {
        let engine = self.engine(manner);
        let begun = engine.begin(self.effective(values)).await?.unwrap();
        engine.deploy(begun, &Binary::read_all(artifacts, &FUNCTIONS)?, HOST).await
    }

    /// Returns the lines of the output since the last call of this function.
    fn said(&self) -> String {
        self.listener.0.lock().unwrap().drain(..).collect::<Vec<_>>().join("\n")
    }

    async fn view(&self) -> StackView {
        CloudFormation::new(self.stack.sdk()).stack(&self.names.deployment()).await.unwrap().unwrap()
    }

    async fn release(&self) -> String {
        self.view().await.outputs["ReleaseId"].clone()
    }

    async fn api(&self) -> String {
        format!("{}/_aws/execute-api/{}/$default", self.stack.endpoint(), self.view().await.outputs["ApiId"])
    }

    /// Returns the breaker's status, through the API.
    async fn status(&self) -> Value {
        reqwest::get(format!("{}/circuit-breaker", self.api().await)).await.unwrap().json().await.unwrap()
    }

    async fn threshold(&self) -> Value {
        self.status().await["circuitBreaker"]["thresholds"]["level1To2Failures"].clone()
    }

    fn tables(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(self.stack.sdk())
    }

    fn functions(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(self.stack.sdk())
    }

    fn objects(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(self.stack.sdk()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Returns the text of an object of the bucket.
    async fn object(&self, key: &str) -> String {
        let answer = self.objects().get_object().bucket(self.bucket()).key(key).send().await.unwrap();
        String::from_utf8(answer.body.collect().await.unwrap().to_vec()).unwrap()
    }

    async fn item(&self, key: &str) -> Option<HashMap<String, AttributeValue>> {
        let call = self.tables().get_item().table_name(self.names.table()).key("pk", AttributeValue::S(key.to_owned()));
        call.send().await.unwrap().item
    }

    /// Writes an item that a later deployment must find.
    async fn put_marker(&self) {
        let call = self.tables().put_item().table_name(self.names.table());
        call.item("pk", AttributeValue::S(MARKER.to_owned())).send().await.unwrap();
    }

    /// Returns the versions of a function.
    async fn versions(&self, function: &str) -> Vec<String> {
        let call = self.functions().list_versions_by_function().function_name(self.names.resource(function));
        let versions = call.send().await.unwrap().versions.unwrap_or_default();
        versions.into_iter().filter_map(|version| version.version).collect()
    }

    /// Returns the digest of the code of a function's alias.
    async fn code(&self, function: &str) -> String {
        let name = self.names.resource(function);
        let call = self.functions().get_function_configuration().function_name(name).qualifier("live");
        call.send().await.unwrap().code_sha256.unwrap()
    }
}

/// Returns the verdicts of these checks.
fn verdicts(report: &DeployReport, checks: &[Checked]) -> Vec<Verdict> {
    let found = &report.check.as_ref().unwrap().findings;
    checks.iter().map(|check| found.iter().find(|finding| finding.check == *check).unwrap().verdict).collect()
}

const MARKER: &str = "transition#0000000042";

/// Returns a folder of programs that do nothing and are deployed quickly, for tests in which no function runs.
fn hollow_artifacts() -> TempDir {
    let folder = tempfile::tempdir_in(folders::local()).unwrap();
    for function in FUNCTIONS {
        fs::create_dir(folder.path().join(function)).unwrap();
        fs::write(folder.path().join(function).join("bootstrap"), "#!/bin/sh\nexit 1\n").unwrap();
    }
    folder
}
