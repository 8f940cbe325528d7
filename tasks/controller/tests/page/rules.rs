//! What would move the level, as the page tells it: with rates and probes, on a ramp, under a hold.

use breaker::{
    CallCounts, EvidenceSummary, Hold, Level, NewestProbes, Policy, PolicySettings, ProbeSeries, Probing, Ramp,
    Refusing, SystemState, TransitionRecord,
};
use jiff::{SignedDuration, Timestamp};

use crate::common;
use crate::{Page, browse, showing, state};

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

fn production() -> PolicySettings {
    PolicySettings::production()
}

/// The page for a state and these records, under a policy.
async fn page(settings: PolicySettings, state: SystemState, records: Vec<TransitionRecord>) -> Page {
    Page::of(&common::under(Policy::new(settings).unwrap(), showing(state, records))).await
}

/// The record of the transition that led to a state of [`state`], with numbers.
fn counted(level: Level) -> TransitionRecord {
    let evidence = EvidenceSummary {
        level: Level::Degraded,
        since: ago(600),
        errors: 12,
        carried_failures: 0,
        success_streak: 0,
        consecutive_failures: 11,
        unsettled_failures: 11,
        rate: CallCounts { calls: 40, failed: 12, slow: 3 },
        probes: Some(ProbeSeries {
            calls: 17,
            failed: 2,
            newest: NewestProbes::default(),
            last_seen: ago(70),
            last_failed: false,
            last_call: None,
        }),
    };
    TransitionRecord { epoch: 3, to: level, evidence: Some(evidence), ..TransitionRecord::first_start(ago(60), "arn") }
}

pub fn probing(from: Timestamp, idle_since: Option<Timestamp>) -> Probing {
    Probing { from, percent: 37, percent_since: from, idle_since, refusing: None }
}

fn refused(probing: Probing) -> Probing {
    Probing { refusing: Some(Refusing { since: ago(400), alarm_from: ago(-500) }), ..probing }
}

fn held(level: Level) -> Hold {
    let expires_at = Timestamp::now() + SignedDuration::from_mins(30);
    Hold { level, reason: "a release".to_owned(), requested_by: "alice".to_owned(), expires_at, execution: None }
}

#[tokio::test]
async fn each_active_rule_shows_what_it_needs_and_saw() {
    let rate = "10 % failures among at least 25 calls within 40 s";
    let run = "the newest 10 calls failed, none succeeded";
    let slow = "50 % take 1500 ms or longer among at least 25 calls within 40 s";
    let probes = |better: &str| format!("20 probes of level {better}, less than 10 % failed or slow");
    for (level, expected) in [
        (
            Level::Full,
            vec![
                format!("Failure ratelevel 2{rate}12 of 40 calls"),
                format!("Failures in a rowlevel 2{run}11"),
                format!("Slow callslevel 2{slow}3 of 40 calls"),
            ],
        ),
        (
            Level::Degraded,
            vec![
                format!("Failure ratelevel 3{rate}12 of 40 calls"),
                format!("Failures in a rowlevel 3{run}11"),
                format!("Slow callslevel 3{slow}3 of 40 calls"),
                format!("Probeslevel 1{}17 of 20 probes, 2 failed", probes("1, full")),
            ],
        ),
        (Level::Maintenance, vec![format!("Probeslevel 2{}17 of 20 probes, 2 failed", probes("2, degraded"))]),
    ] {
        let page = page(production(), state(level), vec![counted(level)]).await;
        assert_eq!(page.texts("#rules tbody tr"), expected, "level {level}");
        let caption = page.text("#rules caption");
        assert!(caption.contains("counted at level 2 when the level last moved") && caption.contains("(1 min "));
        assert!(page.texts("meter").is_empty(), "no count of the state is that of a rule");
        let counts = page.texts("#counts p");
        assert_eq!(
            counts.iter().any(|text| text.starts_with("Failures: 4 within 5 min 0 s.")),
            level < Level::Maintenance
        );
        assert_eq!(counts.iter().any(|text| text.starts_with("Successes in a row: 2.")), level > Level::Full);
    }
}

#[tokio::test]
async fn rules_that_are_off_and_missing_numbers_are_left_out() {
    let settings = PolicySettings { consecutive_failures: 0, slow_call_rate_percent: 0, ..production() };
    let forced = TransitionRecord { evidence: None, ..counted(Level::Full) };
    let only_rate = page(settings, state(Level::Full), vec![forced]).await;
    let rate = "Failure ratelevel 210 % failures among at least 25 calls within 40 s";
    assert_eq!(only_rate.texts("#rules tbody tr"), [rate]);
    assert!(only_rate.text("#rules caption").contains("without any counting"));
    // Of another transition than the one that led here, as while the newest record cannot be read.
    let older = TransitionRecord { epoch: 2, ..counted(Level::Full) };
    assert!(page(production(), state(Level::Full), vec![older]).await.text("#rules caption").contains("without any"));
    assert!(page(PolicySettings::classic(), state(Level::Full), Vec::new()).await.texts("#rules").is_empty());
}

#[tokio::test]
async fn the_page_shows_the_probe_share_or_why_none() {
    let told = async |state: SystemState| {
        let settings = PolicySettings { probe_limit_per_second: 7, ..production() };
        let page = page(settings, state, Vec::new()).await;
        page.texts("#counts p").into_iter().filter(|text| text.contains("robe")).collect::<Vec<_>>()
    };
    let level = Level::Degraded;
    let active = told(SystemState { probing: Some(probing(ago(30), None)), ..state(level) }).await.join(" ");
    assert!(active.starts_with("Probes: 37 % of the GET and HEAD requests try level 1, full, since "), "{active}");
    assert!(active.contains("(3") && active.contains(" s ago)") && active.contains("at most 7 a second"), "{active}");
    let later = told(SystemState { probing: Some(probing(ago(-30), None)), ..state(level) }).await.join(" ");
    assert!(later.starts_with("Probes: from ") && later.contains("with 37 %"), "{later}");
    let hold =
        told(SystemState { probing: Some(probing(ago(30), None)), hold: Some(held(level)), ..state(level) }).await;
    assert_eq!(hold, ["Probes: none while the hold lasts."]);
    assert_eq!(told(state(level)).await, ["Probes: the next evaluation begins them."]);
    assert!(told(state(Level::Full)).await.is_empty());
}

#[tokio::test]
async fn without_probes_the_page_shows_the_success_meter() {
    let state = SystemState { probing: Some(probing(ago(900), Some(ago(400)))), ..state(Level::Degraded) };
    let page = page(production(), state, Vec::new()).await;
    let note = page.texts("#counts p").into_iter().find(|text| text.starts_with("No probe was seen since ")).unwrap();
    assert!(note.contains("(6 min 4") && note.ends_with("rest on the successes at level 2 until one is."));
    assert_eq!(page.texts("#counts label"), ["Successes in a row: 2 of 5"]);
}

#[tokio::test]
async fn while_most_probes_are_refused_the_page_says_what_to_do() {
    let state = SystemState { probing: Some(refused(probing(ago(900), None))), ..state(Level::Degraded) };
    let told = page(production(), state.clone(), Vec::new()).await.texts("#counts p");
    let note = told.iter().find(|text| text.starts_with("Level 1 refuses most probes since ")).unwrap();
    for expected in ["(6 min 4", "4xx", "authorization and the routing of level 1", "force level 1"] {
        assert!(note.contains(expected), "{note}");
    }
    let held = page(production(), SystemState { hold: Some(held(Level::Degraded)), ..state }, Vec::new()).await;
    assert!(!held.texts("#counts p").join(" ").contains("refuses"), "nothing probes in a hold");
}

#[tokio::test]
async fn during_a_ramp_the_page_says_who_answers_how_much_until_when() {
    let (from, until) = (ago(30), ago(-30));
    let ramp = Some(Ramp { from, until, first_percent: 10 });
    let page = page(production(), SystemState { ramp, ..state(Level::Full) }, Vec::new()).await;
    let share = page.text("#ramp h2");
    assert!(
        ["50", "51", "52"].iter().any(|now| share == format!("◢ Level 1 takes over: {now} % of the requests so far"))
    );
    let told = page.text("#ramp");
    for part in [
        "These go to full-service: Everything works.",
        &until.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        "The rest is answered at level 2, degraded, by degraded-service: Reads come from a cached view",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!page.texts("#level > p").iter().any(|text| text.contains("Requests go to")), "not all of them do");
    assert!(page.text("#rules").contains("at least 20 calls during the ramp"));
    let over =
        SystemState { ramp: Some(Ramp { from: ago(90), until: ago(30), first_percent: 10 }), ..state(Level::Full) };
    assert!(Page::of(&showing(over, Vec::new())).await.texts("#ramp").is_empty());
}

#[tokio::test]
async fn the_page_promises_no_fall_that_a_hold_prevents() {
    let observing = PolicySettings { mode: breaker::Mode::ObserveOnly, ..PolicySettings::classic() };
    for (settings, hold, kept, falls) in [
        (PolicySettings::classic(), None, "5 lead to level 2", "Falls do not wait."),
        (
            PolicySettings::classic(),
            Some(held(Level::Full)),
            "5 would, but for the hold, lead to",
            "Falls wait too, while",
        ),
        (observing, None, "5 would, if automation moved anything, lead to", "Automation brings neither, while"),
        (
            observing,
            Some(held(Level::Full)),
            "5 would, but for the hold, lead to",
            "Falls wait too, while the hold lasts.",
        ),
    ] {
        let page = page(settings, SystemState { hold, ..state(Level::Full) }, Vec::new()).await;
        let counts = page.text("#counts");
        assert!(counts.contains(kept) && counts.contains(falls), "{counts}");
        assert_eq!(counts.contains("Falls do not wait."), falls == "Falls do not wait.", "{counts}");
    }
    let lowest = page(PolicySettings::classic(), state(Level::Maintenance), Vec::new()).await;
    assert!(!lowest.text("#counts").contains("Falls"), "nothing is below it");
}

#[tokio::test]
async fn a_prevented_move_is_shown_with_its_level() {
    let prevented = SystemState { prevented: Some(Level::Degraded), ..state(Level::Full) };
    let observing = PolicySettings { mode: breaker::Mode::ObserveOnly, ..production() };
    for (settings, hold, by) in [
        (production(), Some(held(Level::Full)), "but for the hold."),
        (observing, None, "but for the mode: automation only observes."),
        (production(), None, "a hold that is over, or a mode that was changed."),
    ] {
        let page = page(settings, SystemState { hold, ..prevented.clone() }, Vec::new()).await;
        assert_eq!(page.text("#prevented h2"), "⚠ The level would be 2, degraded");
        assert!(page.text("#prevented").contains(by), "{}", page.text("#prevented"));
    }
    assert!(page(production(), state(Level::Full), Vec::new()).await.texts("#prevented").is_empty());
}

#[tokio::test]
async fn the_page_stays_below_30_kilobytes() {
    for (level, hold) in
        [(Level::Full, None), (Level::Degraded, None), (Level::Maintenance, None), (Level::Degraded, Some(()))]
    {
        let records = (0..20).map(|back| TransitionRecord { epoch: 31 - back, ..counted(level) }).collect();
        let state = SystemState {
            epoch: 31,
            version: 99,
            prevented: level.worse().or(level.better()),
            ramp: level.worse().map(|_| Ramp { from: ago(30), until: ago(-30), first_percent: 10 }),
            probing: level.better().map(|_| refused(probing(ago(900), Some(ago(400))))),
            hold: hold.map(|()| held(level)),
            ..state(level)
        };
        let controller = common::under(Policy::new(production()).unwrap(), showing(state, records));
        let bytes = browse(&controller).await["body"].as_str().unwrap().len();
        println!("level {level}, held: {}: {bytes} bytes", hold.is_some());
        assert!(bytes < 30_000, "{bytes} bytes");
    }
}

#[tokio::test]
async fn records_that_make_no_sense_are_counted_on_the_page() {
    let mut controller = showing(state(Level::Degraded), vec![counted(Level::Degraded)]);
    controller.history.0.as_mut().unwrap().left_out = 2;
    let page = Page::of(&controller).await;
    assert_eq!(page.texts("#transitions tbody tr").len(), 1);
    assert!(page.text("#transitions > p").starts_with("Records that make no sense and are left out: 2."));
}
