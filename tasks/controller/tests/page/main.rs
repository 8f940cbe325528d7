//! The status page as a browser gets it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

#[path = "../common/mod.rs"]
mod common;
mod rules;

use std::sync::Arc;

use aws_edge::stores::state::StoreError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breaker::{ForceRequest, Hold, Level, SystemState, TransitionRecord, TransitionRequest};
use common::{Records, TestController, answer, ask, controller, event, policy};
use controller::{CommandTarget, StateCache, StoredLevel};
use jiff::{SignedDuration, Timestamp};
use scraper::{Html, Selector};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const ARN: &str = "arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-test";

/// A state at `level` that was written a minute ago.
fn state(level: Level) -> SystemState {
    let written = Timestamp::now() - SignedDuration::from_mins(1);
    SystemState {
        current_level: level,
        failure_count: 4,
        success_count: 2,
        transition_reason: "10 failures at level 1 within 300 s (threshold 5)".to_owned(),
        version: 7,
        epoch: 3,
        ..SystemState::initial(&policy(), written)
    }
}

fn forced(epoch: u64, reason: &str, requested_by: &str) -> TransitionRecord {
    let request = ForceRequest {
        target_level: Level::Degraded,
        reason: reason.to_owned(),
        requested_by: requested_by.to_owned(),
        hold_minutes: None,
        expected_epoch: None,
        expected_hold: None,
        repair: false,
        dry_run: false,
    };
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * i64::try_from(epoch).unwrap());
    TransitionRecord {
        epoch,
        from: if epoch.is_multiple_of(2) { Level::Full } else { Level::Maintenance },
        to: Level::Degraded,
        reason: format!("forced from level 1 to level 2 by {requested_by}: {reason}"),
        request: Some(TransitionRequest::Force(request)),
        ..TransitionRecord::first_start(at, "arn:execution")
    }
}

fn stored(state: SystemState) -> StoredLevel {
    StoredLevel::Known(state.current_level, Some(Arc::new(state)))
}

/// A controller with this state and these transitions, newest first.
fn showing(state: SystemState, records: Vec<TransitionRecord>) -> TestController {
    let commands = CommandTarget { state_machine_arn: Some(ARN.to_owned()), endpoint_url: None };
    TestController { history: Records::of(records), commands, ..controller(Ok(stored(state)), answer(200)) }
}

/// An answer to a browser.
async fn browse(controller: &TestController) -> Value {
    let mut event = event("GET", "/circuit-breaker");
    event["rawQueryString"] = json!("");
    event["headers"] = json!({ "accept": BROWSER });
    ask(controller, &event).await
}

struct Page(Html);

impl Page {
    async fn of(controller: &TestController) -> Self {
        let answer = browse(controller).await;
        assert_eq!(answer["statusCode"], 200);
        let page = Html::parse_document(answer["body"].as_str().unwrap());
        assert!(page.errors.is_empty(), "{:?}", page.errors);
        Self(page)
    }

    /// The texts of the elements that `selector` finds.
    fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        self.0.select(&selector).map(|element| element.text().collect()).collect()
    }

    /// The text of the one element that `selector` finds.
    fn text(&self, selector: &str) -> String {
        let texts = self.texts(selector);
        assert_eq!(texts.len(), 1, "{selector}: {texts:?}");
        texts.into_iter().next().unwrap()
    }

    fn attribute(&self, selector: &str, name: &str) -> String {
        let parsed = Selector::parse(selector).unwrap();
        self.0.select(&parsed).next().unwrap_or_else(|| panic!("{selector}")).attr(name).unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_browser_gets_a_page_and_other_clients_get_json() {
    let controller = showing(state(Level::Degraded), Vec::new());
    let page = browse(&controller).await;
    assert_eq!(page["headers"]["Content-Type"], "text/html; charset=utf-8");
    for headers in [json!({ "Accept": "*/*" }), json!({ "accept": "application/json" }), json!({}), json!(null)] {
        let mut event = event("GET", "/circuit-breaker");
        event["headers"] = headers;
        let answer = ask(&controller, &event).await;
        assert_eq!(answer["headers"]["Content-Type"], "application/json");
        assert_eq!((&answer["headers"]["Vary"], &page["headers"]["Vary"]), (&json!("Accept"), &json!("Accept")));
    }
    assert!(controller.services.asked().is_empty());
}

#[tokio::test]
async fn the_page_shows_level_time_reason_and_age() {
    for (level, name) in [
        (Level::Full, "Level 1 full"),
        (Level::Degraded, "Level 2 degraded"),
        (Level::Maintenance, "Level 3 maintenance"),
    ] {
        let page = Page::of(&showing(state(level), Vec::new())).await;
        assert_eq!(page.text("main h1"), name);
        assert_eq!(page.text("head title"), format!("Level {level} {} – bank-test", level.service_type()));
        let facts = page.texts("#level > dl > dd");
        assert!(facts[0].contains("UTC (1 min ") && facts[0].ends_with(" s ago)"), "{facts:?}");
        assert_eq!(facts[1], "10 failures at level 1 within 300 s (threshold 5)");
        assert!(facts[2].starts_with("read ") && facts[2].contains(" s ago, written "), "{facts:?}");
        assert!(page.texts(".notice").is_empty());
    }
}

#[tokio::test]
async fn the_counts_stand_against_their_thresholds() {
    for (level, expected) in [
        (Level::Full, vec!["Failures: 4 of 5"]),
        (Level::Degraded, vec!["Failures: 4 of 10", "Successes in a row: 2 of 5"]),
        (Level::Maintenance, vec!["Successes in a row: 2 of 3"]),
    ] {
        let page = Page::of(&showing(state(level), Vec::new())).await;
        assert_eq!(page.texts("#counts label"), expected);
        let meters = page.0.select(&Selector::parse("meter").unwrap()).count();
        assert_eq!(meters, expected.len());
        for (id, label) in [("failures", "Failures"), ("successes", "Successes")] {
            if let Some(text) = expected.iter().find(|text| text.starts_with(label)) {
                let numbers: Vec<_> = text.rsplit(": ").next().unwrap().split(" of ").collect();
                assert_eq!(page.attribute(&format!("#{id}"), "value"), numbers[0]);
                assert_eq!(page.attribute(&format!("#{id}"), "max"), numbers[1]);
            }
        }
    }
    let beyond = SystemState { failure_count: 900, ..state(Level::Full) };
    let page = Page::of(&showing(beyond, Vec::new())).await;
    assert_eq!(
        (page.text("#counts label").as_str(), page.attribute("meter", "value").as_str()),
        ("Failures: 900 of 5", "5")
    );
}

#[tokio::test]
async fn the_page_says_when_a_recovery_may_come() {
    let recovery = async |state| {
        let page = Page::of(&showing(state, Vec::new())).await;
        page.texts("#counts p").into_iter().find(|text| text.starts_with("Recovery")).unwrap()
    };
    assert!(recovery(state(Level::Full)).await.contains("none is needed"));
    assert!(recovery(state(Level::Degraded)).await.contains("as soon as the evidence suffices"));
    let now = Timestamp::now();
    let fresh = SystemState { last_transition: now, ..state(Level::Degraded) };
    let told = recovery(fresh).await;
    assert!(told.contains("not before ") && told.contains("the cooldown of 30 s"), "{told}");
}

#[tokio::test]
async fn a_hold_is_shown_with_who_why_and_until_when_while_it_lasts() {
    let lasting = |minutes| Hold {
        level: Level::Maintenance,
        reason: "release tonight".to_owned(),
        requested_by: "alice".to_owned(),
        expires_at: Timestamp::now() + SignedDuration::from_mins(minutes),
        execution: None,
    };
    let held = SystemState { hold: Some(lasting(30)), ..state(Level::Maintenance) };
    let page = Page::of(&showing(held, Vec::new())).await;
    assert_eq!(page.text("#hold h2"), "■ Held at level 3, maintenance");
    let facts = page.texts("#hold dd");
    assert!(facts[0].contains("UTC (in "), "{facts:?}");
    assert_eq!(facts[1..], ["alice", "release tonight"]);
    assert!(page.text("#hold > p").contains("neither up nor down"));
    assert!(page.texts("#counts p").iter().any(|text| text.contains("when the hold and the cooldown are over")));

    let over = SystemState { hold: Some(lasting(-1)), ..state(Level::Maintenance) };
    assert!(Page::of(&showing(over, Vec::new())).await.texts("#hold").is_empty());
}

#[tokio::test]
async fn the_newest_transitions_are_drawn_and_listed() {
    let mut records = vec![forced(3, "a drill", "alice"), forced(2, "repaired", "bob")];
    records.push(TransitionRecord::first_start(Timestamp::UNIX_EPOCH, "arn:execution"));
    let page = Page::of(&showing(state(Level::Degraded), records)).await;
    let rows = page.texts("#transitions tbody tr");
    assert_eq!(rows.len(), 3);
    let first = "1970-01-04 00:00:00 UTC3 → 2forcealiceforced from level 1 to level 2 by alice: a drill";
    assert_eq!(rows[0], first);
    assert!(rows[2].contains("first start–First start"), "{rows:?}");
    assert!(page.text("#transitions svg title").contains("transitions, 3,"));
    assert_eq!(page.attribute("#transitions svg", "role"), "img");
    assert_eq!(page.attribute("#transitions svg path.steps", "d"), "M100 18H120V18H160V54H200V54H240");
    let texts = page.texts("#transitions svg text");
    assert_eq!(texts[..3], ["1 full", "2 degraded", "3 maintenance"]);
    assert_eq!(texts[3..7], ["00:00", "Jan 1", "00:00", "Jan 3"]);
}

#[tokio::test]
async fn the_commands_have_the_right_machine_and_region() {
    let page = Page::of(&showing(state(Level::Degraded), Vec::new())).await;
    let commands = page.texts("#commands code").into_iter().filter(|text| text.contains("; aws ")).collect::<Vec<_>>();
    assert_eq!(commands.len(), 5);
    for command in &commands {
        let start =
            format!("; aws stepfunctions start-execution --region eu-central-1 --state-machine-arn {ARN} --input '{{");
        assert!(command.contains(&start), "{command}");
    }
    assert!(page.text("#do-hold").contains("\"targetLevel\":2"));
    let unknown = TestController { commands: CommandTarget::default(), ..showing(state(Level::Full), Vec::new()) };
    assert!(Page::of(&unknown).await.text("#commands > p strong").contains("STATE_MACHINE_ARN"));
}

#[tokio::test]
async fn every_value_is_text_and_never_markup() {
    let attack = "</title><script>alert(1)</script><img>\"&amp;'";
    let hold = Hold {
        level: Level::Degraded,
        reason: attack.to_owned(),
        requested_by: attack.to_owned(),
        expires_at: Timestamp::now() + SignedDuration::from_mins(5),
        execution: None,
    };
    let state = SystemState { transition_reason: attack.to_owned(), hold: Some(hold), ..state(Level::Degraded) };
    let target = CommandTarget { state_machine_arn: Some(attack.to_owned()), endpoint_url: Some(attack.to_owned()) };
    let controller = TestController {
        deployment: attack.to_owned(),
        commands: target,
        ..showing(state, vec![forced(3, attack, attack)])
    };
    let page = Page::of(&controller).await;
    assert_eq!(page.texts("script").len(), 1, "the page's own");
    assert!(page.texts("img").is_empty());
    assert_eq!(page.texts("#hold dd")[1..], [attack, attack]);
    assert_eq!(page.texts("#level > dl > dd")[1], attack);
    assert_eq!(page.text("td.who"), attack);
    assert!(page.text("td.text").contains(attack));
    assert!(page.text("head title").ends_with(attack));
    // Each value in a shell is one word, whatever it holds.
    for command in page.texts("#commands pre code") {
        assert_eq!(shlex::split(&command).unwrap().iter().filter(|word| *word == attack).count(), 2, "{command}");
    }
}

#[tokio::test]
async fn the_content_policy_admits_the_pages_own_code_only() {
    let controller = showing(state(Level::Full), Vec::new());
    let answer = browse(&controller).await;
    let policy = answer["headers"]["Content-Security-Policy"].as_str().unwrap();
    let page = Page::of(&controller).await;
    let hash = |text: String| STANDARD.encode(Sha256::digest(text));
    for directive in [
        "default-src 'none'".to_owned(),
        format!("script-src 'sha256-{}'", hash(page.text("script"))),
        format!("style-src 'sha256-{}'", hash(page.text("style"))),
        "connect-src 'self'".to_owned(),
        "frame-ancestors 'none'".to_owned(),
    ] {
        assert!(policy.split("; ").any(|admitted| admitted == directive), "{directive} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"));
    let in_the_page = page.attribute("meta[http-equiv]", "content");
    assert_eq!(format!("{in_the_page}; frame-ancestors 'none'"), policy);
    assert!(page.texts("[style], [onclick], [src]").is_empty(), "nothing that the policy would stop");
    assert_eq!(answer["headers"]["X-Content-Type-Options"], "nosniff");
    assert_eq!(answer["headers"]["Cache-Control"], "no-store");
}

#[tokio::test]
async fn the_page_stays_below_30_kilobytes_whatever_people_write() {
    for character in ["x", "\"", "<", "é", "😀"] {
        let (reason, who) = (character.repeat(500), character.repeat(200));
        let records = (2..32).rev().map(|epoch| forced(epoch, &reason, &who)).collect();
        let hold = Hold {
            level: Level::Degraded,
            reason: reason.clone(),
            requested_by: who.clone(),
            expires_at: Timestamp::now() + SignedDuration::from_hours(72),
            execution: None,
        };
        let transition_reason = format!("forced from level 1 to level 2 by {who}: {reason}");
        // Every notice and every rule as well.
        let state = SystemState {
            epoch: 31,
            version: 99,
            transition_reason,
            hold: Some(hold),
            prevented: Some(Level::Maintenance),
            probing: Some(rules::probing(Timestamp::now(), Some(Timestamp::now()))),
            ..state(Level::Degraded)
        };
        let policy = breaker::Policy::new(breaker::PolicySettings::production()).unwrap();
        let controller = common::under(policy, showing(state, records));
        let bytes = browse(&controller).await["body"].as_str().unwrap().len();
        println!("{bytes} bytes with {character:?} in every text");
        assert!(bytes < 30_000, "{bytes} bytes of {character}");
        assert_eq!(Page::of(&controller).await.texts("#transitions tbody tr").len(), 20);
    }
}

#[tokio::test]
async fn where_the_state_could_not_be_read_the_page_says_so() {
    let notice = async |controller: &TestController| Page::of(controller).await.text(".notice");
    let never = controller(Err(StoreError::Invalid("no answer".into())), answer(200));
    let page = Page::of(&never).await;
    assert_eq!(page.text("main h1"), "Level 3 maintenance");
    assert!(page.text(".notice").contains("cannot be read") && page.text(".notice").contains("fallback level"));
    assert!(page.text("#counts").contains("not known") && page.text("#transitions").contains("the state is not known"));

    let first = controller(Ok(StoredLevel::Nothing), answer(200));
    assert!(notice(&first).await.contains("No state yet"));
    let another_version = controller(Ok(StoredLevel::Known(Level::Degraded, None)), answer(200));
    assert!(notice(&another_version).await.contains("newer version"));

    let table = common::table(Ok(stored(state(Level::Degraded))));
    let states = StateCache::new(table, std::time::Duration::ZERO, Level::Maintenance);
    let lost = TestController { states, ..showing(state(Level::Degraded), Vec::new()) };
    browse(&lost).await;
    table.fails();
    let told = notice(&lost).await;
    assert!(told.contains("cannot be read") && told.contains(" ago, and requests go on at that level"), "{told}");

    let silent = controller(Ok(stored(state(Level::Degraded))), answer(200));
    assert!(
        Page::of(&silent).await.text("#transitions strong").contains("cannot be shown: the records cannot be read")
    );
}

#[tokio::test]
async fn the_page_is_accessible() {
    let page = Page::of(&showing(state(Level::Degraded), vec![forced(2, "a drill", "alice")])).await;
    assert_eq!(page.attribute("html", "lang"), "en");
    for landmark in ["body > header", "body > main", "body > footer", "[role=status]", "[role=alert]"] {
        assert_eq!(page.texts(landmark).len(), 1, "{landmark}");
    }
    let selected = Selector::parse("h1, h2, h3").unwrap();
    let headings: Vec<_> = page.0.select(&selected).map(|heading| heading.value().name()).collect();
    assert_eq!(headings[..4], ["h1", "h2", "h2", "h2"]);
    for part in page.0.select(&Selector::parse("[data-live] [tabindex], [data-live] button").unwrap()) {
        assert!(part.attr("id").is_some(), "the script gives it the focus back by its id: {}", part.html());
    }
    let ids: Vec<_> =
        page.0.select(&Selector::parse("[id]").unwrap()).map(|element| element.attr("id").unwrap()).collect();
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "{ids:?}");
    for live in page.0.select(&Selector::parse("[data-live]").unwrap()) {
        assert!(live.attr("id").is_some(), "the script finds it by its id");
    }
    for attribute in ["aria-labelledby", "aria-describedby", "for", "data-copies"] {
        for element in page.0.select(&Selector::parse(&format!("[{attribute}]")).unwrap()) {
            let names = element.attr(attribute).unwrap();
            assert!(ids.contains(&names), "{attribute}={names} leads nowhere");
        }
    }
}
