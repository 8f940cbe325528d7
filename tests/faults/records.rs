//! Tests the audit trail in the table: how long records stay, how they are shown, and repairs with corrupt records.

use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{command_key, transition_key};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::common::{STATE, System, eventually, force_to, with};
use crate::rig::alone;

/// Returns the item's time to expiry, in days after `at`; `None` if it never expires.
async fn days_kept(system: &System, key: &str) -> Option<f64> {
    let item = system.item(key).await.unwrap();
    let at: Timestamp = item["at"].as_s().unwrap().parse().unwrap();
    let ttl: i64 = item.get("ttl")?.as_n().unwrap().parse().unwrap();
    Some(
        Timestamp::from_second(ttl).unwrap().duration_since(at).as_secs_f64()
            / SignedDuration::from_hours(24).as_secs_f64(),
    )
}

#[test]
fn only_the_state_and_record_0_are_kept_for_ever() {
    alone(async |system, _| {
        let name = format!("kept-{:016x}", rand::random::<u64>());
        system.execute_as(Some(&name), &force_to(2)).await.unwrap();
        for key in [transition_key(system.epoch().await), command_key(&name)] {
            let days = days_kept(system, &key).await.unwrap();
            assert!((days - 400.0).abs() < 0.01, "{key}: {days} days");
        }
        assert_eq!(days_kept(system, &transition_key(0)).await, None);
        assert!(!system.item(STATE).await.unwrap().contains_key("ttl"));
    });
}

#[test]
fn the_status_lists_the_newest_records() {
    alone(async |system, _| {
        for level in [2, 3, 1] {
            system.force(level).await.unwrap();
        }
        let newest = system.epoch().await;
        eventually("the newest epoch in the status", async || {
            (system.status().await["circuitBreaker"]["state"]["epoch"] == newest).then_some(())
        })
        .await;
        let mut recorded: Vec<Value> = system.history().await.iter().map(|record| json!(record)).collect();
        recorded.reverse();
        for count in [1, 3, 100] {
            // Shown records may be ten seconds old, and on a busy machine a read may exceed the request's limit.
            let shown = eventually("a history with the newest record", async || {
                let mut status = system.status_with(&format!("history={count}")).await;
                println!("history={count}: {}", status["historyError"]);
                (status["history"][0]["epoch"] == newest).then(|| status["history"].take())
            })
            .await;
            let wanted: Vec<_> = recorded.iter().take(count).cloned().collect();
            assert_eq!(shown, json!(wanted), "history={count}");
        }
    });
}

/// If a repair ignored the key of a corrupt record, a second transition would get the same epoch.
#[test]
fn a_corrupt_record_stops_no_repair_and_reuses_no_epoch() {
    alone(async |system, _| {
        system.force(2).await.unwrap();
        system.force(3).await.unwrap();
        let newest = system.epoch().await;
        let whole = system.item(&transition_key(newest)).await.unwrap();
        let mut corrupt = whole.clone();
        corrupt.insert("to".to_owned(), AttributeValue::S("three".to_owned()));
        corrupt.remove("epoch");
        system.put_item(corrupt).await;
        system.delete_state().await;

        let repaired = system.execute(&with(force_to(1), json!({"repair": true}))).await.unwrap();
        assert_eq!(repaired["newState"]["epoch"], newest + 1, "{repaired}");
        system.put_item(whole).await;
        assert_eq!(system.epoch().await, newest + 1);
        assert_eq!(system.force(2).await.unwrap()["newState"]["epoch"], newest + 2);
    });
}

/// After a rollback to this release, attributes of the newer release must stay. The index finds the records by their
/// time.
#[test]
fn a_write_keeps_what_another_release_added() {
    alone(async |system, _| {
        system.force(2).await.unwrap();
        let (client, table) = (system.dynamodb(), system.table());
        client
            .update_item()
            .table_name(table)
            .key("pk", AttributeValue::S(STATE.to_owned()))
            .update_expression("SET fromTheFuture = :value")
            .expression_attribute_values(":value", AttributeValue::S("kept".to_owned()))
            .send()
            .await
            .unwrap();
        let name = format!("indexed-{:016x}", rand::random::<u64>());
        let force = with(force_to(3), json!({"holdMinutes": 30}));
        system.execute_as(Some(&name), &force).await.unwrap();
        let state = system.item(STATE).await.unwrap();
        assert_eq!(state["fromTheFuture"], AttributeValue::S("kept".to_owned()));
        assert!(!state.contains_key("kind"));

        let newest = async |kind: &str| {
            let found = client
                .query()
                .table_name(table)
                .index_name("by-time")
                .key_condition_expression("#kind = :kind")
                .expression_attribute_names("#kind", "kind")
                .expression_attribute_values(":kind", AttributeValue::S(kind.to_owned()))
                .scan_index_forward(false)
                .limit(1)
                .send()
                .await
                .unwrap();
            found.items()[0]["pk"].as_s().unwrap().clone()
        };
        assert_eq!(newest("command").await, command_key(&name));
        assert_eq!(newest("transition").await, transition_key(system.epoch().await));
        // An attribute that the new state does not have is removed: the release ends the hold.
        assert!(state.contains_key("hold"));
        system.execute(&json!({"trigger": "release", "reason": "a test", "requestedBy": "a test"})).await.unwrap();
        assert!(!system.item(STATE).await.unwrap().contains_key("hold"));
    });
}
