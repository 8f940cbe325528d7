//! Tests the chain while `DynamoDB`, `CloudWatch` or SNS refuses calls.

use jiff::Timestamp;
use serde_json::json;

use crate::common::{System, eventually};
use crate::messages::{Sent, none_is_lost, the_alarms_own_is_not_lost};
use crate::proxy::{Calls, Fault, Injection};
use crate::rig::alone;

/// Number of messages that arrive while a service refuses.
const MESSAGES: usize = 5;

/// Sends alarms while `faults` last. Checks that all of them are evaluated afterwards.
async fn catches_up(system: &System, faults: Vec<Injection>, meanwhile: impl AsyncFnOnce()) {
    let before = system.epoch().await;
    let (begun, failed) = (Timestamp::now(), failures(system).await);
    system.fail_until_an_alarm().await;
    let sent: Vec<_> = (0..MESSAGES).map(|_| Sent::about(system, "level-1-error-rate", 0)).collect();
    for message in &sent {
        system.send(&message.body).await;
    }
    meanwhile().await;
    eventually("messages that go back to the queue", async || (failures(system).await > failed).then_some(())).await;
    assert_eq!(system.history().await.last().unwrap().to.number(), 1, "no decision without evidence");
    drop(faults);
    let record = system.transition(before + 1).await;
    assert_eq!((record.from.number(), record.to.number()), (1, 2));
    none_is_lost(system, &sent, begun).await;
    the_alarms_own_is_not_lost(system, "level-1-error-rate", begun).await;
    assert_eq!(system.epoch().await, before + 1);
}

async fn notifications_missing(system: &System) -> f64 {
    system.sum("CircuitBreaker/Transitions", "NotificationMissing", &[]).await
}

async fn failures(system: &System) -> f64 {
    system.processor_sum("ProcessingErrors").await
}

#[test]
fn while_dynamodb_refuses_requests_are_answered_and_alarms_wait() {
    alone(async |system, proxy| {
        let refusal = proxy.inject(Calls::to("dynamodb", ""), Fault::Refuse, None);
        catches_up(system, vec![refusal], async || {
            system.routed(1, "lastKnown").await;
            let answer = system.succeed().await;
            assert_eq!((answer.status, answer.level.as_str()), (200, "1"));
            let (error, cause) = system.force(3).await.unwrap_err();
            assert_eq!(error, "StateUnavailable", "{cause}");
        })
        .await;
        system.routed(2, "table").await;
    });
}

#[test]
fn while_cloudwatch_breaks_off_operators_force_and_alarms_wait() {
    alone(async |system, proxy| {
        let broken = proxy.inject(Calls::to("monitoring", ""), Fault::Break, None);
        // In the first second after a transition there is no evidence to read.
        let (error, _) = eventually("an evaluation that reads", async || system.evaluate().await.err()).await;
        assert_eq!(error, "MetricsUnavailable");
        assert_eq!(system.force(2).await.unwrap()["outcome"], "transition");
        assert_eq!(system.force(1).await.unwrap()["outcome"], "transition");
        catches_up(system, vec![broken], async || {}).await;
    });
}

#[test]
fn transitions_are_written_while_sns_refuses() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        // CloudWatch's message is refused, and is delivered once the topic accepts it.
        let refusal = proxy.inject(Calls::to("sns", "").of_runner(), Fault::Refuse, None);
        system.fail_until_an_alarm().await;
        refusal.hit(1).await;
        assert_eq!(system.epoch().await, before);
        let missing = notifications_missing(system).await;
        // The state machine's own notification fails, because its topic is deleted.
        let topics = aws_sdk_sns::Client::new(system.stack.sdk());
        let alerts = system.deployment.output("AlertTopicArn");
        topics.delete_topic().topic_arn(alerts).send().await.unwrap();
        drop(refusal);
        let record = system.transition(before + 1).await;
        assert_eq!(record.to.number(), 2);
        let forced = system.force(3).await.unwrap();
        assert_eq!((&forced["outcome"], &forced["newState"]["epoch"]), (&json!("transition"), &json!(before + 2)));
        system.queue_is_empty().await;
        assert_eq!(system.dead_letters().await, 0);
        eventually("the metric about two messages that were not delivered", async || {
            (notifications_missing(system).await - missing > 1.5).then_some(())
        })
        .await;

        let name = alerts.rsplit(':').next().unwrap();
        assert_eq!(topics.create_topic().name(name).send().await.unwrap().topic_arn(), Some(alerts));
    });
}
