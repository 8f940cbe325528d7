//! Tests the two failures that `States.ALL` does not match: `States.DataLimitExceeded`, which the bounds of all values
//! prevent, and `States.Runtime`. Neither leaves a partial write.

use breaker::contract::Evaluation;
use breaker::{Hold, Level, SystemState};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::evaluate::with;
use crate::machine::{BEGIN, Case, Ends, run};
use crate::values::{
    WORDS, breaks, emitted, evaluation, failures, force, json, lambda, nothing, now, published, schedule, state,
    transition, written,
};

/// Bytes of JSON that Step Functions takes between states, as arguments and results of tasks, and in one Assign.
const STATES_BYTES: usize = 256 * 1024;
/// Bytes of a message that SNS takes.
const MESSAGE_BYTES: usize = 256 * 1024;
/// Bytes of an item that DynamoDB takes.
const ITEM_BYTES: usize = 400 * 1024;
/// The failures that `States.ALL` does not match.
const TERMINAL: [&str; 2] = ["States.DataLimitExceeded", "States.Runtime"];

/// Returns a text of this many characters with the maximum of bytes in JSON: six each if control characters are
/// allowed, as in a state that was written by hand, else four.
fn longest(characters: usize, controls: bool) -> String {
    if controls { "\u{1}".repeat(characters) } else { "\u{1f600}".repeat(characters) }
}

/// Returns the largest state that `SystemState::check` accepts, at level 2.
fn largest_state() -> SystemState {
    let hold = Hold {
        level: Level::Degraded,
        reason: longest(500, true),
        requested_by: longest(200, true),
        expires_at: now() + SignedDuration::from_hours(72),
        execution: Some(longest(2_048, true)),
    };
    let state = SystemState {
        current_level: Level::Degraded,
        transition_reason: longest(4_000, true),
        execution: longest(2_048, true),
        version: (1 << 53) - 2,
        epoch: (1 << 53) - 2,
        failure_count: u64::MAX,
        success_count: u64::MAX,
        last_updated: now(),
        hold: Some(hold),
        ..state()
    };
    assert_eq!(state.check(), Ok(()));
    state
}

/// Returns the largest evaluations, each with its request.
fn largest() -> Vec<(Value, Evaluation)> {
    let people = |mut input: Value| {
        input["reason"] = longest(500, false).into();
        input["requestedBy"] = longest(200, false).into();
        input
    };
    let epoch = json!((1_u64 << 53) - 2);
    let held = with(with(people(force(2)), "holdMinutes", 4320.into()), "expectedEpoch", epoch.clone());
    let moved = with(people(force(3)), "expectedEpoch", epoch);
    let alarm = json!({"name": longest(255, false), "arn": longest(2_048, false), "stateChangeTime": now()});
    let alarm = json!({"trigger": "alarm", "alarm": alarm});
    let free = SystemState { hold: None, ..largest_state() };
    let of = |state: &SystemState, input: Value, errors| {
        let evaluation = evaluation(state, &input, &failures(errors));
        (input, evaluation)
    };
    vec![
        of(&largest_state(), held, 0),
        of(&largest_state(), moved, 0),
        of(&free, alarm.clone(), u64::MAX / 2),
        of(&largest_state(), alarm, 50),
    ]
}

/// Returns an execution with this evaluation, which writes, and with the states that follow.
fn largest_case((input, evaluation): &(Value, Evaluation)) -> Case {
    let moved = evaluation.outcome == breaker::Outcome::Transition
        || evaluation.prevented.is_some()
        || evaluation.ended_hold.is_some();
    let told = if moved { "Announce" } else { "EmitMetrics" };
    let path = ["WriteState", "Moved?", told, "LookAgain?", "Done"];
    let name = format!("{:?} by {}", evaluation.outcome, input["trigger"]);
    let case = Case::done(name, input.clone(), &path, &json(evaluation))
        .reply("EvaluateThresholds", &[lambda(evaluation)])
        .reply("WriteState", &[written(evaluation)]);
    if moved {
        let sides = ["EmitTransitionMetrics", "Notify"];
        case.reply(sides[0], &[emitted()]).reply(sides[1], &[published()]).inside(&sides)
    } else {
        case.reply(told, &[emitted()])
    }
}

#[tokio::test]
async fn the_largest_values_stay_below_the_limits() {
    let largest = largest();
    let cases: Vec<_> = largest.iter().map(largest_case).collect();
    let runs = run(&cases).await;
    for (name, run) in &runs {
        println!("{name}: {:?}", run.largest);
        assert!(run.largest.values().all(|bytes| *bytes < STATES_BYTES), "{name}: {:?}", run.largest);
        for notification in run.arguments_of("Notify") {
            assert!(notification["Message"].as_str().unwrap().len() < MESSAGE_BYTES, "{name}");
        }
    }
    let most = |kind: &str| runs.values().map(|run| run.largest[kind]).max().unwrap();
    assert!(most("result of a task") > 64 * 1024, "the values are not large");

    for (_, evaluation) in &largest {
        let write = evaluation.write.as_ref().unwrap();
        assert_eq!(write.check(), Ok(()));
        // The whole write is larger than any of its items.
        let bytes = json(write).to_string().len();
        assert!(bytes < ITEM_BYTES, "{bytes} bytes to write");
    }
}

/// Returns an execution in which a task fails with an error that no rule matches.
fn ended(error: &str, task: &'static str) -> Case {
    let name = format!("{task}: {error}");
    let ends = Ends::Failed(error.to_owned(), WORDS.to_owned());
    let case = |path: &[&'static str]| Case::new(name, schedule(), path, ends);
    let replies = [breaks(error)];
    match task {
        "EvaluateThresholds" => {
            let case = case(&[]).reply(task, &replies);
            Case { path: BEGIN[..2].to_vec(), ..case }
        }
        "EmitMetrics" => case(&[task]).reply("EvaluateThresholds", &[lambda(&nothing())]).reply(task, &replies),
        "WriteState" => case(&[task]).reply("EvaluateThresholds", &[lambda(&transition())]).reply(task, &replies),
        _ => {
            let sides = ["EmitTransitionMetrics", "Notify"];
            let other = if task == sides[0] { (sides[1], published()) } else { (sides[0], emitted()) };
            case(&["WriteState", "Moved?", "Announce"])
                .reply("EvaluateThresholds", &[lambda(&transition())])
                .reply("WriteState", &[written(&transition())])
                .reply(task, &replies)
                .reply(other.0, &[other.1])
                .inside(&sides)
        }
    }
}

/// The execution fails with the error's own name. For the alarm processor that is a failure like any other, so the
/// message returns. Before the write nothing has changed; after it the state and its record are both written. Only an
/// execution whose input is so close to the limit that the arguments of the first task exceed it can still end like
/// this.
#[tokio::test]
async fn a_failure_that_nothing_matches_ends_the_execution() {
    let tasks = ["EvaluateThresholds", "WriteState", "EmitMetrics", "EmitTransitionMetrics", "Notify"];
    let cases: Vec<_> = TERMINAL.iter().flat_map(|error| tasks.map(|task| ended(error, task))).collect();
    let runs = run(&cases).await;
    for (name, run) in &runs {
        assert!(run.waits.is_empty(), "{name}: retried");
        let written = run.arguments_of("WriteState").len();
        assert_eq!(written, usize::from(!name.starts_with("Ev") && !name.starts_with("EmitMetrics")), "{name}");
    }
}
