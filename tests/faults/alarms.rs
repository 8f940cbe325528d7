//! Tests alarm messages as a real queue delivers them: more than once, in any order, and days late.

use std::time::Duration;

use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use breaker::{TransitionRecord, TransitionRequest};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::common::{System, eventually};
use crate::messages::{Sent, none_is_lost};
use crate::rig::alone;

/// Seed of the messages' order and age.
const SEED: u64 = 2026;
/// Number of messages of each half of the test.
const MESSAGES: usize = 100;
/// Number of copies of each message.
const COPIES: usize = 4;
/// Maximum number of messages in one call.
const BATCH: usize = 10;
/// Visibility timeout of the queue, long enough for a batch on a busy machine.
const VISIBILITY_SECONDS: u32 = 60;

/// Returns messages of alarms of every level, about changes of up to seven days ago. Each message is there several
/// times.
fn messages(system: &System, random: &mut StdRng) -> Vec<Sent> {
    let alarms = ["level-1-error-rate", "level-2-error-rate", "level-3-recovery", "level-2-recovery"];
    let distinct: Vec<_> = (0..MESSAGES / COPIES)
        .map(|number| Sent::about(system, alarms[number % alarms.len()], random.random_range(0..7 * 24 * 60)))
        .collect();
    let mut messages: Vec<_> = (0..COPIES).flat_map(|_| distinct.clone()).collect();
    messages.shuffle(random);
    messages
}

/// Sends the messages in batches, half of them through the topic and half directly into the queue.
async fn flood(system: &System, messages: &[Sent]) {
    let topics = aws_sdk_sns::Client::new(system.stack.sdk());
    for (number, batch) in messages.chunks(BATCH).enumerate() {
        let ids = (0..).map(|id: usize| id.to_string());
        if number % 2 == 0 {
            let entry = |(id, message): (_, &Sent)| {
                PublishBatchRequestEntry::builder().id(id).message(&message.body).build().unwrap()
            };
            let entries = ids.zip(batch).map(entry).collect();
            let topic = system.deployment.output("AlarmTopicArn");
            let call = topics.publish_batch().topic_arn(topic).set_publish_batch_request_entries(Some(entries));
            assert!(call.send().await.unwrap().failed().is_empty());
        } else {
            let entry = |(id, message): (_, &Sent)| {
                SendMessageBatchRequestEntry::builder().id(id).message_body(&message.body).build().unwrap()
            };
            let entries = ids.zip(batch).map(entry).collect();
            let queue = system.deployment.output("AlarmQueueUrl");
            let call = system.queues().send_message_batch().queue_url(queue).set_entries(Some(entries));
            assert!(call.send().await.unwrap().failed().is_empty());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Sends requests until the transition to `epoch`. If `failing` is set, only the service of the current level fails: if
/// the alarm of the next level were already on, it could not go off again.
async fn traffic(system: &System, failing: bool, epoch: u64) -> TransitionRecord {
    let mut level = "1".to_owned();
    eventually("the transition that this traffic causes", async || {
        let simulate = if failing && level != "3" { level.as_str() } else { "" };
        let answer = system.ask("GET", "/account/12345", simulate).await;
        assert_eq!(answer.status, 200, "the next level answers if one fails");
        level = answer.level;
        // The schedule is off. This evaluation replaces it, for recoveries that had to wait.
        if !failing {
            let _ = system.evaluate().await;
        }
        system.watch().record(epoch).await.unwrap()
    })
    .await
}

/// The messages are duplicated, shuffled and up to seven days old.
#[test]
fn duplicate_and_stale_alarms_leave_the_level_to_the_traffic() {
    alone(async |system, _| {
        let mut random = StdRng::seed_from_u64(SEED);
        system.messages_come_back_after(VISIBILITY_SECONDS).await;
        let before = system.epoch().await;
        let begun = Timestamp::now();

        // While requests succeed at level 1, no number of alarms moves the level.
        let quiet = messages(system, &mut random);
        flood(system, &quiet[..MESSAGES / 2]).await;
        for _ in 0..10 {
            assert_eq!(system.succeed().await.level, "1");
        }
        system.queue_is_empty().await;
        assert_eq!(system.epoch().await, before, "alarms are hints, not counts");

        let failing = messages(system, &mut random);
        let (second, ()) = tokio::join!(traffic(system, true, before + 2), flood(system, &failing));
        assert_eq!(second.to.number(), 3);
        assert!(matches!(second.request, Some(TransitionRequest::Alarm(_))), "{:?}", second.request);

        let (fourth, ()) = tokio::join!(traffic(system, false, before + 4), flood(system, &quiet[MESSAGES / 2..]));
        assert_eq!(fourth.to.number(), 1);

        none_is_lost(system, &[quiet, failing].concat(), begun).await;
        let history = system.history().await;
        let levels: Vec<_> =
            history.iter().skip_while(|record| record.epoch <= before).map(|record| record.to.number()).collect();
        assert_eq!(levels, [2, 3, 2, 1]);
        assert_eq!(system.routed(1, "table").await["circuitBreaker"]["state"]["epoch"], before + 4);
    });
}
