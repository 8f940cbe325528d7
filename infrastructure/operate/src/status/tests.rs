use aws_edge::call_error::CallError;
use aws_edge::stores::state::StoreError;
use breaker::{
    CallCounts, CorruptState, EvidenceSummary, Hold, InvalidAttribute, Level, Mode, NewestProbes, Outcome, Policy,
    PolicySettings, ProbeSeries,
};

use super::*;
use crate::doubles::{
    TestAlarms, TestControllers, TestMachine, TestTable, answer, answered, at, hold, place, state, unanswered,
};

type TestSources = Sources<TestTable, TestMachine, TestControllers, TestAlarms>;

fn evidence(level: Level) -> EvidenceSummary {
    EvidenceSummary {
        level,
        since: at(-60),
        errors: 3,
        carried_failures: 5,
        success_streak: 2,
        consecutive_failures: 1,
        unsettled_failures: 1,
        rate: CallCounts { calls: 40, failed: 4, slow: 1 },
        probes: None,
    }
}

fn alarm(name: &str, is_on: bool, actions_enabled: bool) -> Alarm {
    Alarm { name: name.to_owned(), is_on, actions_enabled, since: Some(at(-30)) }
}

fn sources(stored: Result<Stored, StoreError>, evaluated: Result<Executed, CallError>) -> TestSources {
    let fall = TransitionRecord {
        epoch: 4,
        from: Level::Full,
        to: Level::Degraded,
        reason: "5 failures".to_owned(),
        ..TransitionRecord::first_start(at(-60), "arn")
    };
    let view = ControllersView { lowest_level: Some(2.0), highest_level: Some(2.0), oldest_state_seconds: Some(1.25) };
    let alarms = vec![alarm("bank-a-prod", true, true), alarm("bank-b-prod", false, false), alarm("c", false, true)];
    Sources {
        table: TestTable { stored, transitions: vec![fall], commands: Vec::new(), unindexed: Vec::new() },
        machine: TestMachine::answering(vec![evaluated]),
        controllers: TestControllers(Ok(view)),
        alarms: TestAlarms(Ok(alarms)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a port answers")]
fn degraded() -> Result<Stored, StoreError> {
    Ok(Stored::State(Box::new(state(Level::Degraded))))
}

fn looked(policy: Option<Policy>) -> Result<Executed, CallError> {
    let mut answer = answer(Outcome::Record, None);
    answer.reason = "no reason to move".to_owned();
    (answer.policy, answer.evidence) = (policy, Some(evidence(Level::Degraded)));
    answered(answer)
}

fn said(report: &StatusReport) -> Vec<String> {
    report.lines().iter().map(crate::terminal::Line::text).collect()
}

#[tokio::test]
async fn the_status_shows_all_parts() {
    let report = sources(degraded(), looked(Some(crate::doubles::policy()))).read(place(), at(0)).await;
    assert_eq!(
        said(&report),
        [
            "deployment  bank-prod in account 111122223333, region eu-central-1",
            "level       2 degraded, since 14:00:00 UTC (0 s)",
            "reason      Initial state",
            "state       epoch 4, version 9, written 0 s ago",
            "evaluation  no reason to move",
            "falls by    8 of 10 failures within 300 s, 5 of them carried over",
            "recovers by 2 of 5 consecutive successes",
            "controllers level 2, oldest state 1.2 s, in the last 5 minutes",
            "alarms      1 of 3 on",
            "            on: bank-a-prod, for 30 s",
            "            actions are off: bank-b-prod",
            "transitions 13:59:00 UTC  level 1 -> 2  5 failures",
            "No hold: automation may raise the level from 14:00:30 UTC.",
        ]
    );
    assert_eq!(report.exit(), Exit::Done);
}

#[tokio::test]
async fn the_rules_of_the_production_policy_show_their_shares() {
    let policy = Policy::new(PolicySettings::production()).unwrap();
    let report = sources(degraded(), looked(Some(policy))).read(place(), at(0)).await;
    let names: Vec<_> = report.rules.iter().map(|rule| rule.rule).collect();
    assert!(names.contains(&"failureRate") && names.contains(&"probes"), "{names:?}");
    let rate = report.rules.iter().find(|rule| rule.rule == "failureRate").unwrap();
    assert!(rate.text.starts_with("4 of 40 calls failed (10 %); falls at "), "{}", rate.text);
}

#[tokio::test]
async fn probes_prove_a_level_that_neither_fails_nor_refuses_them() {
    let newest = |refused| NewestProbes { answered: 20, refused };
    for (calls, failed, refused, holds) in
        [(20, 0, 0, true), (19, 0, 0, false), (20, 2, 0, false), (20, 1, 0, true), (20, 0, 21, false)]
    {
        let (last_seen, last_failed, last_call) = (at(0), false, None);
        let series = ProbeSeries { calls, failed, newest: newest(refused), last_seen, last_failed, last_call };
        let evidence = EvidenceSummary { probes: Some(series), ..evidence(Level::Degraded) };
        assert_eq!(recovery_of(PolicySettings::production(), evidence).await, ("probes", holds), "{series:?}");
    }
}

#[tokio::test]
async fn a_policy_that_observes_recovers_by_successes() {
    let observing = PolicySettings { mode: Mode::ObserveOnly, ..PolicySettings::production() };
    let evidence = EvidenceSummary { success_streak: 1_000, ..evidence(Level::Degraded) };
    assert_eq!(recovery_of(observing, evidence).await, ("consecutiveSuccesses", true));
}

/// Returns the recovery's rule that the status shows, and whether it holds.
async fn recovery_of(settings: PolicySettings, evidence: EvidenceSummary) -> (&'static str, bool) {
    let mut answer = answer(Outcome::Record, None);
    (answer.policy, answer.evidence) = (Some(Policy::new(settings).unwrap()), Some(evidence));
    let report = sources(degraded(), answered(answer)).read(place(), at(0)).await;
    let rule = report.rules.iter().find(|rule| rule.direction == Direction::Recovery).unwrap();
    (rule.rule, rule.holds)
}

#[tokio::test]
async fn a_hold_is_shown_while_it_lasts() {
    let held = |expires_at| {
        let hold = Some(Hold { level: Level::Degraded, expires_at, ..hold() });
        Ok(Stored::State(Box::new(SystemState { hold, ..state(Level::Degraded) })))
    };
    let lasting = said(&sources(held(at(60)), looked(None)).read(place(), at(0)).await);
    let line = "hold        until 2026-09-10T14:01:00Z by bob: while the DB is restored";
    assert!(lasting.iter().any(|said| said == line), "{lasting:#?}");
    assert_eq!(lasting.last().unwrap(), "Held until 2026-09-10T14:01:00Z.");
    let over = said(&sources(held(at(-60)), looked(None)).read(place(), at(0)).await);
    assert!(!over.iter().any(|said| said.starts_with("hold")), "{over:#?}");
}

#[tokio::test]
async fn a_part_that_cannot_be_read_hides_no_other() {
    let mut broken = sources(degraded(), Err(unanswered("the machine is down")));
    broken.controllers.0 = Err(unanswered("no metrics"));
    broken.alarms.0 = Err(unanswered("no alarms"));
    let report = broken.read(place(), at(0)).await;
    assert_eq!(report.problems, ["the machine is down", "no metrics", "no alarms"]);
    assert!(said(&report).iter().any(|line| line.starts_with("level       2 degraded")));
    assert_eq!(report.exit(), Exit::Done);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_fails_with_the_remedy() {
    for (stored, expected) in [
        (Ok(Stored::Lost), "force a level with --repair"),
        (
            Ok(Stored::Unreadable(CorruptState(InvalidAttribute::new("currentLevel", "is 4")))),
            "force a level with --repair",
        ),
        (Ok(Stored::Nothing), "nothing was written yet"),
        (Err(StoreError::Invalid("the table is down".to_owned())), "the table is down"),
    ] {
        let report = sources(stored, looked(None)).read(place(), at(0)).await;
        assert_eq!(report.exit(), Exit::Failed);
        assert!(report.problems[0].contains(expected), "{:?}", report.problems);
    }
}

#[tokio::test]
async fn a_failing_evaluation_is_a_problem_of_the_status() {
    let failed = Executed::Failed { error: "MetricsUnavailable".to_owned(), cause: "throttled".to_owned() };
    let report = sources(degraded(), Ok(failed)).read(place(), at(0)).await;
    assert_eq!(report.problems, ["an evaluation fails now: MetricsUnavailable: throttled"]);
}

#[tokio::test]
async fn controllers_without_requests_are_told_from_others() {
    let mut quiet = sources(degraded(), looked(None));
    quiet.controllers.0 = Ok(ControllersView::default());
    let line = "controllers no request in the last 5 minutes";
    assert!(said(&quiet.read(place(), at(0)).await).iter().any(|said| said == line));
    quiet.controllers.0 =
        Ok(ControllersView { lowest_level: Some(1.0), highest_level: Some(2.0), oldest_state_seconds: None });
    let line = "controllers levels 1 to 2, in the last 5 minutes";
    assert!(said(&quiet.read(place(), at(0)).await).iter().any(|said| said == line));
}
