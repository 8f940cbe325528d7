//! Adds the `CloudWatch` features that the local AWS lacks, through public APIs only.
//!
//! The stand-in extracts embedded metrics from the Lambdas' logs. It evaluates alarms, metric math included, as
//! `CloudWatch` documents it: every second while there is activity, else every five seconds.

pub mod definition;
pub mod embedded;
pub mod evaluation;
pub mod math;
pub mod notification;
pub mod series;
pub mod watched;

mod aws;
#[cfg(test)]
mod evaluation_tests;
#[cfg(test)]
mod hint_tests;
mod logs;
mod pace;
mod reason;
mod watch;

use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use jiff::Timestamp;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};

use crate::aws::Aws;
use crate::evaluation::EvaluationSettings;
use crate::logs::{Extraction, Logs};
use crate::pace::{News, Pace, Trouble};
use crate::watch::Watch;

pub use crate::watch::AlarmStatus;

const LOGS: Pace = Pace { busy: Duration::from_millis(150), idle: Duration::from_secs(1) };
const ALARMS: Pace = Pace { busy: Duration::from_secs(1), idle: Duration::from_secs(5) };

/// Timeout of a pass: a server that accepts a connection and never answers must not block a task for ever.
const LOOK_TIMEOUT: Duration = Duration::from_secs(15);

/// The running stand-in.
#[derive(Debug)]
pub struct StandIn {
    tasks: Vec<JoinHandle<()>>,
    statuses: channel::Receiver<Vec<AlarmStatus>>,
}

impl StandIn {
    /// Starts the stand-in for the server at the configuration's endpoint. It runs until it is stopped or dropped, and
    /// waits while the server does not answer.
    ///
    /// It ignores older log lines, so start it before the first request.
    ///
    /// # Errors
    /// The configuration has no endpoint. On AWS the stand-in is unnecessary and would interfere with the deployment's
    /// alarms.
    #[expect(clippy::unused_async, reason = "it spawns tasks, so it must be called in a runtime")]
    pub async fn start(config: &SdkConfig) -> Result<Self> {
        config.endpoint_url().context("the CloudWatch stand-in needs an endpoint (AWS_ENDPOINT_URL)")?;
        let cloud = Aws::new(config);
        let (sender, statuses) = channel::channel(Vec::new());
        let extraction = Extraction::new(cloud.clone(), Timestamp::now());
        let watch = Watch::new(cloud, EvaluationSettings::LOCAL);
        let (activity, seen) = channel::channel(Instant::now());
        let logs = tokio::spawn(follow_logs(extraction, activity));
        let tasks = vec![logs, tokio::spawn(follow_alarms(watch, sender, seen))];
        Ok(Self { tasks, statuses })
    }

    /// Returns the alarms that the stand-in evaluates, by name.
    #[must_use]
    pub fn alarms(&self) -> Vec<AlarmStatus> {
        self.statuses.borrow().clone()
    }

    /// Stops the stand-in, and returns once its tasks have ended.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An aborted task ends with an error, which is expected here.
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

/// Reads the logs, and sends the time to `activity` when they have new lines.
async fn follow_logs(mut extraction: Extraction<Aws>, activity: channel::Sender<Instant>) {
    let mut trouble = Trouble::default();
    loop {
        let outcome = time::timeout(LOOK_TIMEOUT, extraction.look(Timestamp::now())).await;
        let outcome = outcome.context("no answer in time").flatten();
        if matches!(outcome, Ok(Logs::Changed)) {
            activity.send_replace(Instant::now());
        }
        tell("metrics from logs", trouble.news(outcome.map(drop), Instant::now()));
        let quiet = activity.borrow().elapsed();
        time::sleep(LOGS.pause(quiet)).await;
    }
}

async fn follow_alarms(
    mut watch: Watch<Aws>,
    statuses: channel::Sender<Vec<AlarmStatus>>,
    mut activity: channel::Receiver<Instant>,
) {
    let mut trouble = Trouble::default();
    loop {
        let outcome = time::timeout(LOOK_TIMEOUT, watch.look(Timestamp::now())).await;
        tell("alarms", trouble.news(outcome.context("no answer in time").flatten(), Instant::now()));
        statuses.send_replace(watch.statuses());
        let quiet = activity.borrow_and_update().elapsed();
        // Activity ends an idle pause, but not a busy one.
        tokio::select! {
            () = time::sleep(ALARMS.pause(quiet)) => {}
            Ok(()) = activity.changed(), if ALARMS.pause(quiet) == ALARMS.idle => {}
        }
    }
}

fn tell(part: &str, news: Option<News>) {
    match news {
        Some(News::Fails(error)) => tracing::warn!(part, error, "cloudwatch.trouble"),
        Some(News::Works) => tracing::info!(part, "cloudwatch.recovered"),
        None => {}
    }
}
