//! Serves the bank until somebody ends it.

use anyhow::Result;

use crate::deployment::DeployOptions;
use crate::gateway::Gateway;
use crate::progress::Progress;
use crate::stack::LocalStack;
use crate::watch::{Watch, line};

/// Deploys the system and serves its API at `port`, one line a transition.
///
/// # Errors
/// A step of the set-up failed, the port is taken, or the local AWS ended.
pub async fn run(port: u16, options: DeployOptions) -> Result<()> {
    // First of all, because nobody wants to learn it after a minute of set-up.
    drop(tokio::net::TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
        anyhow::anyhow!("port {port} is in use ({error}): stop what uses it, or choose another with --port")
    })?);
    let progress = Progress::shown();
    let mut stack = LocalStack::start(&progress).await?;
    let deployment = stack.deploy(&progress, &options).await?;
    let gateway = Gateway::start(port, &deployment.api).await?;
    let (api, machine) = (gateway.address(), deployment.output("StateMachineArn"));
    let aws = stack.python().program("aws");
    println!(
        "\nThe bank answers at {api}

  curl {api}/circuit-breaker                                    the breaker's status
  curl {api}/account/12345                                      an account
  curl -H 'X-Simulate-Failure: true' {api}/account/12345        a failure; five lead to level 2
  for i in {{1..10}}; do curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'X-Simulate-Failure: true' {api}/account/12345; done

Force a level, as an operator:

  export AWS_ENDPOINT_URL={} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
  {} stepfunctions start-execution --state-machine-arn {machine} \\
    --input '{{\"trigger\":\"force\",\"targetLevel\":1,\"reason\":\"the back end is mended\",\"requestedBy\":\"me\"}}'

Transitions follow; Ctrl-C ends everything.",
        stack.endpoint(),
        aws.display(),
    );
    let mut watch = Watch::new(stack.sdk(), deployment.output("StateTableName"));
    loop {
        tokio::select! {
            transition = watch.next() => println!("{}", line(&transition?)),
            ended = stack.ended() => return Err(ended),
        }
    }
}
