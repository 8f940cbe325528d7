//! A full cycle, driven from outside: down to level 3, back to level 1, and a forced recovery.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use breaker::contract::TransitionRecord;

use crate::deployment::{DeployOptions, Deployment};
use crate::gateway::Gateway;
use crate::progress::Progress;
use crate::stack::LocalStack;
use crate::traffic::Traffic;
use crate::watch::{Watch, line};

/// A recovery may have to wait for the schedule's minute.
const PHASE_DEADLINE: Duration = Duration::from_secs(150);
/// Between two requests.
const PACE: Duration = Duration::from_millis(150);

/// What the demonstration deploys: no failures by chance, and waits that suit a spectator.
#[must_use]
pub fn options() -> DeployOptions {
    ["FullServiceFailureRate", "DegradedServiceFailureRate", "MaintenanceServiceFailureRate"]
        .into_iter()
        .fold(DeployOptions::default(), |options, parameter| options.with(parameter, "0"))
        .with("RecoveryCooldownSeconds", "5")
        .with("EvidenceSettleSeconds", "2")
}

/// Runs the demonstration on a stack of its own.
///
/// # Errors
/// A transition that did not come.
pub async fn run() -> Result<()> {
    let progress = Progress::shown();
    println!("Demonstration: cooldown 5 s, settling 2 s, no failures by chance; all else as deployed by default.");
    let stack = LocalStack::start(&progress).await?;
    on_stack(&stack, &progress).await
}

async fn on_stack(stack: &LocalStack, progress: &Progress) -> Result<()> {
    let deployment = stack.deploy(progress, &options()).await?;
    let gateway = Gateway::start(0, &deployment.api).await?;
    println!("The bank answers at {}", gateway.address());
    let mut cycle = Cycle::new(stack, &deployment, gateway.address())?;
    cycle.expect("every request fails", true, 2).await?;
    cycle.expect("every request still fails", true, 3).await?;
    cycle.expect("the back end works again", false, 2).await?;
    cycle.expect("and goes on working", false, 1).await?;
    cycle.expect("every request fails once more", true, 2).await?;
    println!("\nAn operator forces level 1:");
    force(stack, &deployment, 1, "the back end is mended").await?;
    cycle.expect("nobody sends anything but the operator", false, 1).await?;
    println!("\nAnswers by level and status:");
    for ((level, status), count) in &cycle.traffic.answers {
        println!("  level {level}  status {status}  {count:>5}");
    }
    Ok(())
}

/// Starts the state machine as an operator does.
///
/// # Errors
/// The execution cannot be started.
pub async fn force(stack: &LocalStack, deployment: &Deployment, level: u8, reason: &str) -> Result<()> {
    let input = serde_json::json!({
        "trigger": "force", "targetLevel": level, "reason": reason, "requestedBy": "demonstration",
    });
    aws_sdk_sfn::Client::new(stack.sdk())
        .start_execution()
        .state_machine_arn(deployment.output("StateMachineArn"))
        .input(input.to_string())
        .send()
        .await
        .context("the execution cannot be started")?;
    Ok(())
}

/// Traffic, and the transitions that it causes.
#[derive(Debug)]
pub struct Cycle {
    /// The client.
    pub traffic: Traffic,
    watch: Watch,
}

impl Cycle {
    /// Traffic to `address` and a watch of the deployment behind it.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(stack: &LocalStack, deployment: &Deployment, address: &str) -> Result<Self> {
        let watch = Watch::new(stack.sdk(), deployment.output("StateTableName"));
        Ok(Self { traffic: Traffic::new(address)?, watch })
    }

    /// Sends requests until the next transition and the first answer of its level.
    ///
    /// # Errors
    /// No transition within the deadline, or another than to `level`.
    pub async fn expect(&mut self, story: &str, fail: bool, level: u8) -> Result<TransitionRecord> {
        println!("\n{story}:");
        let begun = Instant::now();
        let mut fifth = None;
        let mut sent = 0_u32;
        let mut record: Option<TransitionRecord> = None;
        loop {
            let answered = self.traffic.ask(fail).await?;
            sent += 1;
            if fail && sent == 5 {
                fifth = Some(Instant::now());
            }
            if record.is_none() {
                record = tokio::time::timeout(PACE, self.watch.next()).await.ok().transpose()?;
                if let Some(record) = &record {
                    println!("  {}", line(record));
                }
            }
            if let Some(record) = record.take_if(|_| answered == level.to_string()) {
                if record.to.number() != level {
                    bail!("expected a transition to level {level}, got one to level {}", record.to);
                }
                if let Some(fifth) = fifth {
                    println!(
                        "  {} ms from the fifth failure to the first answer of level {level}",
                        fifth.elapsed().as_millis()
                    );
                }
                return Ok(record);
            }
            if begun.elapsed() > PHASE_DEADLINE {
                bail!("no transition to level {level} within {} s: {story}", PHASE_DEADLINE.as_secs());
            }
        }
    }

    /// The watch of the state table.
    #[must_use]
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }
}
