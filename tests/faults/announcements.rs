//! Tests the messages to the alerts topic: each transition is announced once, with the data of its record.

use std::collections::BTreeMap;

use breaker::TransitionRecord;
use serde_json::{Value, json};

use crate::common::{System, eventually, force_to, with};
use crate::proxy::{Calls, Fault};
use crate::rig::alone;

/// A queue that is subscribed to the alerts topic.
struct Inbox<'a> {
    system: &'a System,
    queue: String,
    subscription: String,
}

/// A message to people.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    subject: String,
    message: Value,
}

impl<'a> Inbox<'a> {
    async fn open(system: &'a System) -> Self {
        let created = system.queues().create_queue().queue_name(format!("inbox-{:016x}", rand::random::<u64>()));
        let queue = created.send().await.unwrap().queue_url.unwrap();
        let name = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
        let asked = system.queues().get_queue_attributes().queue_url(&queue).attribute_names(name.clone());
        let arn = asked.send().await.unwrap().attributes.unwrap()[&name].clone();
        let topics = aws_sdk_sns::Client::new(system.stack.sdk());
        let subscribed = topics.subscribe().topic_arn(system.deployment.output("AlertTopicArn"));
        let subscription = subscribed.protocol("sqs").endpoint(arn).send().await.unwrap().subscription_arn.unwrap();
        Self { system, queue, subscription }
    }

    /// Waits for the message about the transition to `epoch`. Returns all messages until then, by epoch.
    async fn until(&self, epoch: u64) -> BTreeMap<u64, Vec<Told>> {
        let mut all: BTreeMap<u64, Vec<Told>> = BTreeMap::new();
        eventually(&format!("the message about epoch {epoch}"), async || {
            let received = self.system.queues().receive_message().queue_url(&self.queue).max_number_of_messages(10);
            for message in received.send().await.unwrap().messages() {
                let told = told(message.body().unwrap());
                // Messages of alarms, which come through the same topic, have no epoch.
                if let Some(epoch) = told.message["epoch"].as_u64() {
                    all.entry(epoch).or_default().push(told);
                }
                let receipt = message.receipt_handle().unwrap();
                self.system
                    .queues()
                    .delete_message()
                    .queue_url(&self.queue)
                    .receipt_handle(receipt)
                    .send()
                    .await
                    .unwrap();
            }
            all.contains_key(&epoch).then_some(())
        })
        .await;
        all
    }

    async fn close(self) {
        let topics = aws_sdk_sns::Client::new(self.system.stack.sdk());
        topics.unsubscribe().subscription_arn(self.subscription).send().await.unwrap();
        self.system.queues().delete_queue().queue_url(self.queue).send().await.unwrap();
    }
}

fn told(body: &str) -> Told {
    let envelope: Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
    Told { subject: text("Subject"), message: serde_json::from_str(&text("Message")).unwrap_or_default() }
}

/// Checks the message about the transition of `record`.
fn tells(told: &Told, system: &System, record: &TransitionRecord) {
    let (from, to) = (record.from.number(), record.to.number());
    assert_eq!(told.subject, format!("{}: level {from} to level {to}", system.deployment.name));
    let Told { message, .. } = told;
    let recorded = json!(record);
    for (member, expected) in [
        ("deployment", json!(system.deployment.name)),
        ("summary", json!(format!("Level {from} to level {to}: {}", record.reason))),
        ("from", json!(from)),
        ("to", json!(to)),
        ("reason", json!(record.reason)),
        ("cause", recorded["cause"].clone()),
        ("requestedBy", recorded["requestedBy"].clone()),
        ("wokenBy", recorded["wokenBy"].clone()),
        ("at", json!(record.at)),
        ("epoch", json!(record.epoch)),
        ("request", json!(record.request)),
        ("trigger", json!(record.request)["trigger"].clone()),
        ("evidence", record.evidence.map_or(json!({}), |evidence| json!(evidence))),
        ("execution", json!(record.execution)),
    ] {
        assert_eq!(message[member], expected, "{member} in {message:#}");
    }
    // Only the message about an evaluation that an alarm started has `wokenBy`.
    let members = 13 + usize::from(record.woken_by.is_some());
    assert_eq!(message.as_object().unwrap().len(), members, "{message:#}");
}

async fn evaluations(system: &System) -> f64 {
    system.sum("CircuitBreaker/Transitions", "Evaluation", &[]).await
}

#[test]
fn each_transition_is_announced_once_and_a_dry_run_never() {
    alone(async |system, _| {
        let before = system.epoch().await;
        let inbox = Inbox::open(system).await;
        system.fail_until_an_alarm().await;
        system.transition(before + 1).await;
        system.queue_is_empty().await;
        assert_eq!(system.force(3).await.unwrap()["outcome"], "transition");

        let emitted = evaluations(system).await;
        let dry_run = with(force_to(1), json!({"dryRun": true}));
        assert_eq!(system.execute(&dry_run).await.unwrap()["outcome"], "transition");
        assert_eq!(system.evaluate_dry().await["dryRun"], true);
        assert!((evaluations(system).await - emitted).abs() < 0.5, "a dry run emits nothing");
        assert_eq!(system.epoch().await, before + 2);

        // If a dry run sent a message, it would arrive before the message about this transition.
        assert_eq!(system.force(2).await.unwrap()["outcome"], "transition");
        let told = inbox.until(before + 3).await;
        inbox.close().await;
        let history = system.history().await;
        let moved: Vec<_> = history.iter().skip_while(|record| record.epoch <= before).collect();
        assert_eq!(told.keys().copied().collect::<Vec<_>>(), [before + 1, before + 2, before + 3]);
        for record in moved {
            let [once] = told[&record.epoch].as_slice() else { panic!("not once: {:#?}", told[&record.epoch]) };
            tells(once, system, record);
        }
    });
}

#[test]
fn a_hold_that_a_command_ends_is_announced_with_the_command() {
    alone(async |system, _| {
        let before = system.epoch().await;
        let hold = |level: u8| with(force_to(level), json!({"holdMinutes": 30, "requestedBy": "alice"}));
        system.execute(&hold(3)).await.unwrap();
        let inbox = Inbox::open(system).await;
        system.force(2).await.unwrap();
        system.execute(&hold(2)).await.unwrap();
        let release = json!({"trigger": "release", "reason": "over", "requestedBy": "bob"});
        assert_eq!(system.execute(&release).await.unwrap()["endedHold"]["level"], 2);
        system.force(1).await.unwrap();

        // The last of these messages comes after all others.
        let told = inbox.until(before + 3).await;
        inbox.close().await;
        assert_eq!(told[&(before + 2)].len(), 2, "{told:#?}");
        let ending = |level: u8| {
            let ended = format!("; this ended the hold of level {level} by alice until ");
            let found = told[&(before + 2)].iter().find(|told| told.message["endedHold"]["level"] == level).unwrap();
            assert!(found.message["summary"].as_str().unwrap().contains(&ended), "{found:#?}");
            found
        };
        ending(3);
        let released = ending(2);
        assert_eq!(released.subject, format!("{}: level 2, a hold was ended", system.deployment.name));
        assert_eq!(told[&(before + 3)][0].message.get("endedHold"), None);
    });
}

/// The writer's reply is lost, and the level moves again meanwhile. The announcement still has the writer's own epoch.
#[test]
fn a_lost_reply_is_announced_with_its_own_epoch() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        let inbox = Inbox::open(system).await;
        let writes = || Calls::to("dynamodb", "TransactWriteItems").saying("operator-one");
        let lost = proxy.inject(writes(), Fault::LoseAnswer, Some(1));
        let again = proxy.inject(writes(), Fault::Hold, None);
        let command = with(force_to(2), json!({"requestedBy": "operator-one"}));
        let meanwhile = async {
            lost.hit(1).await;
            again.hit(1).await;
            system.force(3).await.unwrap();
            drop(again);
        };
        let (one, ()) = tokio::join!(system.execute(&command), meanwhile);
        assert_eq!(one.unwrap()["outcome"], "transition");

        let told = inbox.until(before + 1).await;
        inbox.close().await;
        let history = system.history().await;
        let record = history.iter().find(|record| record.epoch == before + 1).unwrap();
        tells(&told[&(before + 1)][0], system, record);
    });
}
