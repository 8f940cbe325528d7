//! Tests the write, lost races, and which writes are announced.

use breaker::contract::{ErrorName, Evaluation, WRITE_STATE_ERRORS};
use breaker::{Level, SystemState};
use serde_json::{Value, json};

use crate::machine::{Case, Ends, run};
use crate::values::{
    RETRIED, WORDS, alarm, breaks, emitted, evaluation, fails, failures, force, held, json, lambda, prevented,
    published, record, schedule, state, transition, written,
};

const TASK: &str = "WriteState";
const WRITE: [&str; 2] = ["WriteState", "Moved?"];
/// The states after a write that is announced, and after one that is not.
const ANNOUNCED: [&str; 3] = ["Announce", "LookAgain?", "Done"];
const QUIET: [&str; 3] = ["EmitMetrics", "LookAgain?", "Done"];
/// The states of a lost race and of the evaluation after it.
const AGAIN: [&str; 4] = ["WriteState", "EvaluateAgain?", "EvaluateThresholds", "Decided?"];

/// Returns an execution that writes this evaluation after `races` lost races, and announces it.
fn announced(name: &str, input: &Value, evaluation: &Evaluation, races: usize) -> Case {
    let path = [AGAIN.repeat(races), [WRITE.as_slice(), &ANNOUNCED].concat()].concat();
    Case::done(name, input.clone(), &path, &json(evaluation))
        .reply("EvaluateThresholds", &vec![lambda(evaluation); races + 1])
        .reply(TASK, &vec![fails(ErrorName::StateConflict); races])
        .reply(TASK, &[written(evaluation)])
        .reply("EmitTransitionMetrics", &[emitted()])
        .reply("Notify", &[published()])
        .inside(&["EmitTransitionMetrics", "Notify"])
}

/// Returns an execution that writes this evaluation after `races` lost races, and does not announce it.
fn quiet(name: &str, input: &Value, evaluation: &Evaluation, races: usize) -> Case {
    let path = [AGAIN.repeat(races), [WRITE.as_slice(), &QUIET].concat()].concat();
    Case::done(name, input.clone(), &path, &json(evaluation))
        .reply("EvaluateThresholds", &vec![lambda(evaluation); races + 1])
        .reply(TASK, &vec![fails(ErrorName::StateConflict); races])
        .reply(TASK, &[written(evaluation)])
        .reply("EmitMetrics", &[emitted()])
}

/// Returns an execution that only has counts to write and loses a race. It gives up, because the winner has just
/// written newer counts.
fn given_up(name: &str, input: Value) -> Case {
    let evaluation = record();
    let mut answer = json(&evaluation);
    answer["outcome"] = "none".into();
    answer["newState"] = answer["oldState"].clone();
    answer["reason"] =
        format!("{}; not recorded, because another execution wrote the state meanwhile", evaluation.reason).into();
    Case::done(name, input, &["WriteState", "EvaluateAgain?", "LookAgain?", "Done"], &answer)
        .reply("EvaluateThresholds", &[lambda(&evaluation)])
        .reply(TASK, &[fails(ErrorName::StateConflict)])
}

fn failed(error: &str, cause: &str, replies: &[Value]) -> Case {
    let ends = Ends::Failed(error.to_owned(), cause.to_owned());
    Case::new(format!("{error} ends the write"), schedule(), &["WriteState", "Failed"], ends)
        .reply("EvaluateThresholds", &[lambda(&transition())])
        .reply(TASK, replies)
}

/// Returns an execution that loses four races and fails.
fn out_of_tries() -> Case {
    let ends = Ends::Failed("StateConflict".to_owned(), WORDS.to_owned());
    let path = [AGAIN.repeat(3), vec!["WriteState", "EvaluateAgain?", "Failed"]].concat();
    Case::new("four lost races", force(2), &path, ends)
        .reply("EvaluateThresholds", &vec![lambda(&transition()); 4])
        .reply(TASK, &vec![fails(ErrorName::StateConflict); 4])
}

/// Returns an operator's command that writes a hold and moves nothing, and its evaluation.
fn hold() -> (Value, Evaluation) {
    let mut input = force(1);
    input["holdMinutes"] = 30.into();
    let evaluation = evaluation(&state(), &input, &failures(0));
    (input, evaluation)
}

/// Returns an evaluation that a hold keeps at level 2, after one whose prevented move was to `before`.
fn prevented_after(before: Option<Level>) -> Evaluation {
    let mut hold = held().hold;
    hold.as_mut().unwrap().level = Level::Degraded;
    let state = SystemState { current_level: Level::Degraded, prevented: before, hold, ..state() };
    evaluation(&state, &schedule(), &failures(10))
}

pub fn cases() -> Vec<Case> {
    let (command, holds) = hold();
    let seen = SystemState { prevented: Some(Level::Degraded), ..held() };
    let mut cases = vec![
        announced("a transition", &alarm(), &transition(), 0),
        announced("a transition after three lost races", &schedule(), &transition(), 3),
        announced("prevented for the first time", &schedule(), &prevented(), 0),
        announced("prevented another way than before", &schedule(), &prevented_after(Some(Level::Full)), 0),
        quiet("a record", &schedule(), &record(), 0),
        quiet("prevented as before", &schedule(), &evaluation(&seen, &schedule(), &failures(6)), 0),
        quiet("a command's record after a lost race", &command, &holds, 1),
        given_up("a schedule's record that lost a race", schedule()),
        given_up("an alarm's record that lost a race", alarm()),
        out_of_tries(),
        failed("InjectedCrash", &format!("{TASK}: {WORDS}"), &[breaks("InjectedCrash")]),
    ];
    for error in RETRIED {
        let mut case = announced(&format!("the write, {error} twice"), &schedule(), &transition(), 0);
        case.replies.get_mut(TASK).unwrap().splice(0..0, [breaks(error), breaks(error)]);
        cases.push(case);
        cases.push(failed(error, &format!("{TASK}: {WORDS}"), &[breaks(error), breaks(error), breaks(error)]));
    }
    let names = WRITE_STATE_ERRORS.iter().filter(|name| **name != ErrorName::StateConflict);
    cases.extend(names.map(|name| failed(name.as_str(), WORDS, &[fails(*name)])));
    cases
}

#[tokio::test]
async fn a_write_is_retried_repeated_after_a_race_and_announced() {
    let runs = run(&cases()).await;
    assert_eq!(runs["the write, Sandbox.Timedout twice"].waits_of(TASK), [1, 2]);
    assert!(runs["a transition after three lost races"].waits.is_empty());

    let run = &runs["a transition"];
    let [write] = run.arguments_of(TASK)[..] else { panic!("{:?}", run.calls) };
    assert_eq!(write["Payload"], json(&transition().write));
    let [metrics] = run.arguments_of("EmitTransitionMetrics")[..] else { panic!("{:?}", run.calls) };
    let Evaluation { new_state, cause, .. } = transition();
    assert_eq!(metrics["Payload"], json!({"outcome": "transition", "state": new_state, "cause": cause}));
    let [metrics] = runs["prevented for the first time"].arguments_of("EmitTransitionMetrics")[..] else {
        panic!("{run:?}")
    };
    assert_eq!(metrics["Payload"]["prevented"], 2);
}
