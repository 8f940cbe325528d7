//! Reads the Lambdas' log groups and puts the metrics embedded in their lines, each event once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use jiff::Timestamp;

use crate::embedded::{self, EmbeddedDatum};

/// The log groups of Lambda functions.
pub(crate) const GROUP_PREFIX: &str = "/aws/lambda/";

/// Overlap of two reads. An event that appears later than this after its time is missed.
const REREAD: Duration = Duration::from_secs(10);

/// Maximum number of data in one `PutMetricData` call.
const BATCH: usize = 1000;

/// Maximum number of values in one datum.
const VALUES: usize = 150;

/// Maximum number of data that wait while the server does not answer; beyond it the oldest are dropped.
const WAITING: usize = 100_000;

/// A log line with its stream and time. Two events can be equal in all three.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogEvent {
    /// The log stream.
    pub stream: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The line.
    pub message: String,
}

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogGroup {
    /// The name.
    pub name: String,
    /// Number of stored bytes. AWS updates it late; the local server counts it for each answer.
    pub bytes: i64,
}

/// The result of one pass over the log groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logs {
    /// Lines were added to a group.
    Changed,
    /// No group changed.
    Quiet,
}

/// The source of log lines.
pub(crate) trait LogSource {
    /// Returns the groups whose names begin with `prefix`.
    fn groups(&self, prefix: &str) -> impl Future<Output = Result<Vec<LogGroup>>> + Send;
    /// Returns all events of the group since `from` (milliseconds since 1970) that may contain embedded metrics.
    fn events(&self, group: &str, from: i64) -> impl Future<Output = Result<Vec<LogEvent>>> + Send;
}

/// The destination of metrics.
pub(crate) trait MetricSink {
    /// Puts data of one namespace.
    fn put(&self, namespace: &str, data: &[EmbeddedDatum]) -> impl Future<Output = Result<()>> + Send;
}

/// The events of one group that were read before, each with its number, to find the new ones of a read.
///
/// The number is needed because the server's events have no ids, and two equal lines in one millisecond are two events.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    times: HashMap<LogEvent, usize>,
    /// Time of the last read, in milliseconds since 1970.
    read_at: Option<i64>,
    /// Number of bytes in the group before the last read. If it is unchanged, the group has no new events.
    bytes: Option<i64>,
}

impl Seen {
    /// Returns the events that the last read did not have. Forgets those before `from`, because no later read returns
    /// them again.
    pub(crate) fn fresh(&mut self, events: Vec<LogEvent>, from: i64) -> Vec<LogEvent> {
        self.times.retain(|event, _| event.at >= from);
        let mut read: HashMap<LogEvent, usize> = HashMap::new();
        let mut fresh = Vec::new();
        for event in events.into_iter().filter(|event| event.at >= from) {
            let times = read.entry(event.clone()).or_default();
            *times += 1;
            let seen = self.times.entry(event.clone()).or_default();
            if *times > *seen {
                *seen = *times;
                fresh.push(event);
            }
        }
        fresh
    }
}

/// Reads logs and puts metrics, one pass at a time.
pub(crate) struct Extraction<C> {
    cloud: C,
    /// Time from which on events are read (UTC). Older events belong to another run.
    since: Timestamp,
    groups: BTreeMap<String, Seen>,
    waiting: VecDeque<EmbeddedDatum>,
}

impl<C: LogSource + MetricSink> Extraction<C> {
    pub(crate) fn new(cloud: C, since: Timestamp) -> Self {
        Self { cloud, since, groups: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// Makes one pass over all groups that changed. Data that could not be put wait for the next pass.
    pub(crate) async fn look(&mut self, now: Timestamp) -> Result<Logs> {
        let found = self.find_changed().await;
        let (changed, found) = match found {
            Ok(changed) => (changed, Ok(())),
            Err(error) => (BTreeMap::new(), Err(error)),
        };
        let read = self.read(&changed, now).await;
        let put = self.put().await;
        found.and(read).and(put)?;
        Ok(if changed.is_empty() { Logs::Quiet } else { Logs::Changed })
    }

    /// Returns the groups whose number of bytes has changed since they were last read, by name.
    async fn find_changed(&mut self) -> Result<BTreeMap<String, i64>> {
        let found = self.cloud.groups(GROUP_PREFIX).await?;
        self.groups.retain(|name, _| found.iter().any(|group| group.name == *name));
        let changed = found.into_iter().filter_map(|LogGroup { name, bytes }| {
            let seen = self.groups.entry(name.clone()).or_default();
            (seen.bytes != Some(bytes)).then_some((name, bytes))
        });
        Ok(changed.collect())
    }

    async fn read(&mut self, changed: &BTreeMap<String, i64>, now: Timestamp) -> Result<()> {
        // Relative to the last successful read, not to now: if reads fail or are late for longer than the overlap,
        // no line may be lost.
        let (cloud, since) = (&self.cloud, self.since.as_millisecond());
        let reread = i64::try_from(REREAD.as_millis()).unwrap_or_default();
        let from = |seen: &Seen| seen.read_at.map_or(since, |at| (at - reread).max(since));
        let groups: Vec<_> =
            self.groups.iter_mut().filter_map(|(name, seen)| Some((name, seen, *changed.get(name)?))).collect();
        let reads = join_all(groups.iter().map(|(group, seen, _)| cloud.events(group, from(seen)))).await;
        let mut outcome = Ok(());
        for ((_, seen, bytes), events) in groups.into_iter().zip(reads) {
            match events {
                Ok(events) => {
                    let fresh = seen.fresh(events, from(seen));
                    (seen.read_at, seen.bytes) = (Some(now.as_millisecond()), Some(bytes));
                    self.waiting
                        .extend(fresh.iter().flat_map(|event| embedded::parse(&event.message)).flat_map(within_limits));
                }
                // A group that was deleted meanwhile must not prevent the reads of the others.
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    async fn put(&mut self) -> Result<()> {
        while let Some(namespace) = self.waiting.front().map(|datum| datum.namespace.clone()) {
            let is_next = |datum: &&EmbeddedDatum| datum.namespace == namespace;
            let batch: Vec<EmbeddedDatum> = self.waiting.iter().filter(is_next).take(BATCH).cloned().collect();
            if let Err(error) = self.cloud.put(&namespace, &batch).await {
                self.waiting.drain(..self.waiting.len().saturating_sub(WAITING));
                return Err(error);
            }
            let mut sent = 0;
            self.waiting.retain(|datum| {
                let goes = datum.namespace == namespace && sent < batch.len();
                sent += usize::from(goes);
                !goes
            });
        }
        Ok(())
    }
}

/// Splits a datum that has more values than the API accepts.
fn within_limits(datum: EmbeddedDatum) -> Vec<EmbeddedDatum> {
    if datum.values.len() <= VALUES {
        return vec![datum];
    }
    datum.values.chunks(VALUES).map(|values| EmbeddedDatum { values: values.to_vec(), ..datum.clone() }).collect()
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
