use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use aws_edge::call_error::CallError;
use breaker::{ForceRequest, Level, TransitionRequest};

use super::*;
use crate::doubles::{
    HOLDER, Read, TestConfirm, TestMachine, TestRecords, answer, answered, at, hold, place, refused, unanswered,
};
use crate::exit::Exit;

type TestOperator = Operator<TestMachine, TestRecords, TestConfirm>;

fn force() -> ForceRequest {
    ForceRequest {
        target_level: Level::Degraded,
        reason: "drill".to_owned(),
        requested_by: "alice".to_owned(),
        hold_minutes: None,
        expected_epoch: Some(4),
        expected_hold: None,
        repair: false,
        dry_run: false,
    }
}

fn orders() -> Orders {
    Orders {
        order: Order::Force(force()),
        expected_hold: ExpectedHold::AsSeen,
        yes: true,
        wait: Duration::from_secs(3),
    }
}

/// Returns an operator whose state machine gives these answers, and whose table has these results.
fn operator(answers: Vec<Result<Executed, CallError>>, reads: Vec<Read>) -> TestOperator {
    Operator {
        place: place(),
        machine: TestMachine::answering(answers),
        records: TestRecords { reads, read: AtomicUsize::new(0), request: orders().request(false, None) },
        confirm: TestConfirm(Confirmation::NotAsked, Mutex::default()),
        log_group: "/aws/vendedlogs/states/bank".to_owned(),
    }
}

fn transition(ended: Option<breaker::Hold>) -> Result<Executed, CallError> {
    answered(answer(Outcome::Transition, ended))
}

fn said(report: &CommandReport) -> Vec<String> {
    report.lines(at(0)).iter().map(crate::terminal::Line::text).collect()
}

fn started(operator: &TestOperator) -> Vec<(String, TransitionRequest)> {
    operator.machine.started.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_force_is_done_when_its_record_is_there() {
    let operator = operator(vec![transition(None)], vec![Read::Nothing, Read::Unreadable, Read::Record(None)]);
    let report = operator.carry_out(&orders()).await;
    assert_eq!((report.result, report.exit()), (Verdict::Done, Exit::Done));
    let (name, request) = started(&operator).pop().unwrap();
    assert!(name.starts_with("force-") && report.execution.as_ref() == Some(&name), "{name}");
    let TransitionRequest::Force(force) = request else { panic!("{request:?}") };
    assert_eq!((force.expected_hold.as_deref(), force.expected_epoch), (Some("none"), Some(4)));
    let place = "bank-prod in account 111122223333, region eu-central-1";
    assert_eq!(
        said(&report),
        [
            "Done at 2026-09-10T14:00:00Z: forced from level 3 to level 2 by alice: drill.".to_owned(),
            format!("{place}: level 2, epoch 5, version 10; record command#{name}."),
            "No hold: automation may raise the level from 14:00:30 UTC.".to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_hold_that_ends_is_shown_expected_and_named() {
    let mut operator = operator(vec![transition(Some(hold()))], vec![Read::Record(Some(hold()))]);
    operator.confirm = TestConfirm(Confirmation::Yes, Mutex::default());
    let report = operator.carry_out(&Orders { yes: false, ..orders() }).await;
    let shown = operator.confirm.1.lock().unwrap().clone();
    for line in ["deployment  bank-prod", "account     111122223333", "region      eu-central-1"] {
        assert!(shown.iter().any(|shown| shown == line), "{line}: {shown:#?}");
    }
    let ends = format!("This ends the hold of level 3 by bob until {} (while the DB is restored).", hold().expires_at);
    assert!(shown.iter().any(|line| line.split(" until ").next() == ends.split(" until ").next()), "{shown:#?}");
    let (_, request) = started(&operator).pop().unwrap();
    assert!(
        matches!(request, TransitionRequest::Force(ForceRequest { expected_hold: Some(named), .. }) if named == HOLDER)
    );
    let said = said(&report);
    assert!(said[2].starts_with("This ended the hold of level 3 by bob until "), "{said:#?}");
    assert!(said[2].ends_with(" (while the DB is restored)."), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_hold_without_a_name_is_not_expected() {
    let unnamed = breaker::Hold { execution: None, ..hold() };
    for (seen, expected_hold) in [(unnamed, ExpectedHold::AsSeen), (hold(), ExpectedHold::Any)] {
        let operator = operator(vec![transition(Some(seen))], vec![Read::Record(None)]);
        operator.carry_out(&Orders { expected_hold, ..orders() }).await;
        let (_, request) = started(&operator).pop().unwrap();
        assert!(matches!(request, TransitionRequest::Force(ForceRequest { expected_hold: None, .. })), "{request:?}");
    }
}

#[tokio::test]
async fn a_named_hold_is_expected_by_the_dry_run_already() {
    let orders = Orders { expected_hold: ExpectedHold::Named(HOLDER.to_owned()), ..orders() };
    let TransitionRequest::Force(force) = orders.request(true, None) else { panic!() };
    assert_eq!(force.expected_hold.as_deref(), Some(HOLDER));
}

#[tokio::test]
async fn nothing_is_started_without_a_yes() {
    for (confirmation, exit) in [(Confirmation::No, Exit::Failed), (Confirmation::NotAsked, Exit::Usage)] {
        let mut operator = operator(vec![transition(None)], vec![Read::Nothing]);
        operator.confirm = TestConfirm(confirmation, Mutex::default());
        let report = operator.carry_out(&Orders { yes: false, ..orders() }).await;
        assert_eq!(report.exit(), exit);
        assert_eq!(said(&report).last().unwrap(), "Nothing was changed.");
        assert!(started(&operator).is_empty());
    }
}

#[tokio::test]
async fn a_dry_run_a_refusal_and_nothing_to_do_start_nothing() {
    let failed = |error: &str, cause: &str| Ok(Executed::Failed { error: error.to_owned(), cause: cause.to_owned() });
    let dry = Orders { order: Order::Force(ForceRequest { dry_run: true, ..force() }), ..orders() };
    for (answer, orders, result, expected) in [
        (transition(None), &dry, Verdict::DryRun, "dry run     nothing was changed"),
        (answered(answer(Outcome::None, None)), &orders(), Verdict::Nothing, "Nothing to do for bank-prod"),
        (
            failed("InvalidRequest", "`reason` is empty"),
            &orders(),
            Verdict::Refused,
            "InvalidRequest: `reason` is empty",
        ),
        (failed("TIMED_OUT", "no cause was given"), &orders(), Verdict::Refused, "TIMED_OUT: no cause was given"),
        (Err(unanswered("no answer")), &orders(), Verdict::Failed, "cannot be started: no answer"),
    ] {
        let operator = operator(vec![answer], vec![Read::Nothing]);
        let report = operator.carry_out(orders).await;
        assert_eq!(report.result, result);
        assert!(said(&report).iter().any(|line| line.contains(expected)), "{expected}: {:#?}", said(&report));
        assert!(started(&operator).is_empty());
    }
}

#[tokio::test]
async fn every_dry_run_ends_with_what_keeps_automation_off() {
    let mut held = answer(Outcome::None, None);
    held.new_state.hold = Some(hold());
    for (answer, expected) in [
        (held, "Held until 20"),
        (answer(Outcome::None, None), "No hold: automation may raise the level from "),
        (answer(Outcome::Transition, Some(hold())), "No hold: automation may raise the level from "),
    ] {
        let report = operator(vec![answered(answer)], vec![]).carry_out(&Orders::look()).await;
        let said = said(&report);
        assert!(said.last().unwrap().starts_with(expected), "{said:#?}");
    }
}

#[tokio::test]
async fn a_hold_that_is_over_is_not_shown_as_one() {
    let mut over = answer(Outcome::None, None);
    over.new_state.hold = Some(breaker::Hold { expires_at: at(-60), ..hold() });
    let said = said(&operator(vec![answered(over)], vec![]).carry_out(&Orders::look()).await);
    let after =
        "after       level 3, epoch 4, version 9, hold ended at 2026-09-10T13:59:00Z by bob: while the DB is restored";
    assert!(said.iter().any(|line| line == after), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_read_leaves_the_outcome_unknown() {
    let operator = operator(vec![transition(None)], vec![Read::Nothing, Read::Unreadable]);
    let report = operator.carry_out(&orders()).await;
    assert_eq!((report.result, report.exit().code()), (Verdict::Unknown, 3));
    assert!(said(&report)[0].ends_with("is not known: the table cannot be read: the table is down."), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_not_answered_is_looked_for() {
    for (look, result) in [(Read::Record(None), Verdict::Done), (Read::Nothing, Verdict::Unknown)] {
        let mut operator = operator(vec![transition(None)], vec![look]);
        operator.machine.start = Err(unanswered("AWS does not answer in time"));
        assert_eq!(operator.carry_out(&orders()).await.result, result);
    }
}

#[tokio::test]
async fn a_start_that_was_refused_changed_nothing() {
    let mut operator = operator(vec![transition(None)], vec![Read::Nothing]);
    operator.machine.start = Err(refused("AccessDeniedException"));
    let report = operator.carry_out(&orders()).await;
    assert_eq!((report.result, report.exit()), (Verdict::Failed, Exit::Failed));
    assert_eq!(said(&report)[1], "Nothing was changed.");
}

#[tokio::test(start_paused = true)]
async fn a_command_without_a_record_says_what_is_known_of_it() {
    let cause = "`expectedHold` is \"none\", but another hold is in force".to_owned();
    let refused = Ok(Executed::Failed { error: "InvalidRequest".to_owned(), cause });
    for (second, code, expected) in [
        (answered(answer(Outcome::None, None)), 0, "Nothing was left to do for bank-prod"),
        (refused, 1, "no record of it came within 3 s; by now it is refused: InvalidRequest: `expectedHold`"),
        (transition(None), 3, "look in the log group /aws/vendedlogs/states/bank before you repeat it"),
        (Err(unanswered("down")), 3, "the state machine cannot be asked: down"),
    ] {
        let operator = operator(vec![transition(None), second], vec![Read::Nothing]);
        let report = operator.carry_out(&orders()).await;
        assert_eq!(report.exit().code(), code, "{report:?}");
        let said = said(&report);
        assert!(said[0].contains(expected), "{said:#?}");
        assert!(!said[0].contains("Done"), "{said:#?}");
    }
}

#[tokio::test]
async fn a_record_that_comes_late_is_no_refusal() {
    let refused = Executed::Failed { error: "InvalidRequest".to_owned(), cause: "`expectedEpoch` is 4".to_owned() };
    let operator = operator(vec![transition(None), Ok(refused)], vec![Read::Nothing, Read::Record(None)]);
    let report = operator.carry_out(&Orders { wait: Duration::ZERO, ..orders() }).await;
    assert_eq!(report.result, Verdict::Done, "{report:?}");
}
