//! The status page as a browser gets it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breaker::{Level, Stored, SystemState};
use common::scenes::{eventful, moved, scenes, scheduled, woken};
use common::{Bank, NOW, at, forced, hold, production, state};
use scraper::{Html, Selector};
use sha2::{Digest, Sha256};
use status::{Alarm, Place, Records, Sample, Series};

/// A page as it was parsed.
struct Page(Html);

impl Page {
    async fn of(bank: &Bank) -> Self {
        Self(Html::parse_document(&bank.page("").await))
    }

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
async fn the_headline_is_what_callers_get() {
    let told: Vec<(&str, String, String)> = {
        let mut told = Vec::new();
        for (name, bank) in scenes() {
            let page = Page::of(&bank).await;
            let tone = page.attribute(".hero", "class").replace("hero ", "");
            told.push((name, tone, page.text("h1")));
        }
        told
    };
    let told: Vec<(&str, &str, &str)> =
        told.iter().map(|(name, tone, text)| (*name, tone.as_str(), text.as_str())).collect();
    assert_eq!(
        told,
        [
            ("level-1", "good", "Callers get full service"),
            ("level-2", "warning", "Callers get degraded answers"),
            ("level-3", "bad", "Callers get minimal answers"),
            ("held-and-failing", "bad", "36 % of requests fail; a hold prevents level 2"),
            ("probing", "warning", "Callers get degraded answers"),
            ("ramp", "good", "Callers get full service"),
            ("empty", "good", "No requests now"),
            ("without-metrics", "unknown", "What callers get is unknown"),
            ("without-table", "warning", "Callers get degraded answers"),
        ]
    );
}

#[tokio::test]
async fn a_hold_that_prevents_a_move_is_the_headline() {
    let (_, bank) = scenes().into_iter().find(|(name, _)| *name == "held-and-failing").unwrap();
    let page = Page::of(&bank).await;
    let told = page.text(".hero > div > p");
    assert!(told.starts_with("152 of 430 requests failed in the last 2 min 30 s."), "{told}");
    assert!(told.contains("Automation would move the level to 2, degraded, but for the hold by alice"), "{told}");
    assert!(page.text("#level").starts_with("1Level 1, full"), "{}", page.text("#level"));
    let hold = page.text("#hold");
    assert!(hold.contains("alice: release tonight") && hold.contains("(in 30 min)"), "{hold}");
    assert_eq!(page.text(".badge.live"), "prod");

    // Without a hold, the attribute is of an earlier evaluation.
    let state = SystemState { prevented: Some(Level::Degraded), ..state(Level::Full) };
    assert_eq!(Page::of(&Bank::with(state)).await.text("h1"), "No requests now");
}

#[tokio::test]
async fn who_moved_the_level_is_a_person_or_automation() {
    let records = vec![
        forced(4, "a drill", "alice"),
        moved(3, 900, Level::Degraded, Level::Full, scheduled()),
        moved(2, 600, Level::Full, Level::Degraded, woken("level-2-recovery")),
        moved(0, 60, Level::Full, Level::Full, None),
    ];
    let bank =
        Bank { records: Some(Records { transitions: records, ..Records::default() }), ..Bank::at_level(Level::Full) };
    let page = Page::of(&bank).await;
    let cells = page.texts("#transitions td");
    let rows: Vec<_> = cells.chunks(5).map(|row| (row[1].as_str(), row[2].as_str(), row[3].as_str())).collect();
    assert_eq!(
        rows,
        [
            ("1 → 2", "alice", "–"),
            ("2 → 1", "automation", "schedule"),
            ("1 → 2", "automation", "level-2-recovery"),
            ("1 → 1", "–", "–")
        ]
    );
    assert_eq!(cells[0], "2026-09-10 01:42:30 UTC");
}

#[tokio::test]
async fn the_picture_has_everything_on_one_time_axis() {
    let page = Page::of(&eventful(Level::Full)).await;
    for size in [".for-wide", ".for-narrow"] {
        let texts = page.texts(&format!("{size} svg text"));
        for expected in ["2 degraded", "→ level 2", "→ level 3", "level-1-error-rate", "02:00", "Requests / 1 min"]
        {
            assert!(texts.iter().any(|text| text == expected), "{size}: no {expected} in {texts:?}");
        }
        for class in
            ["band-2", "failed", "fallback", "declined", "answered", "threshold", "measure", "hold", "alarm", "moved"]
        {
            assert!(!page.texts(&format!("{size} svg .{class}")).is_empty(), "{size}: {class}");
        }
        assert_eq!(page.attribute(&format!("{size} svg"), "role"), "img");
    }
    // The band begins where the record says, to the second: 1,230 of 3,630 seconds into the range.
    let x: i64 = page.attribute(".for-wide .band-2", "x").parse().unwrap();
    assert!((366..=368).contains(&x), "{x}");
    let rows = page.texts("#numbers tbody tr");
    assert_eq!(rows.len(), 60);
    assert!(rows.iter().any(|row| row.contains("112") && row.contains("22")), "{rows:?}");
}

#[tokio::test]
async fn the_range_is_chosen_by_query() {
    let bank = eventful(Level::Full);
    for (query, current, steps) in
        [("", "hour", "1 min"), ("hours=6", "6 hours", "5 min"), ("hours=24", "24 hours", "20 min")]
    {
        let page = Page(Html::parse_document(&bank.page(query).await));
        assert_eq!((page.text("nav strong").as_str(), page.texts("nav a").len()), (current, 2));
        assert!(page.text("#numbers caption").contains(steps), "{query}");
    }
}

#[tokio::test]
async fn live_numbers_replace_those_of_the_last_evaluation() {
    let page = Page::of(&Bank::at_level(Level::Degraded).failing(Level::Degraded, 2, 248)).await;
    assert_eq!(page.text("#live tbody th"), "2 degraded");
    let cells = page.texts("#live tbody td");
    assert_eq!(cells[1], "2 of 250 (1 %)");
    let rules = page.texts("#rules-table tbody tr");
    assert!(rules[0].starts_with("Failures2") && rules[0].contains("10 within 5 min"), "{rules:?}");
    assert!(rules[1].contains("at least 83"), "{rules:?}");
}

#[tokio::test]
async fn every_rule_shows_its_value_in_the_metrics() {
    let mut bank = Bank { policy: production(), ..Bank::at_level(Level::Full) }.failing(Level::Full, 6, 0);
    bank.samples.push(Sample { series: Series::SlowCalls(Level::Full), start: at(3_510), value: 3.0 });
    let rows = Page::of(&bank).await.texts("#rules-table tbody tr");
    let starts = |text: &str| rows.iter().any(|row| row.starts_with(text));
    assert!(starts("Consecutive failuresat least 6") && starts("Slow calls50 % of 6 calls"), "{rows:?}");
    // A success in the same minute may have been the last call.
    let rows = Page::of(&bank.failing(Level::Full, 0, 1)).await.texts("#rules-table tbody tr");
    assert!(rows.iter().any(|row| row.starts_with("Consecutive failuresat least 0")), "{rows:?}");
}

#[tokio::test]
async fn the_page_warns_of_trouble_and_not_of_a_fresh_state() {
    let notices = async |bank: &Bank| Page::of(bank).await.texts(".notice h2");
    let mut bank = Bank::at_level(Level::Full).failing(Level::Full, 0, 10);
    let age = |value| Sample { series: Series::OldestState, start: at(3_510), value };
    bank.samples.push(age(2.0));
    assert_eq!(notices(&bank).await, Vec::<String>::new(), "a state that is 2 s old is no alarm");
    bank.samples.push(age(90.0));
    assert_eq!(notices(&bank).await, ["⚠ A controller routes by an old state"]);

    let silent = Bank { samples: Vec::new(), ..Bank::at_level(Level::Full) };
    assert_eq!(notices(&silent).await, ["⚠ No evaluation in the last five minutes"]);
    let lost = Bank { stored: Ok(Stored::Lost), ..Bank::at_level(Level::Full) };
    assert_eq!(notices(&lost).await, ["⚠ The state is missing"]);
    assert!(Page::of(&lost).await.texts("#commands code")[0].contains("--repair"));
}

#[tokio::test]
async fn commands_are_those_that_are_useful_now() {
    let titles = async |state: SystemState| Page::of(&Bank::with(state)).await.texts("#commands label");
    let look = "Ask what an evaluation would do";
    assert_eq!(
        titles(state(Level::Full)).await,
        ["Force level 2, degraded", "Force level 3, maintenance", "Hold level 1 for 60 min", look]
    );
    let held = SystemState { hold: Some(hold(Level::Degraded)), ..state(Level::Degraded) };
    assert_eq!(titles(held).await, ["Release the hold", "Force level 1, full", "Force level 3, maintenance", look]);
}

#[tokio::test]
async fn every_value_is_text_and_never_markup() {
    let attack = "</title><script>alert(1)</script><img>\"&amp;'";
    let mut held = hold(Level::Degraded);
    (held.reason, held.requested_by) = (attack.to_owned(), attack.to_owned());
    let state = SystemState { transition_reason: attack.to_owned(), hold: Some(held), ..state(Level::Degraded) };
    let mut bank = Bank::with(state);
    bank.records = Some(Records { transitions: vec![forced(3, attack, attack)], ..Records::default() });
    bank.alarms = vec![Alarm {
        name: attack.to_owned(),
        is_on: true,
        since: None,
        runbook: Some("javascript:alert(1)".to_owned()),
    }];
    bank.place = Place { project: attack.to_owned(), runbook: "javascript:alert(1)".to_owned(), ..bank.place };
    let page = Page::of(&bank).await;
    assert_eq!(page.texts("script").len(), 1, "the page's own");
    assert!(page.texts("img").is_empty());
    assert!(page.texts("a").iter().all(|text| !text.contains("alert")), "only web addresses are links");
    assert!(page.text("#hold").contains(attack) && page.text("#why").contains(attack));
    assert!(page.text("head title").ends_with(&format!("{attack}-test")));
}

#[tokio::test]
async fn the_content_policy_admits_the_pages_own_code_only() {
    let answer = Bank::at_level(Level::Full).ask("GET /circuit-breaker", "", "text/html").await;
    let policy = answer["headers"]["Content-Security-Policy"].as_str().unwrap();
    let page = Page(Html::parse_document(answer["body"].as_str().unwrap()));
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
    assert_eq!(
        (&answer["headers"]["Cache-Control"], &answer["headers"]["Vary"]),
        (&"no-store".into(), &"Accept".into())
    );
}

/// `STATUS_PAGES=folder` keeps the pages, to be looked at.
#[tokio::test]
async fn every_scene_is_small_and_accessible() {
    let folder = std::env::var_os("STATUS_PAGES").map(std::path::PathBuf::from);
    for (name, bank) in scenes() {
        for query in ["", "hours=24"] {
            let text = bank.page(query).await;
            println!("{name} {query}: {} bytes", text.len());
            assert!(text.len() < 60_000, "{name}: {} bytes", text.len());
            if let Some(folder) = folder.as_ref().filter(|_| query.is_empty()) {
                std::fs::write(folder.join(format!("{name}.html")), &text).unwrap();
            }
            accessible(&Page(Html::parse_document(&text)));
        }
    }
}

fn accessible(page: &Page) {
    assert_eq!(page.attribute("html", "lang"), "en");
    for landmark in ["body > header", "body > main", "body > footer", "[role=status]", "[role=alert]", "h1"] {
        assert_eq!(page.texts(landmark).len(), 1, "{landmark}");
    }
    let all = |selector: &str| {
        let parsed = Selector::parse(selector).unwrap();
        page.0.select(&parsed).map(|element| element.html()).collect::<Vec<_>>()
    };
    for focusable in
        all("[data-live] [tabindex], [data-live] button, [data-live] input, [data-live] details, [data-live]")
    {
        let tag = focusable.split('>').next().unwrap();
        assert!(tag.contains(" id=\""), "the script finds it by its id: {tag}");
    }
    let ids = Selector::parse("[id]").unwrap();
    let ids: Vec<_> = page.0.select(&ids).map(|element| element.attr("id").unwrap()).collect();
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "{ids:?}");
    for attribute in ["aria-labelledby", "for", "data-copies"] {
        for element in page.0.select(&Selector::parse(&format!("[{attribute}]")).unwrap()) {
            let name = element.attr(attribute).unwrap();
            assert!(ids.contains(&name), "{attribute}={name} leads nowhere");
        }
    }
}

#[tokio::test]
async fn the_page_stays_small_whatever_people_write() {
    for character in ["x", "\"", "<", "é", "😀"] {
        let (reason, who) = (character.repeat(500), character.repeat(200));
        let mut held = hold(Level::Degraded);
        (held.reason, held.requested_by) = (reason.clone(), who.clone());
        let transition_reason = format!("forced from level 1 to level 2 by {who}: {reason}");
        let state = SystemState {
            hold: Some(held),
            transition_reason,
            prevented: Some(Level::Maintenance),
            epoch: 31,
            version: 99,
            ..common::probing(Some(NOW), Some(NOW))
        };
        let mut bank =
            Bank { policy: production(), stored: Ok(Stored::State(Box::new(state))), ..eventful(Level::Degraded) };
        let transitions = (2..32).rev().map(|epoch| forced(epoch, &reason, &who)).collect();
        let commands = bank.records.unwrap().commands;
        bank.records = Some(Records { transitions, commands, left_out: 3 });
        let bytes = bank.page("").await.len();
        println!("{bytes} bytes with {character:?} in every text");
        assert!(bytes < 60_000, "{bytes} bytes of {character}");
    }
}
