//! Follows alarm messages in the alarm processor's log, message by message.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::common::{System, alarm_message, eventually};

/// The ids of the messages that the alarm processor has processed, by the alarm's name.
pub type Handled = BTreeMap<String, BTreeSet<String>>;

/// An alarm message with a unique alarm name. Copies of the message share the name.
#[derive(Clone, Debug)]
pub struct Sent {
    pub name: String,
    pub body: String,
}

impl Sent {
    /// Returns a message of the alarm whose name contains `part`, about a change in the past.
    pub fn about(system: &System, part: &str, minutes_ago: i64) -> Self {
        let mut message: Value = serde_json::from_str(&alarm_message(system, part, minutes_ago)).unwrap();
        let name = format!("{} {:016x}", message["AlarmName"].as_str().unwrap(), rand::random::<u64>());
        message["AlarmName"] = name.clone().into();
        Self { name, body: message.to_string() }
    }
}

/// Returns the messages that were processed since a time, without those that returned to the queue.
pub async fn handled(system: &System, since: Timestamp) -> Handled {
    let (project, environment) = system.deployment.name.rsplit_once('-').unwrap();
    let group = format!("/aws/lambda/{project}-alarm-processor-{environment}");
    let logs = aws_sdk_cloudwatchlogs::Client::new(system.stack.sdk());
    let mut handled = Handled::new();
    let mut from = since.as_millisecond();
    loop {
        let mut last = from;
        let mut pages = logs.filter_log_events().log_group_name(&group).start_time(from).into_paginator().send();
        while let Some(page) = pages.next().await {
            for event in page.unwrap().events() {
                last = last.max(event.timestamp().unwrap());
                let Ok(line) = serde_json::from_str::<Value>(event.message().unwrap()) else { continue };
                let said = line["message"].as_str().unwrap_or_default();
                if ["an alarm was evaluated", "an alarm that did not go off is acknowledged"].contains(&said) {
                    let text = |field: &str| line[field].as_str().unwrap().to_owned();
                    handled.entry(text("alarm.name")).or_default().insert(text("message.id"));
                }
            }
        }
        // The local server truncates a long answer without a token. Read on from its last event.
        if last == from {
            return handled;
        }
        from = last;
    }
}

/// Checks that every copy of these messages was processed and that there is no dead letter.
pub async fn none_is_lost(system: &System, sent: &[Sent], since: Timestamp) {
    let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
    for message in sent {
        *copies.entry(&message.name).or_default() += 1;
    }
    system.queue_is_empty().await;
    assert_eq!(system.dead_letters().await, 0, "there are dead letters");
    let mut lost = sent.len();
    let all_found = eventually("the end of every message", async || {
        let handled = handled(system, since).await;
        let found = |name: &str| handled.get(name).map_or(0, BTreeSet::len);
        lost = copies.iter().map(|(name, copies)| copies.saturating_sub(found(name))).sum();
        (lost == 0).then(|| handled.values().map(BTreeSet::len).sum::<usize>())
    });
    let all = all_found.await;
    println!("{} messages sent, {lost} lost; {all} processed, those of real alarms included", sent.len());
}

/// Checks that the message of a real alarm was processed, after any number of deliveries.
pub async fn the_alarms_own_is_not_lost(system: &System, part: &str, since: Timestamp) {
    system.queue_is_empty().await;
    assert_eq!(system.dead_letters().await, 0, "there are dead letters");
    let ids = eventually("the end of the alarm's message", async || {
        let handled = handled(system, since).await;
        // The alarm names that tests invent contain a space.
        handled.into_iter().find(|(name, _)| name.contains(part) && !name.contains(' ')).map(|(_, ids)| ids)
    })
    .await;
    println!("{} messages of the alarm, all processed", ids.len());
}
