//! Tests concurrent executions.

use breaker::TransitionRecord;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::common::{Executed, System, eventually, force_to, with};
use crate::proxy::{Calls, Fault};
use crate::rig::alone;

/// Number of operators that act concurrently.
const OPERATORS: u8 = 12;

fn writes(who: &str) -> Calls {
    Calls::to("dynamodb", "TransactWriteItems").saying(who)
}

fn command(level: u8, who: &str) -> Value {
    with(force_to(level), json!({"requestedBy": who}))
}

/// Of two writers, one gets a conflict. It evaluates again and continues from the state that the other one wrote.
#[test]
fn the_loser_of_a_race_evaluates_again() {
    alone(async |system, proxy| {
        let before = system.epoch().await;
        // Both evaluate the same state before either writes.
        let first = proxy.inject(writes("operator-one"), Fault::Hold, None);
        let second = proxy.inject(writes("operator-two"), Fault::Hold, None);
        let (to_2, to_3) = (command(2, "operator-one"), command(3, "operator-two"));
        let race = async {
            first.hit(1).await;
            second.hit(1).await;
            drop(first);
            system.transition(before + 1).await;
            drop(second);
        };
        let (one, two, ()) = tokio::join!(system.execute(&to_2), system.execute(&to_3), race);

        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((&one["from"], &one["to"]), (&json!(1), &json!(2)));
        assert_eq!((&two["from"], &two["to"]), (&json!(2), &json!(3)), "decided again on the state of the other");
        let history = system.history().await;
        let written: Vec<_> = history.iter().skip_while(|record| record.epoch <= before).map(levels).collect();
        assert_eq!(written, [(1, 2), (2, 3)]);
    });
}

fn levels(record: &TransitionRecord) -> (u8, u8) {
    (record.from.number(), record.to.number())
}

#[test]
fn of_many_commands_each_runs_once_or_says_it_did_not() {
    alone(async |system, _| {
        let before = system.epoch().await;
        let name = |operator: u8| format!("operator-{operator}-at-epoch-{before}");
        let start = |operator: u8| async move {
            let command = command(1 + operator % 3, &format!("operator-{operator}"));
            (operator, system.execute_as(Some(&name(operator)), &command).await)
        };
        let executed = join_all((0..OPERATORS).map(start)).await;

        let history = system.history().await;
        let mut refused = 0;
        for (operator, outcome) in executed {
            let record = system.command(&name(operator)).await;
            let transitions = history.iter().filter(|record| record.execution.ends_with(&name(operator))).count();
            let expected = carried_out(outcome, &mut refused);
            assert_eq!((record.is_some(), transitions), (expected, usize::from(expected)), "{operator}");
        }
        let moved = u64::try_from(history.len()).unwrap() - 1 - before;
        println!("{moved} of {OPERATORS} commands moved the level, {refused} gave up after three conflicts");
        assert!(moved >= 1);
        let state = system.watch().state().await.unwrap();
        assert_eq!((state.epoch, state.current_level), (before + moved, history.last().unwrap().to));
    });
}

/// Whether the command says that it moved the level.
fn carried_out(outcome: Executed, refused: &mut u32) -> bool {
    match outcome {
        Ok(output) if output["outcome"] == "transition" => true,
        Ok(output) => {
            assert_eq!(output["cause"]["because"], "alreadyThere", "{output}");
            false
        }
        Err((error, cause)) => {
            assert_eq!(error, "StateConflict", "{cause}");
            *refused += 1;
            false
        }
    }
}

#[test]
fn a_second_command_under_a_used_name_changes_nothing() {
    alone(async |system, _| {
        let before = system.epoch().await;
        let name = format!("used-at-epoch-{before}");
        system.execute_as(Some(&name), &command(2, "alice")).await.unwrap();
        for other in [command(3, "alice"), with(command(2, "alice"), json!({"holdMinutes": 5}))] {
            let (error, cause) = system.execute_as(Some(&name), &other).await.unwrap_err();
            assert_eq!(error, "InvalidRequest", "{cause}");
            assert!(cause.contains("name was used") && cause.contains("a name of its own"), "{cause}");
        }
        assert_eq!(system.epoch().await, before + 1);
    });
}

/// The evaluation only has counts to write, so it reports that they were not recorded, and announces no level.
#[test]
fn an_evaluation_that_loses_a_race_announces_no_level() {
    alone(async |system, proxy| {
        eventually("counts that are worth writing", async || {
            system.succeed().await;
            (system.evaluate_dry().await["outcome"] == "record").then_some(())
        })
        .await;
        let slow = format!("slow-look-{:016x}", rand::random::<u64>());
        let held = proxy.inject(writes(&slow), Fault::Hold, None);
        let look = json!({"trigger": "schedule"});
        let race = async {
            held.hit(1).await;
            // Moves the level, so that the slow evaluation would announce the old level.
            system.force(2).await.unwrap();
            let announced = announced(system).await;
            drop(held);
            announced
        };
        let (slow, before) = tokio::join!(system.execute_as(Some(&slow), &look), race);
        let slow = slow.unwrap();
        assert_eq!(slow["outcome"], "none", "{slow}");
        assert!(slow["reason"].as_str().unwrap().contains("another execution wrote the state meanwhile"), "{slow}");
        assert!((announced(system).await - before).abs() < 0.5, "the loser of the race announces nothing");
    });
}

/// Returns the number of evaluations that announced a level.
async fn announced(system: &System) -> f64 {
    system.sum("CircuitBreaker/Transitions", "Evaluation", &[]).await
}

/// A client whose reply was lost starts the execution again under the same name.
#[test]
fn a_command_started_twice_runs_once() {
    alone(async |system, _| {
        let before = system.epoch().await;
        let name = format!("twice-at-epoch-{before}");
        let start = async || system.execute_as(Some(&name), &command(2, "alice")).await;
        start().await.unwrap();
        // The level has moved on, and the repeated start must not take it back.
        system.force(1).await.unwrap();
        let again = start().await.unwrap();
        assert_eq!(again["outcome"], "none");
        assert_eq!(again["cause"]["because"], "carriedOut", "{again}");
        assert_eq!(only_of(system, &name).await, 1);
        assert_eq!(system.epoch().await, before + 2);
        assert_eq!(system.watch().state().await.unwrap().current_level.number(), 1);
    });
}

async fn only_of(system: &System, name: &str) -> usize {
    system.history().await.iter().filter(|record| record.execution.ends_with(name)).count()
}
