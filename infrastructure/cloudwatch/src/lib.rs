//! What the local AWS lacks of `CloudWatch`, supplied through public APIs only: embedded metrics are
//! taken out of the Lambdas' logs, and alarms, metric math included, are evaluated as `CloudWatch` documents it,
//! every second while something happens and every five seconds while nothing does.

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
    /// When the configuration names no endpoint: in the cloud nothing needs to be replaced, and
    /// it would take the deployment's alarms apart.
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

/// Reads the logs, and says in `activity` when there was something new in them.
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
        // What happens ends an idle pause, and no busy one.
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
