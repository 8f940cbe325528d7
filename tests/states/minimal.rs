//! Tests every expression with the smallest input that it can have, because an undefined value is an error in
//! `JSONata`.

use std::collections::BTreeSet;

use breaker::contract::{ErrorName, Evaluation};
use breaker::{StateWrite, SystemState};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::coverage::states;
use crate::machine::{Case, Ends, definition, run};
use crate::values::{
    WORDS, breaks, emitted, fails, force, json, lambda, now, policy, published, record, schedule, transition, written,
};

/// Returns a state without its optional members.
fn bare_state() -> SystemState {
    SystemState { version: 7, epoch: 2, execution: String::new(), ..SystemState::initial(&policy(), now()) }
}

/// Returns the evaluation without its optional members.
fn bare(evaluation: Evaluation) -> Evaluation {
    let mut write = evaluation.write.unwrap();
    let SystemState { current_level, version, epoch, .. } = write.state;
    write.state = SystemState { current_level, version, epoch, ..bare_state() };
    if let Some(record) = &mut write.transition {
        (record.request, record.evidence, record.policy) = (None, None, None);
        (record.cause, record.woken_by) = (None, None);
    }
    write.command = None;
    let new_state = write.state.clone();
    let old_state = bare_state();
    Evaluation { prevented: None, evidence: None, old_state, new_state, write: Some(write), ..evaluation }
}

/// Fails if the value has a member that its schema does not require and that is not one of `others`.
fn has_only(value: &Value, schema: &Schema, others: &[&str]) {
    let required = json(schema)["required"].clone();
    let is_required = |name: &String| required.as_array().unwrap().iter().any(|required| required == name);
    for name in value.as_object().unwrap().keys() {
        assert!(is_required(name) || others.contains(&name.as_str()), "{name} may be missing: {value:#}");
    }
}

fn evaluated(name: &str, input: Value, path: &[&'static str], evaluation: &Evaluation) -> Case {
    Case::done(name, input, path, &json(evaluation)).reply("EvaluateThresholds", &[lambda(evaluation)])
}

pub fn cases() -> Vec<Case> {
    let (moved, counted) = (bare(transition()), bare(record()));
    let quiet = Evaluation { outcome: breaker::Outcome::None, write: None, ..counted.clone() };
    let again = Evaluation { look_again: true, ..quiet.clone() };
    let told = ["WriteState", "Moved?", "Announce", "LookAgain?", "Done"];
    let race = ["WriteState", "EvaluateAgain?", "EvaluateThresholds", "Decided?"];
    let looks = json!({"trigger": "schedule", "looks": 2});
    let look = ["EmitMetrics", "LookAgain?", "UntilNextLook", "EvaluateThresholds", "Decided?"];
    let look = [look.as_slice(), &["EmitMetrics", "LookAgain?", "Done"]].concat();
    let mut unknown = json(&quiet);
    unknown["outcome"] = "".into();
    let sideways = "EvaluateThresholds answered with an outcome that this state machine does not know: ".to_owned();
    let mut given_up = json(&counted);
    given_up["outcome"] = "none".into();
    given_up["newState"] = given_up["oldState"].clone();
    given_up["reason"] =
        format!("{}; not recorded, because another execution wrote the state meanwhile", counted.reason).into();
    let failed = |name: &str, error: &str, cause: String, task: &'static str, reply: Value| {
        let path: &[&str] = if task == "WriteState" { &["WriteState", "Failed"] } else { &[] };
        let mut case = Case::new(name, schedule(), path, Ends::Failed(error.to_owned(), cause));
        if task == "WriteState" {
            case = case.reply("EvaluateThresholds", &[lambda(&moved)]);
        } else {
            case.path = vec!["Begin", "EvaluateThresholds", "Failed"];
        }
        case.reply(task, &[reply])
    };
    let name = ErrorName::InvalidRequest;
    let no_object = Case {
        input: json!("a text"),
        ..failed("no object", name.as_str(), WORDS.to_owned(), "EvaluateThresholds", fails(name))
    };
    vec![
        no_object,
        evaluated("bare transition", force(2), &told, &moved)
            .reply("WriteState", &[written(&moved)])
            .reply("EmitTransitionMetrics", &[emitted()])
            .reply("Notify", &vec![breaks("SNS.NotFoundException"); 4])
            .reply("NotificationMissing", &[emitted()])
            .inside(&["EmitTransitionMetrics", "Notify", "NotificationMissing"]),
        evaluated("bare transition after a race", force(2), &[race.as_slice(), &told].concat(), &moved)
            .reply("EvaluateThresholds", &[lambda(&moved)])
            .reply("WriteState", &[fails(ErrorName::StateConflict), written(&moved)])
            .reply("EmitTransitionMetrics", &[emitted()])
            .reply("Notify", &[published()])
            .inside(&["EmitTransitionMetrics", "Notify"]),
        evaluated("bare record", schedule(), &["WriteState", "Moved?", "EmitMetrics", "LookAgain?", "Done"], &counted)
            .reply("WriteState", &[written(&counted)])
            .reply("EmitMetrics", &[emitted()]),
        Case::done(
            "bare record that lost a race",
            schedule(),
            &["WriteState", "EvaluateAgain?", "LookAgain?", "Done"],
            &given_up,
        )
        .reply("EvaluateThresholds", &[lambda(&counted)])
        .reply("WriteState", &[fails(ErrorName::StateConflict)]),
        evaluated("bare looks", looks, &look, &again)
            .reply("EvaluateThresholds", &[lambda(&again)])
            .reply("EmitMetrics", &[emitted(), emitted()]),
        Case::new(
            "bare unknown outcome",
            schedule(),
            &["UnknownOutcome", "Failed"],
            Ends::Failed("UnknownOutcome".to_owned(), sideways),
        )
        .reply("EvaluateThresholds", &[lambda(&unknown)]),
        failed("bare refusal", name.as_str(), WORDS.to_owned(), "EvaluateThresholds", fails(name)),
        failed("bare crash", "Crash", format!("EvaluateThresholds: {WORDS}"), "EvaluateThresholds", breaks("Crash")),
        failed("bare refused write", name.as_str(), WORDS.to_owned(), "WriteState", fails(name)),
        failed("bare crashed write", "Crash", format!("WriteState: {WORDS}"), "WriteState", breaks("Crash")),
    ]
}

/// Returns the expressions of the definition: `<state>: <expression>`.
fn expressions() -> BTreeSet<String> {
    fn collect(state: &str, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                let inner = text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}"));
                found.extend(inner.map(|text| format!("{state}: {}", text.trim())));
            }
            Value::Array(items) => {
                for item in items {
                    collect(state, item, found);
                }
            }
            Value::Object(members) => {
                for (_, member) in members.iter().filter(|(name, _)| *name != "Branches") {
                    collect(state, member, found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for (name, state) in states(&definition()) {
        collect(&name, &state, &mut found);
    }
    found
}

#[tokio::test]
async fn every_expression_has_a_value_for_the_smallest_input() {
    let evaluation = json(&bare(record()));
    // `write` is present whenever it is read, and `backoff` is always written although readers do not need it.
    has_only(&evaluation, &schema_for!(Evaluation), &["write"]);
    has_only(&evaluation["oldState"], &schema_for!(SystemState), &["backoff"]);
    has_only(&json(&bare(transition()).write), &schema_for!(StateWrite), &["transition"]);

    let evaluated: BTreeSet<String> = run(&cases()).await.into_values().flat_map(|run| run.expressions).collect();
    let left_out: Vec<_> = expressions().difference(&evaluated).cloned().collect();
    assert!(left_out.is_empty(), "no case with the smallest input evaluates {left_out:#?}");
}
