//! The demonstration: requests drive the level down to 3 and back to 1, and then an operator forces a recovery.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use breaker::{TransitionRecord, TransitionRequest};

use crate::deployment::{DeployOptions, Deployment};
use crate::gateway::Gateway;
use crate::progress::Progress;
use crate::stack::LocalStack;
use crate::traffic::{Answer, Traffic};
use crate::watch::{Watch, line};

/// Maximum time of each transition; a recovery may have to wait a minute for the schedule.
const PHASE_DEADLINE: Duration = Duration::from_secs(150);
/// Time between two requests.
const PACE: Duration = Duration::from_millis(150);

/// Returns the options of the demonstration's deployment: no random failures, and short waits.
#[must_use]
pub fn options() -> DeployOptions {
    ["samples.full_failure_percent", "samples.degraded_failure_percent", "samples.maintenance_failure_percent"]
        .into_iter()
        .fold(DeployOptions::default(), |options, key| options.with(key, "0"))
        .with("policy.recovery.cooldown_seconds", "5")
        .with("policy.recovery.settle_seconds", "2")
}

/// Runs the demonstration on a stack of its own.
///
/// # Errors
/// An expected transition did not happen.
pub async fn run() -> Result<()> {
    let progress = Progress::shown();
    println!("Demonstration: cooldown 5 s, settling 2 s, no random failures; all other settings are the defaults.");
    let stack = LocalStack::start(&progress).await?;
    let deployment = stack.deploy(&progress, &options()).await?;
    on_stack(&stack, &deployment).await.map_err(|error| stack.with_log(&error))
}

async fn on_stack(stack: &LocalStack, deployment: &Deployment) -> Result<()> {
    let gateway = Gateway::start(0, &deployment.api).await?;
    println!("The bank answers at {}", gateway.address());
    let mut cycle = Cycle::new(stack, deployment, gateway.address())?;
    cycle.expect("the service of level 1 fails", true, 2).await?;
    cycle.expect("the service of level 2 fails, too", true, 3).await?;
    cycle.expect("the back end works again", false, 2).await?;
    cycle.expect("the back end keeps working", false, 1).await?;
    cycle.expect("the service of level 1 fails once more", true, 2).await?;
    force(stack, deployment, 1, "the back end is repaired").await?;
    let forced = cycle.expect("an operator forces level 1", false, 1).await?;
    if !matches!(forced.request, Some(TransitionRequest::Force(_))) {
        bail!("level 1 came before the operator's command took effect: {}", forced.reason);
    }
    cycle.summary();
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

/// Sends traffic and follows the transitions that it causes.
#[derive(Debug)]
pub struct Cycle {
    traffic: Traffic,
    answers: BTreeMap<Answer, u32>,
    watch: Watch,
    transitions: Vec<Transition>,
}

/// A transition as a caller observed it.
#[derive(Debug)]
struct Transition {
    record: TransitionRecord,
    /// Time from the fifth failure to the first answer of the new level.
    after_fifth_failure: Option<Duration>,
}

impl Cycle {
    /// Returns a cycle that sends traffic to `address` and follows the transitions of `deployment`.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(stack: &LocalStack, deployment: &Deployment, address: &str) -> Result<Self> {
        let watch = Watch::new(stack.sdk(), deployment.output("StateTableName"));
        Ok(Self { traffic: Traffic::new(address)?, answers: BTreeMap::new(), watch, transitions: Vec::new() })
    }

    /// Sends requests until the next transition and the first answer of its level. If `fail` is set, only the service
    /// of the current level fails. A fallback that fails would turn on an alarm that later gives no hint.
    ///
    /// # Errors
    /// There was no transition within the deadline, or it led to another level than `level`.
    pub async fn expect(&mut self, story: &str, fail: bool, level: u8) -> Result<TransitionRecord> {
        println!("\n{story}:");
        let begun = Instant::now();
        let failing = fail.then(|| level.saturating_sub(1).to_string());
        let mut fifth = None;
        let mut sent = 0_u32;
        let mut record: Option<TransitionRecord> = None;
        loop {
            let answer = self.traffic.account(failing.as_deref()).await?;
            let reached = answer.level == level.to_string();
            *self.answers.entry(answer).or_default() += 1;
            sent += 1;
            if fail && sent == 5 {
                fifth = Some(Instant::now());
            }
            if record.is_some() {
                // Without a pause these requests would delay the controller's read of the new level, because the
                // emulator uses only one processor.
                tokio::time::sleep(PACE).await;
            } else {
                record = tokio::time::timeout(PACE, self.watch.next()).await.ok().transpose()?;
                if let Some(record) = &record {
                    println!("  {}", line(record));
                    if record.to.number() != level {
                        bail!("expected a transition to level {level}, got one to level {}", record.to);
                    }
                }
            }
            if let Some(record) = record.take_if(|_| reached) {
                let after_fifth_failure = fifth.map(|fifth| fifth.elapsed());
                if let Some(passed) = after_fifth_failure {
                    println!("  {} ms from the fifth failure to the first answer of level {level}", passed.as_millis());
                }
                self.transitions.push(Transition { record: record.clone(), after_fifth_failure });
                return Ok(record);
            }
            if begun.elapsed() > PHASE_DEADLINE {
                let what = if record.is_some() { "no answer of" } else { "no transition to" };
                bail!("{what} level {level} within {} s: {story}", PHASE_DEADLINE.as_secs());
            }
        }
    }

    /// Prints the answers and the transitions as two tables.
    pub fn summary(&self) {
        println!("\nanswers  level  status  routed to");
        for (Answer { level, status, routed_to }, count) in &self.answers {
            println!("{count:>7}  {level:>5}  {status:>6}  {routed_to}");
        }
        println!("\ntransition  at        ms after the fifth failure  requested by");
        for Transition { record, after_fifth_failure } in &self.transitions {
            let passed = after_fifth_failure.map_or_else(|| "-".to_owned(), |passed| passed.as_millis().to_string());
            let trigger = match &record.request {
                Some(TransitionRequest::Alarm(_)) => "an alarm",
                Some(TransitionRequest::Schedule(_)) => "the schedule",
                Some(TransitionRequest::Force(_) | TransitionRequest::Release(_)) => "an operator",
                None => "-",
            };
            println!(
                "  {} -> {}    {}  {passed:>26}  {trigger}",
                record.from,
                record.to,
                record.at.strftime("%H:%M:%S")
            );
        }
    }

    /// Returns the watch of the state table.
    #[must_use]
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }
}
