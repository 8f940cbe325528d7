//! Tests a hold from its start to its release.

use breaker::{Cause, Level, Outcome, TransitionRequest};
use serde_json::json;

use crate::common::{eventually, force_to, with};
use crate::rig::alone;

#[test]
fn after_a_hold_only_fresh_evidence_counts() {
    alone(async |system, _| {
        let epoch = system.epoch().await;
        let hold = with(force_to(1), json!({"holdMinutes": 60, "reason": "a drill", "requestedBy": "alice"}));
        let name = format!("hold-at-epoch-{epoch}");
        let answer = system.execute_as(Some(&name), &hold).await.unwrap();
        assert_eq!((&answer["outcome"], &answer["to"]), (&json!("record"), &json!(1)));
        let status = eventually("the hold in the status", async || {
            let status = system.status().await;
            status["circuitBreaker"]["state"]["hold"].is_object().then_some(status)
        })
        .await;
        let shown = &status["circuitBreaker"]["state"]["hold"];
        assert_eq!(
            (&shown["level"], &shown["reason"], &shown["requestedBy"]),
            (&json!(1), &json!("a drill"), &json!("alice"))
        );

        system.fail_until_seen(6).await;
        let evaluated = system.evaluate().await.unwrap();
        assert_ne!(evaluated["outcome"], "transition");
        let cause = &evaluated["cause"];
        assert_eq!((&cause["kind"], &cause["to"]), (&json!("prevented"), &json!(2)), "{cause}");
        assert_eq!((&cause["prevented"]["by"], &cause["prevented"]["level"]), (&json!("hold"), &json!(1)), "{cause}");
        // Those failures also raised an alarm. Its evaluation moves nothing either.
        system.queue_is_empty().await;
        assert_eq!(system.epoch().await, epoch);
        assert_eq!(system.fail().await.level, "1");

        let release = json!({"trigger": "release", "reason": "the drill is over", "requestedBy": "bob"});
        let released = format!("release-at-epoch-{epoch}");
        system.execute_as(Some(&released), &release).await.unwrap();
        let evaluated = system.evaluate().await.unwrap();
        assert_eq!((&evaluated["to"], &evaluated["newState"]["epoch"]), (&json!(1), &json!(epoch)), "{evaluated}");
        system.routed(1, "table").await;

        system.fail_until_seen(5).await;
        system.evaluate().await.unwrap();
        let fallen = system.transition(epoch + 1).await;
        assert_eq!((fallen.from, fallen.to), (Level::Full, Level::Degraded));
        assert_eq!(system.epoch().await, epoch + 1);

        let (hold, release) = (system.command(&name).await.unwrap(), system.command(&released).await.unwrap());
        for (command, name, who) in [(&hold, &name, "alice"), (&release, &released, "bob")] {
            assert_eq!((&command.name, command.outcome, command.epoch), (name, Outcome::Record, epoch));
            assert_eq!((command.from, command.to), (Level::Full, Level::Full));
            let cause = command.cause.as_ref().unwrap().known();
            assert!(matches!(cause, Some(Cause::Command(cause)) if cause.requested_by == who), "{cause:?}");
            assert!(command.execution.ends_with(name.as_str()));
        }
        assert!(hold.version < release.version);
        assert!(matches!(&hold.request, TransitionRequest::Force(force) if force.hold_minutes == Some(60)));
        let again = system.execute(&release_again()).await.unwrap();
        assert_eq!(again["cause"], json!({"kind": "noEffect", "because": "noHold", "level": 2}));
    });
}

fn release_again() -> serde_json::Value {
    json!({"trigger": "release", "reason": "once more", "requestedBy": "bob"})
}
