use aws_edge::call_error::CallError;
use aws_edge::stores::state::StoreError;
use breaker::{AlarmHint, AlarmRequest, Level, Outcome, ReleaseRequest, ScheduleRequest, TransitionRequest};

use super::*;
use crate::doubles::{TestTable, TestTrail, at, hold, place, record, refused, state};
use crate::ports::StartEvent;

const ALL: Selection = Selection { since: None, epoch: None, count: 20 };

fn release() -> TransitionRequest {
    TransitionRequest::Release(ReleaseRequest {
        reason: "over".to_owned(),
        requested_by: "alice".to_owned(),
        expected_epoch: None,
        expected_hold: None,
        dry_run: false,
    })
}

/// Returns the first start, epochs 1 to 5 at intervals of ten seconds, the command of epoch 5, and a later release.
fn table() -> TestTable {
    let start = TransitionRecord::first_start(at(-60), "arn");
    let transitions = (1..=5).map(|epoch| TransitionRecord {
        epoch,
        version: 2 * epoch,
        from: Level::Maintenance,
        to: Level::Degraded,
        at: at(-60 + 10 * i64::try_from(epoch).unwrap()),
        reason: format!("transition {epoch}"),
        ..start.clone()
    });
    let released = CommandRecord {
        version: 11,
        at: at(5),
        from: Level::Degraded,
        outcome: Outcome::Record,
        reason: "hold of level 2 ended by alice: over".to_owned(),
        ended_hold: Some(hold()),
        ..record("release-1", release(), None)
    };
    TestTable {
        stored: Ok(Stored::State(Box::new(breaker::SystemState { epoch: 5, version: 11, ..state(Level::Degraded) }))),
        transitions: std::iter::once(start.clone()).chain(transitions).collect(),
        commands: vec![record("force-1", release(), None), released],
        unindexed: vec![],
    }
}

async fn versions(table: &TestTable, selection: Selection) -> Vec<u64> {
    let report = read(place(), table, table, selection).await.unwrap();
    report.entries.iter().map(|entry| entry.version).collect()
}

#[tokio::test]
async fn transitions_and_commands_are_one_list_newest_first() {
    assert_eq!(versions(&table(), ALL).await, [11, 10, 8, 6, 4, 2, 0]);
    let report = read(place(), &table(), &table(), ALL).await.unwrap();
    let both = &report.entries[1];
    assert!(both.transition.is_some() && both.command.is_some(), "one write, one entry");
}

#[tokio::test]
async fn a_selection_takes_a_part() {
    assert_eq!(versions(&table(), Selection { count: 2, ..ALL }).await, [11, 10]);
    assert_eq!(versions(&table(), Selection { since: Some(at(-20)), ..ALL }).await, [11, 10, 8]);
    assert_eq!(versions(&table(), Selection { epoch: Some(5), ..ALL }).await, [11, 10]);
    assert_eq!(versions(&table(), Selection { epoch: Some(3), ..ALL }).await, [6]);
    assert_eq!(versions(&table(), Selection { epoch: Some(9), ..ALL }).await, [0_u64; 0]);
}

#[tokio::test]
async fn a_list_is_cut_at_its_count() {
    let mut table = table();
    let newest = table.transitions[5].clone();
    let at = |epoch: u64| at(i64::try_from(epoch).unwrap());
    table.transitions =
        (0..=250).map(|epoch| TransitionRecord { epoch, version: epoch, at: at(epoch), ..newest.clone() }).collect();
    table.commands.clear();
    assert_eq!(versions(&table, Selection { count: 1_000, ..ALL }).await, (0..=250).rev().collect::<Vec<_>>());
    let cut = read(place(), &table, &table, ALL).await.unwrap();
    assert_eq!((cut.entries.len(), cut.unindexed.len()), (20, 0));
}

#[tokio::test]
async fn records_before_the_index_are_read_by_their_keys() {
    let mut table = TestTable { unindexed: vec![5, 3, 2, 1, 0], ..table() };
    let report = read(place(), &table, &table, ALL).await.unwrap();
    // Without the release, because it moved no level.
    assert_eq!(report.entries.iter().map(|entry| entry.version).collect::<Vec<_>>(), [10, 8, 6, 4, 2, 0]);
    assert_eq!(report.unindexed, [5, 3, 2, 1, 0]);
    assert!(report.lines().pop().unwrap().text().starts_with("The index by time lacks epoch 5, 3, 2, 1, 0:"));
    assert_eq!(versions(&table, Selection { epoch: Some(5), ..ALL }).await, [11, 10]);
    let since = read(place(), &table, &table, Selection { since: Some(at(-30)), ..ALL }).await.unwrap();
    assert_eq!((since.entries.len(), since.unindexed), (3, vec![5, 3]));
    // Expired records are neither in the index nor under their keys.
    table.transitions.retain(|record| record.epoch > 2);
    let report = read(place(), &table, &table, ALL).await.unwrap();
    assert_eq!(report.unindexed, [5, 3]);
}

#[tokio::test]
async fn a_lost_state_has_a_history_and_a_first_start_none() {
    let lost = TestTable { stored: Ok(Stored::Lost), ..table() };
    assert_eq!(versions(&lost, ALL).await.len(), 7);
    let empty = TestTable { stored: Ok(Stored::Nothing), transitions: vec![], commands: vec![], unindexed: vec![] };
    let report = read(place(), &empty, &empty, ALL).await.unwrap();
    assert_eq!((report.lines()[1].text().as_str(), report.unindexed.len()), ("No records.", 0));
    let down = TestTable { stored: Err(StoreError::Invalid("the table is down".to_owned())), ..empty };
    let failure = read(place(), &down, &down, ALL).await.unwrap_err();
    assert_eq!(failure.sentence, "the history cannot be read: the table is down");
}

#[tokio::test]
async fn lines_name_what_was_done_and_which_hold_ended() {
    let report = read(place(), &table(), &table(), Selection { count: 2, ..ALL }).await.unwrap();
    let lines: Vec<_> = report.lines().iter().map(crate::terminal::Line::text).collect();
    assert_eq!(lines[1], "2026-09-10 14:00:05 UTC  epoch 5    level 2       hold of level 2 ended by alice: over");
    assert!(lines[2].starts_with("    This ended the hold of level 3 by bob until "), "{lines:#?}");
    assert_eq!(lines[3], "2026-09-10 13:59:50 UTC  epoch 5    level 3 -> 2  transition 5");
}

#[tokio::test]
async fn the_alarm_of_an_evaluation_is_named_apart() {
    let mut table = table();
    table.commands.clear();
    table.transitions[4].request = Some(TransitionRequest::Schedule(ScheduleRequest::default()));
    let alarm = AlarmHint::new("level-2-recovery".to_owned(), None, None).unwrap();
    table.transitions[5].request = Some(TransitionRequest::Alarm(AlarmRequest { alarm, dry_run: false }));
    let report = read(place(), &table, &table, Selection { count: 2, ..ALL }).await.unwrap();
    let lines: Vec<_> = report.lines().iter().map(crate::terminal::Line::text).collect();
    assert_eq!(lines[2], "    By automation, woken by the alarm level-2-recovery.");
    assert_eq!(lines[4], "    By automation.");
}

/// Returns the start of the execution release-1 by this principal.
fn event(principal: &str) -> StartEvent {
    StartEvent {
        name: Some("release-1".to_owned()),
        execution: Some("arn:aws:states:eu-central-1:1:express:bank:release-1:2".to_owned()),
        principal: principal.to_owned(),
    }
}

async fn verified(trail: Result<Vec<StartEvent>, CallError>, seconds: i64) -> Verification {
    verify(&record("release-1", release(), None), &TestTrail(trail), at(seconds)).await.unwrap()
}

#[tokio::test]
async fn a_command_is_verified_by_the_arn_or_its_last_part() {
    for principal in ["alice", "arn:aws:iam::1:user/alice", "arn:aws:sts::1:assumed-role/Operator/alice"] {
        let expected = Verification::Verified { principal: principal.to_owned() };
        assert_eq!(verified(Ok(vec![event(principal)]), 60).await, expected);
    }
    let principal = "arn:aws:sts::1:assumed-role/alice/mallory".to_owned();
    let expected = Verification::Claimed { claimed: "alice".to_owned(), principal: principal.clone() };
    assert_eq!(verified(Ok(vec![event(&principal)]), 60).await, expected);
}

#[tokio::test]
async fn a_command_that_the_trail_does_not_know_is_not_verified() {
    let other = StartEvent { execution: Some("arn:other".to_owned()), ..event("alice") };
    assert_eq!(verified(Ok(vec![other]), 60).await, Verification::NotThereYet);
    assert_eq!(verified(Ok(vec![]), 7_200).await, Verification::Missing);
    assert_eq!(verified(Ok(vec![event("alice")]), 91 * 86_400).await, Verification::TooOld);
}

#[tokio::test]
async fn a_trail_that_cannot_be_read_is_said() {
    let mut report = read(place(), &table(), &table(), ALL).await.unwrap();
    verify_all(&mut report, &TestTrail(Err(refused("AccessDenied"))), at(60)).await;
    assert_eq!(report.verification_error.as_deref(), Some("AccessDenied"));
    let last = report.lines().pop().unwrap().text();
    assert_eq!(last, "The commands cannot all be verified: AccessDenied");
}
