//! The commands that change a deployment: they read its file, connect to AWS, show progress and set the exit status.

#![expect(clippy::doc_markdown, reason = "most doc comments here are help texts, which have no markdown")]

mod arguments;
mod deploy;
mod destroy;
mod report;
mod rollback;
mod talk;

use std::io::{self, IsTerminal};
use std::time::Duration;

use ::deploy::aws::{AwsAccount, AwsData, CloudFormation, DeployedSystem, S3Bucket, parts};
use ::deploy::engine::{Engine, Limits, Manner};
use ::deploy::names::DataNames;
use ::deploy::ports::{Account as _, Parts};
use ::deploy::settings::check_place;
use aws_config::SdkConfig;
use deployment_file::Effective;
use operate::aws::Connection;
use operate::exit::Failure;
use stacks::Names;

use self::arguments::{RunOptions, Target};
use self::talk::Terminal;

pub use self::deploy::{DeployArgs, deploy};
pub use self::destroy::{DestroyArgs, destroy};
pub use self::rollback::{RollbackArgs, rollback};

/// Pause between two reads of a changing stack.
const PAUSE: Duration = Duration::from_secs(3);
/// Pause between two reads of a changing stack on another AWS, such as a local one.
const LOCAL_PAUSE: Duration = Duration::from_millis(300);

/// The engine on AWS.
type Aws = Engine<Parts<CloudFormation, S3Bucket, AwsAccount, AwsData, DeployedSystem, Terminal>>;

/// Returns whether the output is a terminal, which shows progress.
fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// The engine and what its clients share.
struct Connected {
    engine: Aws,
    config: SdkConfig,
}

/// Connects to the deployment that the file describes. Fails before any other call if the account or the region is not
/// the file's. With `check` the engine checks the deployment at the end.
async fn connect(target: &Target, effective: &Effective, run: RunOptions, check: bool) -> Result<Connected, Failure> {
    let names =
        Names { project: effective.file.deployment.project.clone(), environment: target.environment()?.to_owned() };
    let connection = Connection {
        profile: target.profile.clone(),
        region: target.region.clone().or_else(|| effective.file.deployment.region.clone()),
        endpoint_url: target.endpoint_url.clone(),
    };
    let (config, region) = connection.sdk_config().await?;
    let identity = AwsAccount::new(&config).identity().await?;
    let account = identity.account;
    check_place(effective, &account, &region)?;
    let bucket = match &target.bucket {
        Some(name) => S3Bucket::new(&config, name, &account, &region).of_user(),
        None => S3Bucket::new(&config, &names.bucket(&account, &region), &account, &region),
    };
    let pause = if config.endpoint_url().is_some() { LOCAL_PAUSE } else { PAUSE };
    let RunOptions { yes, dry_run, json } = run;
    let manner = Manner { yes, dry_run, check, limits: Limits::FittedToAccount, pause };
    let engine = Engine::new(parts(&config, bucket, Terminal::new(json)), names, &account, &region, manner);
    Ok(Connected { engine, config })
}
