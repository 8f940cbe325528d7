//! Tests executions that evaluate more than once: those of the schedule while probes or a ramp test a level, and those
//! of an alarm while a rule is half fulfilled.

use breaker::contract::{ErrorName, Evaluation};
use breaker::{LOOKS, SECONDS_BETWEEN_ALARM_LOOKS, SECONDS_BETWEEN_LOOKS, SECONDS_OF_LOOKS};
use serde_json::{Value, json};

use crate::evaluate::with;
use crate::machine::{BEGIN, Case, Ends, run};
use crate::values::{
    WORDS, alarm, emitted, evaluation, fails, failures, force, half_fulfilled, json, lambda, nothing, published,
    schedule, state, transition, watched_transition, written,
};

/// The states of an evaluation that changes nothing, up to the next evaluation.
const LOOK: [&str; 5] = ["EmitMetrics", "LookAgain?", "UntilNextLook", "EvaluateThresholds", "Decided?"];
const LAST: [&str; 3] = ["EmitMetrics", "LookAgain?", "Done"];
const TOLD: [&str; 4] = ["WriteState", "Moved?", "Announce", "LookAgain?"];
const AGAIN: [&str; 3] = ["UntilNextLook", "EvaluateThresholds", "Decided?"];
/// Number of evaluations of an execution that an alarm started, if they take no time.
const ALARM_LOOKS: usize = (SECONDS_OF_LOOKS / SECONDS_BETWEEN_ALARM_LOOKS) as usize;

/// Returns an evaluation that changes nothing and asks for another one.
fn unproven() -> Evaluation {
    Evaluation { look_again: true, ..nothing() }
}

fn looks(number: u8) -> Value {
    with(schedule(), "looks", number.into())
}

/// Returns an execution that evaluates this many times.
fn looked(name: &str, input: Value, evaluation: &Evaluation, times: usize) -> Case {
    Case::done(name, input, &[LOOK.repeat(times - 1), LAST.to_vec()].concat(), &json(evaluation))
        .reply("EvaluateThresholds", &vec![lambda(evaluation); times])
        .reply("EmitMetrics", &vec![emitted(); times])
}

/// Returns an execution that evaluates this many times. The first evaluation takes this many seconds.
fn looked_slowly(name: &str, input: Value, evaluation: &Evaluation, seconds: u32, times: usize) -> Case {
    let mut case = looked(name, input, evaluation, times);
    case.replies.get_mut("EvaluateThresholds").unwrap()[0]["Seconds"] = seconds.into();
    case
}

/// Three lost races in the first evaluation do not count for the next one, which may lose three again.
fn races_of_two_looks() -> Case {
    let moved = Evaluation { look_again: true, ..transition() };
    let race = ["WriteState", "EvaluateAgain?", "EvaluateThresholds", "Decided?"];
    let path = [race.repeat(3), TOLD.to_vec(), vec!["UntilNextLook", BEGIN[1], BEGIN[2]]].concat();
    let path = [path, race.repeat(3), TOLD.to_vec(), vec!["Done"]].concat();
    let case = Case::done("lost races of two evaluations", looks(2), &path, &json(&moved));
    (0..2).fold(case, |case, _| {
        case.reply("EvaluateThresholds", &vec![lambda(&moved); 4])
            .reply("WriteState", &vec![fails(ErrorName::StateConflict); 3])
            .reply("WriteState", &[written(&moved)])
            .reply("EmitTransitionMetrics", &[emitted()])
            .reply("Notify", &[published()])
            .inside(&["EmitTransitionMetrics", "Notify"])
    })
}

/// The first evaluation finds the rule half fulfilled, the second lets the level fall, the third finds nothing.
fn the_other_half() -> Case {
    let (half, moved) = (half_fulfilled(), watched_transition());
    let path = [LOOK.as_slice(), &TOLD, &AGAIN, &LAST].concat();
    Case::done("the other half comes", alarm(), &path, &json(&nothing()))
        .reply("EvaluateThresholds", &[lambda(&half), lambda(&moved), lambda(&nothing())])
        .reply("WriteState", &[written(&moved)])
        .reply("EmitMetrics", &[emitted(), emitted()])
        .reply("EmitTransitionMetrics", &[emitted()])
        .reply("Notify", &[published()])
        .inside(&["EmitTransitionMetrics", "Notify"])
}

/// A rule is half fulfilled, and another writer wins the race for its counts. The execution still evaluates again.
fn half_and_a_lost_race() -> Case {
    let counted = evaluation(&state(), &alarm(), &failures(3));
    assert!(counted.look_again && counted.write.is_some());
    let path = [["WriteState", "EvaluateAgain?", "LookAgain?"].as_slice(), &AGAIN, &LAST].concat();
    Case::done("half, and a lost race", alarm(), &path, &json(&nothing()))
        .reply("EvaluateThresholds", &[lambda(&counted), lambda(&nothing())])
        .reply("WriteState", &[fails(ErrorName::StateConflict)])
        .reply("EmitMetrics", &[emitted()])
}

/// The second evaluation fails, so the execution fails and the message returns.
fn half_and_a_failure() -> Case {
    let ends = Ends::Failed(ErrorName::MetricsUnavailable.to_string(), WORDS.to_owned());
    let path = ["EmitMetrics", "LookAgain?", "UntilNextLook", "EvaluateThresholds", "Failed"];
    Case::new("half, and a failure", alarm(), &path, ends)
        .reply("EvaluateThresholds", &[lambda(&half_fulfilled()), fails(ErrorName::MetricsUnavailable)])
        .reply("EmitMetrics", &[emitted()])
}

pub fn cases() -> Vec<Case> {
    let most = *LOOKS.end();
    let half = half_fulfilled();
    assert!(half.look_again && half.write.is_none(), "{}", half.reason);
    let room = SECONDS_OF_LOOKS - SECONDS_BETWEEN_ALARM_LOOKS;
    vec![
        looked("all looks", looks(most), &unproven(), most.into()),
        looked("two evaluations", looks(2), &unproven(), 2),
        looked("one evaluation", looks(1), &unproven(), 1),
        looked("a command looks once", force(1), &unproven(), 1),
        looked("nothing to prove", looks(most), &nothing(), 1),
        looked_slowly("too late for another look", looks(most), &unproven(), 45, 1),
        looked_slowly("too late after the second look", looks(most), &unproven(), 30, 2),
        looked("all of an alarm's looks", alarm(), &half, ALARM_LOOKS),
        looked_slowly("an alarm's last look", alarm(), &half, room - 1, 2),
        looked_slowly("too late for an alarm's look", alarm(), &half, room, 1),
        races_of_two_looks(),
        the_other_half(),
        half_and_a_lost_race(),
        half_and_a_failure(),
    ]
}

#[tokio::test]
async fn an_execution_evaluates_again_within_its_minute() {
    let runs = run(&cases()).await;
    let run = &runs["all looks"];
    assert_eq!(run.waits_of("UntilNextLook"), vec![u64::from(SECONDS_BETWEEN_LOOKS); usize::from(*LOOKS.end()) - 1]);
    for arguments in run.arguments_of("EvaluateThresholds") {
        assert_eq!(arguments["Payload"]["request"], json!({"trigger": "schedule", "looks": 4}));
    }
    let run = &runs["all of an alarm's looks"];
    assert_eq!(run.waits_of("UntilNextLook"), vec![u64::from(SECONDS_BETWEEN_ALARM_LOOKS); ALARM_LOOKS - 1]);
    assert!(run.arguments_of("EvaluateThresholds").iter().all(|arguments| arguments["Payload"]["request"] == alarm()));
}
