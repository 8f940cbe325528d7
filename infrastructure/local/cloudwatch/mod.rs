//! What the local AWS lacks of `CloudWatch`, supplied through public APIs only: embedded metrics are
//! taken out of the Lambdas' logs, and alarms, metric math included, are evaluated as `CloudWatch` documents it,
//! every second.

pub mod alarm;
pub mod embedded;
pub mod math;
pub mod notification;
pub mod watched;

#[cfg(test)]
mod alarm_tests;
mod aws;
#[cfg(test)]
mod hint_tests;
mod logs;
mod reason;
mod watch;

use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use jiff::Timestamp;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};

use self::alarm::EvaluationSettings;
use self::aws::Aws;
use self::logs::Extraction;
use self::watch::Watch;

pub use self::watch::AlarmStatus;

const LOGS_EVERY: Duration = Duration::from_millis(150);
const ALARMS_EVERY: Duration = Duration::from_secs(1);

/// A server that takes a connection and never answers must not hold a task for ever.
const LOOK_TIMEOUT: Duration = Duration::from_secs(15);

/// The stand-in, running.
#[derive(Debug)]
pub struct StandIn {
    tasks: Vec<JoinHandle<()>>,
    statuses: channel::Receiver<Vec<AlarmStatus>>,
}

impl StandIn {
    /// Starts it against the server that this configuration names. It works until it is stopped or
    /// dropped; while the server is away it waits for it.
    ///
    /// What was logged before is left alone: start it before the first request.
    ///
    /// # Errors
    /// When the configuration names no endpoint: in the cloud there is nothing to stand in for, and
    /// it would take the deployment's alarms apart.
    #[expect(clippy::unused_async, reason = "it spawns tasks, so it must be called in a runtime")]
    pub async fn start(config: &SdkConfig) -> Result<Self> {
        config.endpoint_url().context("the CloudWatch stand-in needs an endpoint (AWS_ENDPOINT_URL)")?;
        let cloud = Aws::new(config);
        let (sender, statuses) = channel::channel(Vec::new());
        let extraction = Extraction::new(cloud.clone(), Timestamp::now());
        let watch = Watch::new(cloud, EvaluationSettings::LOCAL);
        let tasks = vec![tokio::spawn(follow_logs(extraction)), tokio::spawn(follow_alarms(watch, sender))];
        Ok(Self { tasks, statuses })
    }

    /// The alarms that it has taken over, by name.
    #[must_use]
    pub fn alarms(&self) -> Vec<AlarmStatus> {
        self.statuses.borrow().clone()
    }

    /// Stops it, and returns when nothing of it runs any more.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An aborted task ends with an error; that it ended is all that counts.
            let _ = task.await;
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn follow_logs(mut extraction: Extraction<Aws>) {
    let mut ticks = ticks(LOGS_EVERY);
    let mut trouble = Trouble::new("metrics from logs");
    loop {
        ticks.tick().await;
        let outcome = time::timeout(LOOK_TIMEOUT, extraction.look(Timestamp::now())).await;
        trouble.report(outcome.context("no answer in time").flatten());
    }
}

async fn follow_alarms(mut watch: Watch<Aws>, statuses: channel::Sender<Vec<AlarmStatus>>) {
    let mut ticks = ticks(ALARMS_EVERY);
    let mut trouble = Trouble::new("alarms");
    loop {
        ticks.tick().await;
        let outcome = time::timeout(LOOK_TIMEOUT, watch.look(Timestamp::now())).await;
        trouble.report(outcome.context("no answer in time").flatten());
        statuses.send_replace(watch.statuses());
    }
}

fn ticks(every: Duration) -> time::Interval {
    let mut ticks = time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Logs an error once, not at every tick while it lasts.
struct Trouble {
    part: &'static str,
    last: Option<String>,
}

impl Trouble {
    fn new(part: &'static str) -> Self {
        Self { part, last: None }
    }

    fn report(&mut self, outcome: Result<()>) {
        let now = outcome.err().map(|error| format!("{error:#}"));
        if now != self.last {
            if let Some(error) = &now {
                tracing::warn!(part = self.part, error, "cloudwatch.trouble");
            } else {
                tracing::info!(part = self.part, "cloudwatch.recovered");
            }
            self.last = now;
        }
    }
}
