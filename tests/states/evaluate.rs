//! Tests the evaluation and the states that follow it.

use breaker::contract::EVALUATE_THRESHOLDS_ERRORS;
use serde_json::{Value, json};

use crate::machine::{BEGIN, Case, Ends, run};
use crate::values::{
    RETRIED, WORDS, alarm, breaks, emitted, evaluation, fails, failures, force, json, lambda, nothing, schedule, state,
};

const TASK: &str = "EvaluateThresholds";
const NOTHING: [&str; 3] = ["EmitMetrics", "LookAgain?", "Done"];

/// Returns an execution whose evaluation fails at every attempt.
fn failed(error: &str, words: &str, replies: &[Value]) -> Case {
    let ends = Ends::Failed(error.to_owned(), words.to_owned());
    let case = Case::new(format!("{error} ends it"), schedule(), &[], ends).reply(TASK, replies);
    Case { path: vec![BEGIN[0], BEGIN[1], "Failed"], ..case }
}

/// Returns an execution whose evaluation has an outcome that the machine does not know.
fn unknown() -> Case {
    let mut unknown = json(&nothing());
    unknown["outcome"] = "sideways".into();
    let cause = "EvaluateThresholds answered with an outcome that this state machine does not know: sideways";
    let ends = Ends::Failed("UnknownOutcome".to_owned(), cause.to_owned());
    Case::new("an unknown outcome", schedule(), &["UnknownOutcome", "Failed"], ends).reply(TASK, &[lambda(&unknown)])
}

pub fn cases() -> Vec<Case> {
    let input = with(force(2), "dryRun", json!(true));
    let dry = evaluation(&state(), &input, &failures(0));
    assert!(dry.write.is_some(), "a dry run shows what it would write");
    let mut cases = vec![
        Case::done("nothing", alarm(), &NOTHING, &json(&nothing()))
            .reply(TASK, &[lambda(&nothing())])
            .reply("EmitMetrics", &[emitted()]),
        Case::done("a dry run", input, &["Done"], &json(&dry)).reply(TASK, &[lambda(&dry)]),
        unknown(),
        failed("InjectedCrash", &format!("{TASK}: {WORDS}"), &[breaks("InjectedCrash")]),
    ];
    for error in RETRIED {
        let case = Case::done(format!("{error} twice"), schedule(), &NOTHING, &json(&nothing()));
        let replies = [breaks(error), breaks(error), lambda(&nothing())];
        cases.push(case.reply(TASK, &replies).reply("EmitMetrics", &[emitted()]));
        cases.push(failed(error, &format!("{TASK}: {WORDS}"), &[breaks(error), breaks(error), breaks(error)]));
    }
    cases.extend(EVALUATE_THRESHOLDS_ERRORS.iter().map(|name| failed(name.as_str(), WORDS, &[fails(*name)])));
    cases
}

/// Returns an input with one member added.
pub fn with(mut input: Value, name: &str, value: Value) -> Value {
    input[name] = value;
    input
}

#[tokio::test]
async fn an_evaluation_is_retried_caught_and_decided_on() {
    let runs = run(&cases()).await;
    assert_eq!(runs["Lambda.Unknown twice"].waits_of(TASK), [1, 2]);
    assert_eq!(runs["Lambda.Unknown ends it"].waits_of(TASK), [1, 2]);
    assert!(runs["InvalidRequest ends it"].waits.is_empty(), "a task's own error is not retried");

    let run = &runs["nothing"];
    let [arguments] = run.arguments_of(TASK)[..] else { panic!("{:?}", run.calls) };
    assert_eq!(arguments["Payload"]["request"], alarm());
    let execution = &arguments["Payload"]["execution"];
    assert!(execution["arn"].as_str().unwrap().ends_with(execution["name"].as_str().unwrap()), "{execution}");
    assert_eq!(run.output_of(TASK), &json(&nothing()), "the metadata of the call are dropped");
    let [metrics] = run.arguments_of("EmitMetrics")[..] else { panic!("{:?}", run.calls) };
    assert_eq!(metrics["Payload"], json!({"outcome": "none", "state": nothing().new_state, "cause": nothing().cause}));
}
