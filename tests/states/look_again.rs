//! Further evaluations within the minute of one schedule.

use breaker::contract::{ErrorName, Evaluation};
use breaker::{LOOKS, SECONDS_BETWEEN_LOOKS};
use serde_json::{Value, json};

use crate::evaluate::with;
use crate::machine::{BEGIN, Case, run};
use crate::values::{alarm, emitted, fails, json, lambda, nothing, published, schedule, transition, written};

/// One more evaluation that changes nothing, and the way to the next one.
const LOOK: [&str; 5] = ["EmitMetrics", "LookAgain?", "UntilNextLook", "EvaluateThresholds", "Decided?"];
const LAST: [&str; 3] = ["EmitMetrics", "LookAgain?", "Done"];

/// An evaluation that changes nothing and wants another one.
fn unproven() -> Evaluation {
    Evaluation { look_again: true, ..nothing() }
}

fn looks(number: u8) -> Value {
    with(schedule(), "looks", number.into())
}

/// An execution that looks so many times.
fn looked(name: &str, input: Value, evaluation: &Evaluation, times: usize) -> Case {
    Case::done(name, input, &[LOOK.repeat(times - 1), LAST.to_vec()].concat(), &json(evaluation))
        .reply("EvaluateThresholds", &vec![lambda(evaluation); times])
        .reply("EmitMetrics", &vec![emitted(); times])
}

/// A reply that comes after so many seconds.
fn after(seconds: u64, mut reply: Value) -> Value {
    reply["Seconds"] = seconds.into();
    reply
}

/// Three races lost in the first look leave three for the next.
fn races_of_two_looks() -> Case {
    let moved = Evaluation { look_again: true, ..transition() };
    let race = ["WriteState", "EvaluateAgain?", "EvaluateThresholds", "Decided?"];
    let told = ["WriteState", "Moved?", "Announce", "LookAgain?"];
    let path = [race.repeat(3), told.to_vec(), vec!["UntilNextLook", BEGIN[1], BEGIN[2]]].concat();
    let path = [path, race.repeat(3), told.to_vec(), vec!["Done"]].concat();
    let case = Case::done("lost races of two looks", looks(2), &path, &json(&moved));
    (0..2).fold(case, |case, _| {
        case.reply("EvaluateThresholds", &vec![lambda(&moved); 4])
            .reply("WriteState", &vec![fails(ErrorName::StateConflict); 3])
            .reply("WriteState", &[written(&moved)])
            .reply("EmitTransitionMetrics", &[emitted()])
            .reply("Notify", &[published()])
            .inside(&["EmitTransitionMetrics", "Notify"])
    })
}

pub fn cases() -> Vec<Case> {
    let most = *LOOKS.end();
    let late = Case::done("too late for another look", looks(most), &LAST, &json(&unproven()))
        .reply("EvaluateThresholds", &[after(45, lambda(&unproven()))])
        .reply("EmitMetrics", &[emitted()]);
    let mut second = looked("too late after the second look", looks(most), &unproven(), 2);
    second.replies.get_mut("EvaluateThresholds").unwrap()[0]["Seconds"] = 30.into();
    vec![
        looked("all looks", looks(most), &unproven(), most.into()),
        looked("two looks", looks(2), &unproven(), 2),
        looked("one look", looks(1), &unproven(), 1),
        looked("an alarm looks once", alarm(), &unproven(), 1),
        looked("nothing to prove", looks(most), &nothing(), 1),
        late,
        second,
        races_of_two_looks(),
    ]
}

#[tokio::test]
async fn a_schedule_looks_again_within_its_minute() {
    let runs = run(&cases()).await;
    let run = &runs["all looks"];
    assert_eq!(run.waits_of("UntilNextLook"), vec![u64::from(SECONDS_BETWEEN_LOOKS); usize::from(*LOOKS.end()) - 1]);
    for arguments in run.arguments_of("EvaluateThresholds") {
        assert_eq!(arguments["Payload"]["request"], json!({"trigger": "schedule", "looks": 4}));
    }
}
