//! Tests state items that a person, another program or an incomplete restore corrupted.

use aws_edge::stores::state::stored_from_item;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::contract::ErrorName;
use breaker::{Expected, Stored};

use crate::doubles::{Item, evaluate, item, task};

const SCHEDULE: &str = "{\"trigger\": \"schedule\"}";
const FORCE: &str = "{\"trigger\": \"force\", \"targetLevel\": 1, \"reason\": \"drill\", \"requestedBy\": \"alice\"}";
const REPAIR: &str = "{\"trigger\": \"force\", \"targetLevel\": 1, \"reason\": \"drill\", \"requestedBy\": \"alice\", \
                      \"repair\": true}";

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

fn null() -> AttributeValue {
    AttributeValue::Null(true)
}

fn map(members: &[(&str, AttributeValue)]) -> AttributeValue {
    AttributeValue::M(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn nested(depth: usize) -> AttributeValue {
    (0..depth).fold(number("1"), |inner, _| AttributeValue::L(vec![inner]))
}

fn hold(changed: &[(&str, AttributeValue)]) -> AttributeValue {
    let mut hold = Item::from([
        ("level".to_owned(), number("2")),
        ("reason".to_owned(), text("drill")),
        ("requestedBy".to_owned(), text("alice")),
        ("expiresAt".to_owned(), text("2026-09-10T15:00:00Z")),
    ]);
    hold.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    AttributeValue::M(hold)
}

fn probing(changed: &[(&str, AttributeValue)]) -> AttributeValue {
    let mut probing = Item::from([
        ("from".to_owned(), text("2026-09-10T13:06:42Z")),
        ("percent".to_owned(), number("5")),
        ("percentSince".to_owned(), text("2026-09-10T13:06:42Z")),
    ]);
    probing.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    AttributeValue::M(probing)
}

fn ramp(changed: &[(&str, AttributeValue)]) -> AttributeValue {
    let mut ramp = Item::from([
        ("from".to_owned(), text("2026-09-10T13:06:12Z")),
        ("until".to_owned(), text("2026-09-10T13:07:12Z")),
        ("firstPercent".to_owned(), number("10")),
    ]);
    ramp.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    AttributeValue::M(ramp)
}

fn refusing(since: &str, alarm_from: &str) -> AttributeValue {
    map(&[("since", text(since)), ("alarmFrom", text(alarm_from))])
}

fn with(changed: &[(&str, AttributeValue)]) -> Item {
    let mut item = item();
    item.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    item
}

fn without(attribute: &str) -> Item {
    let mut item = item();
    item.remove(attribute);
    item
}

/// Returns items that are refused as `StateUnavailable`, each with the attribute that the cause names.
fn corrupt() -> Vec<(Item, &'static str)> {
    let row = |attribute: &'static str, value: AttributeValue| (with(&[(attribute, value)]), attribute);
    let hold_row =
        |attribute: &'static str, member: &str, value| (with(&[("hold", hold(&[(member, value)]))]), attribute);
    vec![
        (Item::new(), "currentLevel"),
        (without("currentLevel"), "currentLevel"),
        (without("version"), "version"),
        (without("epoch"), "epoch"),
        (without("evidenceSince"), "evidenceSince"),
        (without("lastTransition"), "lastTransition"),
        (without("execution"), "execution"),
        (without("schemaVersion"), "schemaVersion"),
        row("currentLevel", number("0")),
        row("currentLevel", number("4")),
        row("currentLevel", number("-1")),
        row("currentLevel", number("1.5")),
        row("currentLevel", number("258")),
        row("currentLevel", text("2")),
        row("currentLevel", text("degraded")),
        row("currentLevel", null()),
        row("currentLevel", AttributeValue::L(vec![number("2")])),
        row("currentLevel", AttributeValue::Ns(vec!["2".to_owned()])),
        row("currentLevel", map(&[("level", number("2"))])),
        row("currentLevel", AttributeValue::B(Blob::new([2]))),
        row("currentLevel", nested(30)),
        row("version", number("0")),
        row("version", number("-1")),
        row("version", number("9007199254740992")),
        row("version", number("18446744073709551616")),
        row("version", number("9.9e125")),
        row("version", AttributeValue::Bool(true)),
        row("epoch", number("5")),
        row("epoch", number("2.5")),
        row("epoch", null()),
        row("failureCount", number("-3")),
        row("successCount", text("many")),
        row("carriedFailures", number("-5")),
        row("carriedFailures", number("1000001")),
        (with(&[("currentLevel", number("1")), ("carriedFailures", number("5"))]), "carriedFailures"),
        row("evidenceSince", text("yesterday")),
        row("evidenceSince", text("")),
        row("evidenceSince", number("1789048800")),
        row("evidenceSince", text("2026-02-30T00:00:00Z")),
        row("evidenceSince", text("2026-09-10T13:08:00Z")),
        row("lastTransition", text("9999-12-30T00:00:00Z")),
        row("lastTransition", text("+010000-01-01T00:00:00Z")),
        row("lastUpdated", text("2027-09-10T14:06:12Z")),
        row("lastUpdated", null()),
        row("transitionReason", null()),
        row("transitionReason", number("7")),
        row("transitionReason", text(&"x".repeat(4_001))),
        row("transitionReason", text(&"x".repeat(300_000))),
        row("execution", text(&"x".repeat(2_049))),
        row("execution", AttributeValue::Ss(vec!["a".to_owned()])),
        row("schemaVersion", number("0")),
        row("schemaVersion", number("-1")),
        row("schemaVersion", text("1")),
        row("schemaVersion", number("1e40")),
        (with(&[("schemaVersion", number("2")), ("currentLevel", number("7"))]), "currentLevel"),
        row("backoff", number("1")),
        row("backoff", AttributeValue::L(vec![number("1")])),
        (with(&[("backoff", map(&[("doublings", number("-1"))]))]), "backoff.doublings"),
        (
            with(&[("backoff", map(&[("doublings", number("1")), ("recoveredAt", text("soon"))]))]),
            "backoff.recoveredAt",
        ),
        row("hold", text("until noon")),
        row("hold", AttributeValue::Bool(false)),
        row("hold", AttributeValue::L(vec![number("2"), text("drill"), text("alice"), text("2026-09-10T15:00:00Z")])),
        (with(&[("hold", map(&[]))]), "hold"),
        (with(&[("hold", map(&[("level", number("2"))]))]), "hold"),
        hold_row("hold.level", "level", number("0")),
        hold_row("hold.level", "level", number("1")),
        hold_row("hold.expiresAt", "expiresAt", text("never")),
        hold_row("hold.expiresAt", "expiresAt", number("4320")),
        hold_row("hold.expiresAt", "expiresAt", text("2026-09-13T13:08:00Z")),
        hold_row("hold.expiresAt", "expiresAt", text("9999-12-30T00:00:00Z")),
        hold_row("hold.requestedBy", "requestedBy", null()),
        hold_row("hold.requestedBy", "requestedBy", text(&"x".repeat(201))),
        hold_row("hold.reason", "reason", text(&"x".repeat(501))),
    ]
}

/// Returns items with invalid attributes of probing and ramp, each with the attribute that the cause names.
fn corrupt_recoveries() -> Vec<(Item, &'static str)> {
    let row = |attribute: &'static str, value: AttributeValue| (with(&[(attribute, value)]), attribute);
    let probing_row =
        |attribute: &'static str, member: &str, value| (with(&[("probing", probing(&[(member, value)]))]), attribute);
    let ramp_row =
        |attribute: &'static str, member: &str, value| (with(&[("ramp", ramp(&[(member, value)]))]), attribute);
    vec![
        row("probing", text("soon")),
        row("probing", AttributeValue::L(vec![text("2026-09-10T13:06:42Z"), number("5")])),
        (with(&[("probing", map(&[]))]), "probing"),
        (with(&[("currentLevel", number("1")), ("probing", probing(&[]))]), "probing"),
        probing_row("probing.percent", "percent", number("0")),
        probing_row("probing.percent", "percent", number("101")),
        probing_row("probing.percent", "percent", number("-5")),
        probing_row("probing.from", "from", text("never")),
        probing_row("probing.from", "from", text("2026-09-10T13:04:00Z")),
        probing_row("probing.from", "from", text("2026-09-11T13:08:00Z")),
        probing_row("probing.percentSince", "percentSince", text("2026-09-10T13:05:00Z")),
        probing_row("probing.percentSince", "percentSince", text("2026-09-10T14:00:00Z")),
        probing_row("probing.idleSince", "idleSince", text("2026-09-10T14:00:00Z")),
        probing_row("probing.refusing", "refusing", text("2026-09-10T13:00:00Z")),
        probing_row("probing.refusing", "refusing", map(&[("since", text("2026-09-10T13:00:00Z"))])),
        probing_row("probing.refusing.since", "refusing", refusing("2026-09-10T14:00:00Z", "2026-09-10T15:00:00Z")),
        probing_row("probing.refusing.alarmFrom", "refusing", refusing("2026-09-10T13:06:00Z", "2026-09-10T13:00:00Z")),
        row("ramp", AttributeValue::Bool(true)),
        (with(&[("ramp", map(&[]))]), "ramp"),
        (with(&[("currentLevel", number("3")), ("ramp", ramp(&[]))]), "ramp"),
        ramp_row("ramp.from", "from", text("2026-09-10T13:04:00Z")),
        ramp_row("ramp.from", "from", text("2026-09-10T13:08:00Z")),
        ramp_row("ramp.until", "until", text("2026-09-10T13:05:00Z")),
        ramp_row("ramp.until", "until", text("2026-09-11T13:08:00Z")),
        ramp_row("ramp.firstPercent", "firstPercent", number("0")),
        ramp_row("ramp.firstPercent", "firstPercent", number("101")),
    ]
}

fn all_corrupt() -> impl Iterator<Item = (Item, &'static str)> {
    corrupt().into_iter().chain(corrupt_recoveries())
}

#[tokio::test]
async fn a_corrupt_state_stops_evaluations_and_names_the_fix() {
    let mut wrong = Vec::new();
    for (index, (item, attribute)) in all_corrupt().enumerate() {
        for request in [SCHEDULE, FORCE] {
            let shown: String = format!("{:?}", item.get(attribute)).chars().take(200).collect();
            let what = format!("row {index}, {attribute} = {shown}");
            match evaluate(&task(item.clone()), request).await {
                Ok(evaluation) => wrong.push(format!("{what} was taken: {}", evaluation.reason)),
                Err(error) => {
                    let named = error.message.contains(&format!("`{attribute}`"));
                    let remedy = error.message.contains("\"repair\": true");
                    if error.name != ErrorName::StateUnavailable || !named || !remedy {
                        wrong.push(format!("{what} gave {error}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_repair_continues_after_the_newest_record() {
    for (item, attribute) in all_corrupt() {
        let write = evaluate(&task(item), REPAIR).await.unwrap().write.unwrap();
        assert_eq!((write.expected, write.state.epoch, write.state.version), (Expected::Repair, 3, 5), "{attribute}");
        assert!(write.check().is_ok());
    }
}

#[test]
fn a_corrupt_item_is_never_routed_by() {
    // Only a reader with a clock detects an item from the future. Requests are routed by its level.
    for (item, attribute) in all_corrupt().filter(|(_, attribute)| *attribute != "lastUpdated") {
        assert!(matches!(stored_from_item(item), Stored::Unreadable(_)), "{attribute}");
    }
}

#[tokio::test]
async fn an_odd_state_that_breaks_no_rule_is_gone_on_from() {
    let future = "2026-09-10T14:06:42Z";
    for (index, item) in [
        with(&[("unknown", AttributeValue::B(Blob::new([1, 2, 3])))]),
        with(&[("unknown", AttributeValue::Bs(vec![Blob::new([1])]))]),
        with(&[("unknown", nested(31)), ("ttl", number("1"))]),
        with(&[("transitionReason", text(&"ü".repeat(4_000)))]),
        with(&[("transitionReason", text(""))]),
        with(&[("failureCount", number("18446744073709551615"))]),
        with(&[("version", number("9007199254740990"))]),
        with(&[("carriedFailures", number("5"))]),
        with(&[("hold", null())]),
        with(&[("hold", hold(&[]))]),
        with(&[("hold", hold(&[("expiresAt", text("2026-09-13T13:06:12Z")), ("colour", text("red"))]))]),
        with(&[("backoff", map(&[("doublings", number("4294967295"))]))]),
        with(&[("probing", null()), ("ramp", null())]),
        with(&[("probing", probing(&[])), ("ramp", ramp(&[]))]),
        with(&[("probing", probing(&[("percent", number("100")), ("idleSince", text("2026-09-10T13:00:00Z"))]))]),
        with(&[("probing", probing(&[("refusing", refusing("2026-09-10T13:06:00Z", "2026-09-10T13:21:00Z"))]))]),
        with(&[("probing", probing(&[("refusing", null())]))]),
        with(&[("ramp", ramp(&[("until", text("2026-09-10T13:06:12Z"))]))]),
        with(&[("evidenceSince", text("1970-01-01T00:00:00Z"))]),
        with(&[("lastTransition", text("-009999-01-02T01:59:59Z"))]),
        with(&[("lastUpdated", text("2026-09-10T13:06:12.123456789+00:00"))]),
        // Another writer's clock may be half a minute ahead.
        with(&[("lastUpdated", text(future)), ("evidenceSince", text(future)), ("lastTransition", text(future))]),
        without("backoff"),
    ]
    .into_iter()
    .enumerate()
    {
        for request in [SCHEDULE, FORCE] {
            let answer = evaluate(&task(item.clone()), request).await;
            assert!(answer.is_ok(), "row {index} gave {answer:?}");
            assert!(answer.unwrap().write.is_none_or(|write| write.check().is_ok()), "row {index}");
        }
    }
}
