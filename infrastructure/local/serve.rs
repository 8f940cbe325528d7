//! Serves the bank until it is interrupted.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{MissedTickBehavior, interval};

use crate::advice;
use crate::console::{Bank, Console, Style};
use crate::deployment::{DeployOptions, Deployment};
use crate::gateway::{Gateway, bind};
use crate::running::Announced;
use crate::server::REGION;
use crate::stack::LocalStack;
use crate::watch::Watch;

/// Time between two updates of the live view. Shorter ones would cost an idle bank processor time for little benefit.
const FRAME: Duration = Duration::from_secs(1);

/// Deploys the system, serves its API at `port` and shows what happens.
///
/// # Errors
/// A step of the set-up failed, the port is taken, or the local AWS ended.
pub async fn run(port: u16, options: DeployOptions, style: Style) -> Result<()> {
    // The port is checked first, because the set-up takes a minute.
    drop(bind(port).await?);
    let names = options.names(&options.effective()?);
    let progress = style.progress();
    let mut stack = LocalStack::start(&progress).await?;
    let deployment = stack.deploy(&progress, &options).await?;
    let gateway = Gateway::start(port, &deployment.api).await?;
    let bank = Bank { api: gateway.address(), aws: stack.endpoint(), machine: deployment.output("StateMachineArn") };
    let _announced = Announced::new(gateway.address())?;
    // If the rules cannot be read, the bank still runs.
    let fall = advice::fall(gateway.address()).await.unwrap_or_else(|_| "failures lead to level 2".to_owned());
    let mut console = Console::new(style, &deployment.names);
    console.ready(bank, &help(bank, &fall, &names.environment, &stack.python().aws_folder()))?;
    show(&mut console, &gateway, &mut stack, &deployment).await
}

async fn show(console: &mut Console, gateway: &Gateway, stack: &mut LocalStack, deployment: &Deployment) -> Result<()> {
    let table = deployment.output("StateTableName");
    let (mut transitions, state) = (Watch::new(stack.sdk(), table).every(FRAME), Watch::new(stack.sdk(), table));
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            transition = transitions.next() => console.transition(&transition?)?,
            _ = frames.tick(), if console.is_live() => {
                console.update(state.state().await.ok().as_ref(), &gateway.counts(), &stack.alarms());
            }
            ended = stack.ended() => return Err(ended),
        }
    }
}

/// Returns the commands that a user can try next.
fn help(Bank { api, aws, .. }: Bank<'_>, fall: &str, environment: &str, folder: &Path) -> String {
    format!(
        "
  curl {api}/circuit-breaker                                    the breaker's status
  curl {api}/account/12345                                      an account
  curl -H 'X-Simulate-Failure: true' {api}/account/12345        a failure; {fall}
  cargo run -- traffic --fail 30%                                               a minute of traffic, of which 30 % fails

Force a level, as an operator:

{}
  cargo run -- status --environment {environment}
  cargo run -- force --environment {environment} --level 1 --reason \"the back end is repaired\" --requested-by me

Transitions follow; Ctrl-C ends everything.",
        export(aws, folder),
    )
}

/// Returns the line that directs a terminal's commands to the local AWS at `aws`, and the command `aws` to the program
/// in `folder`, which calls only the local AWS. `PATH` is needed, because with the variables alone version 1 of the AWS
/// CLI still calls AWS itself for some services. The last variable is for an AWS CLI that is called by its path.
#[must_use]
pub fn export(aws: &str, folder: &Path) -> String {
    format!(
        "  export PATH=\"{}:$PATH\" AWS_ENDPOINT_URL={aws} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \
         AWS_DEFAULT_REGION={REGION} AWS_DISABLE_HOST_PREFIX_INJECTION=true",
        folder.display()
    )
}
