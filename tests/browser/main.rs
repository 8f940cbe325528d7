//! Tests the status page of a running system in a real browser: the visible text, the roles and names for a screen
//! reader, an accessibility audit, and how the page follows a transition. Pictures go to `target/status-page/`.
//!
//! Needs Chromium with its driver, and axe-core, which `.ci/browser-tools` installs:
//! `cargo test --test browser -- --ignored` runs the tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

#[path = "../../tasks/status/tests/common/mod.rs"]
mod bank;
#[path = "../common/mod.rs"]
mod common;
mod driver;

use std::path::PathBuf;

use fantoccini::Locator;
use local::folders;
use serde_json::json;

use common::{System, eventually, force_to, quick, with};
use driver::{Browser, Tools};

/// Returns the tools, or fails with what is missing and how to get it.
fn tools() -> Tools {
    Tools::find().unwrap_or_else(|missing| panic!("{missing}"))
}

fn picture(name: &str) -> PathBuf {
    folders::target().join(format!("status-page/{name}.png"))
}

/// Waits until the element shows a text, without reloading the page.
async fn says(browser: &Browser, selector: &str, expected: &str) {
    eventually(&format!("{selector} with \"{expected}\""), async || {
        browser.text(selector).await.contains(expected).then_some(())
    })
    .await;
}

/// Checks that the audit finds nothing, in light and dark mode, on a desktop and on a phone, and that the page fits the
/// screen.
async fn is_accessible(browser: &Browser, name: &str) {
    for (scheme, width) in [("light", 1_100), ("dark", 1_100), ("light", 390), ("dark", 390)] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", features).await;
        let screen = json!({ "width": width, "height": 1800, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        let (broken, kept) = browser.audit().await;
        assert!(broken.is_empty(), "{name}, {scheme}, {width} px: {broken:#?}");
        println!("{name}, {scheme}, {width} px: the audit finds nothing; {kept} rules are kept");
        let needed = browser.run("return document.documentElement.scrollWidth").await;
        assert!(needed.as_u64().unwrap() <= width, "{name}: {needed} px wide on a screen of {width} px");
        let place = if width < 500 { "phone" } else { "desk" };
        browser.picture(&picture(&format!("{name}-{place}-{scheme}"))).await;
    }
    browser.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
    browser.devtools("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and axe-core, which .ci/browser-tools installs"]
async fn the_page_follows_every_level_and_hold() {
    let tools = tools();
    let system = System::start(&quick()).await;
    system.without_schedule().await;
    // The first evaluation writes the state.
    system.evaluate().await.unwrap();
    system.routed(1, "table").await;
    tools.with_browser(async |browser| follows(&system, &browser).await).await;
}

async fn follows(system: &System, browser: &Browser) {
    browser.open(&format!("{}/circuit-breaker", system.gateway.address())).await;
    // A reload would remove this variable.
    browser.run("window.loadedOnce = true").await;
    for (level, name) in [(1, "full"), (2, "degraded"), (3, "maintenance")] {
        system.force(level).await.unwrap();
        says(browser, "#level", &format!("Level {level}, {name}")).await;
        let title = browser.client.title().await.unwrap();
        assert!(title.starts_with(&format!("{level}: ")) && title.ends_with(&system.deployment.name), "{title}");
        let headline = browser.text("h1").await;
        for (selector, role, name) in [
            ("header", "banner", ""),
            ("main", "main", ""),
            ("footer", "contentinfo", ""),
            ("h1", "heading", headline.as_str()),
            ("#state", "region", headline.as_str()),
            ("#rules", "region", "What would move the level"),
            ("#news", "status", ""),
            ("#trouble", "alert", ""),
            ("#pause", "button", "Pause refreshing"),
            ("#chart nav", "navigation", "Time range"),
            ("#transitions-table", "region", "Table of transitions"),
            ("#commands input", "radio", if level == 1 { "Force level 2, degraded" } else { "Force level 1, full" }),
        ] {
            assert_eq!(browser.role_and_name(selector).await, (role.to_owned(), name.to_owned()), "{selector}");
        }
        if level > 1 {
            assert_eq!(browser.text("#news").await, format!("Now level {level}"), "what a screen reader says");
            // The records are up to ten seconds old.
            says(browser, "#why", "; by an operator; ").await;
        }
        assert_eq!(browser.text("#trouble").await, "");
        is_accessible(browser, &format!("level-{level}")).await;
    }
    let hold = with(force_to(2), json!({ "holdMinutes": 30, "reason": "<script>alert(1)</script>" }));
    system.execute(&hold).await.unwrap();
    says(browser, "#hold", "Held at level 2").await;
    let told = browser.text("#hold").await;
    assert!(told.contains("an operator") && told.contains("<script>alert(1)</script>"), "{told}");
    says(browser, "#transitions tbody .moves", "3 → 2").await;
    is_accessible(browser, "hold").await;
    assert_eq!(browser.run("return window.loadedOnce").await, true, "the page was never loaded again");
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// The pages come from doubles of the sources: a ramp, probes, an hour with failures, no data, and sources that fail.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and axe-core, which .ci/browser-tools installs"]
async fn every_scene_fits_a_desk_and_a_phone() {
    let tools = tools();
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, bank) in bank::scenes::scenes() {
        let file = folder.path().join(format!("{name}.html"));
        std::fs::write(&file, bank.page("").await).unwrap();
        files.push((name, file));
    }
    tools
        .with_browser(async |browser| {
            for (name, file) in &files {
                browser.open(&format!("file://{}", file.display())).await;
                is_accessible(&browser, name).await;
                let shown = "return ['.for-wide', '.for-narrow'].filter((one) => { \
                             const found = document.querySelector(one); return found && found.offsetHeight > 0 }).length";
                let pictures = u64::from(*name != "without-metrics");
                assert_eq!(browser.run(shown).await, pictures, "{name}: one of the two pictures is shown");
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and axe-core, which .ci/browser-tools installs"]
async fn the_page_can_be_paused_and_works_by_keyboard() {
    let tools = tools();
    let system = System::start(&quick()).await;
    tools.with_browser(async |browser| grows_old(system, &browser).await).await;
}

async fn grows_old(system: System, browser: &Browser) {
    let address = format!("{}/circuit-breaker", system.gateway.address());
    browser.open(&address).await;
    // The first element that the keyboard reaches is a link past the controls.
    browser.press("\u{e004}").await;
    assert_eq!(browser.focused().await, "To the content");
    browser.press("\u{e004}").await;
    assert_eq!(browser.focused().await, "Pause refreshing");

    // Counts the page's requests. The page sends one as soon as it becomes visible, unless it is paused.
    browser
        .run("const ask = window.fetch; window.asked = 0; window.fetch = (...all) => (window.asked++, ask(...all))")
        .await;
    let asked = async || {
        let script = "document.dispatchEvent(new Event('visibilitychange')); return window.asked";
        browser.run(script).await.as_u64().unwrap()
    };
    browser.press("\u{e007}").await;
    assert_eq!(browser.focused().await, "Go on refreshing");
    let before = asked().await;
    system.force(2).await.unwrap();
    system.routed(2, "table").await;
    assert_eq!(asked().await, before, "a paused page asks for nothing");
    assert!(browser.text("#level").await.contains("Level 1"));
    browser.press("\u{e007}").await;
    says(browser, "#level", "Level 2").await;

    browser.click("label[for=c-hold-2]").await;
    assert!(browser.text("#line-hold-2").await.contains("breaker force --level 2 --hold 60m"));
    let height = browser.run("return document.querySelector('#line-force-1').offsetHeight").await;
    assert_eq!(height, 0, "one command is shown at a time");
    browser.click("#copy-line-hold-2").await;
    says(browser, "#news", "Copied: Hold level 2 for 60 min").await;

    // The page as `breaker status --open` saves it: it cannot refresh, and says so.
    let saved = tempfile::Builder::new().suffix(".html").tempfile().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = client.get(&address).header("Accept", "text/html").send().await.unwrap().bytes().await.unwrap();
    std::fs::write(&saved, page).unwrap();

    let System { stack, gateway, .. } = system;
    drop(stack);
    says(browser, "#trouble", "The page cannot be refreshed (status 502)").await;
    assert!(browser.text("#level").await.contains("Level 2"), "the last state stays visible");
    drop(gateway);
    browser.open(&format!("file://{}", saved.path().display())).await;
    says(browser, "#trouble", "A saved page: it does not refresh").await;
    assert!(!browser.client.find(Locator::Css("#pause")).await.unwrap().is_displayed().await.unwrap());
}
