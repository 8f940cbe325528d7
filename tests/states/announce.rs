//! Tests the announcement of a transition: its metrics and its notification. No failure here fails the execution.

use breaker::TransitionRequest;
use breaker::contract::{EMIT_METRICS_ERRORS, Evaluation};
use serde_json::{Value, json};

use crate::machine::{Case, run};
use crate::values::{
    RETRIED, WORDS, alarm, breaks, emitted, fails, hold_ended, json, lambda, nothing, prevented, published, release,
    schedule, transition, written,
};

const METRICS: &str = "EmitTransitionMetrics";
const ALONE: &str = "EmitMetrics";
const NOTIFY: &str = "Notify";
const MISSING: &str = "NotificationMissing";
/// Maximum length of a subject in characters: SNS takes fewer than 100.
const SUBJECT_CHARACTERS: usize = 99;
/// Characters of the longest name of a deployment: a project of 24, a hyphen, an environment of 8.
const DEPLOYMENT_CHARACTERS: usize = 24 + 1 + 8;

/// Returns an execution that writes a transition and announces it by tasks with these replies.
fn announced(name: String, evaluation: &Evaluation, metrics: &[Value], notify: &[Value]) -> Case {
    asked_and_announced(name, alarm(), evaluation, metrics, notify)
}

fn asked_and_announced(
    name: String,
    input: Value,
    evaluation: &Evaluation,
    metrics: &[Value],
    notify: &[Value],
) -> Case {
    let path = ["WriteState", "Moved?", "Announce", "LookAgain?", "Done"];
    Case::done(name, input, &path, &json(evaluation))
        .reply("EvaluateThresholds", &[lambda(evaluation)])
        .reply("WriteState", &[written(evaluation)])
        .reply(METRICS, metrics)
        .reply(NOTIFY, notify)
        .inside(&[METRICS, NOTIFY])
}

/// Returns an execution that writes a transition whose notification SNS refuses at every attempt, so that a metric
/// reports it.
fn unnotified(name: String, replies: &[Value]) -> Case {
    announced(name, &transition(), &[emitted()], &vec![breaks("SNS.InternalErrorException"); 4])
        .reply(MISSING, replies)
        .inside(&[MISSING])
}

/// Returns an execution whose evaluation writes nothing and whose metrics are emitted with these replies.
fn measured(name: String, replies: &[Value]) -> Case {
    Case::done(name, schedule(), &[ALONE, "LookAgain?", "Done"], &json(&nothing()))
        .reply("EvaluateThresholds", &[lambda(&nothing())])
        .reply(ALONE, replies)
}

/// Returns an execution in which a branch fails. In the real definition each branch catches every error, so this is a
/// copy in which one branch catches none.
fn branch_failed() -> Case {
    let replies = [breaks("InjectedCrash")];
    let mut case = announced("a branch fails".to_owned(), &transition(), &replies, &[published()]);
    let task = &mut case.machine["States"]["Announce"]["Branches"][0]["States"][METRICS];
    task.as_object_mut().unwrap().remove("Catch").unwrap();
    case
}

pub fn cases() -> Vec<Case> {
    let told = |name: &str, notify: &[Value]| announced(name.to_owned(), &transition(), &[emitted()], notify);
    let sns = breaks("SNS.InternalErrorException");
    let mut cases = vec![
        told("told", &[published()]),
        told("told at the fourth try", &[sns.clone(), sns.clone(), sns, published()]),
        announced("a prevented one told".to_owned(), &prevented(), &[emitted()], &[published()]),
        asked_and_announced("an ended hold told".to_owned(), release(), &hold_ended(), &[emitted()], &[published()]),
        unnotified("not told".to_owned(), &[emitted()]),
        branch_failed(),
    ];
    for error in RETRIED.iter().copied().chain(["InjectedCrash"]) {
        let retried = error != "InjectedCrash";
        let for_good = if retried { vec![breaks(error); 3] } else { vec![breaks(error)] };
        let lost = announced(format!("{METRICS}: {error}"), &transition(), &for_good, &[published()]);
        cases.push(lost.inside(&["TransitionMetricsMissing"]));
        cases.push(unnotified(format!("{MISSING}: {error}"), &for_good).inside(&["Unannounced"]));
        cases.push(measured(format!("{ALONE}: {error}"), &for_good));
        if retried {
            let twice = [breaks(error), breaks(error), emitted()];
            cases.push(announced(format!("{METRICS}: {error} twice"), &transition(), &twice, &[published()]));
            cases.push(unnotified(format!("{MISSING}: {error} twice"), &twice));
            cases.push(measured(format!("{ALONE}: {error} twice"), &twice));
        }
    }
    for name in EMIT_METRICS_ERRORS {
        let lost = announced(format!("{METRICS}: {name}"), &transition(), &[fails(*name)], &[published()]);
        cases.push(lost.inside(&["TransitionMetricsMissing"]));
        cases.push(unnotified(format!("{MISSING}: {name}"), &[fails(*name)]).inside(&["Unannounced"]));
        cases.push(measured(format!("{ALONE}: {name}"), &[fails(*name)]));
    }
    cases
}

#[tokio::test]
async fn announcing_is_retried_and_fails_no_transition() {
    let runs = run(&cases()).await;
    assert_eq!(runs["EmitTransitionMetrics: Lambda.Unknown"].waits_of(METRICS), [1, 2]);
    assert_eq!(runs["NotificationMissing: Lambda.Unknown"].waits_of(MISSING), [1, 2]);
    assert_eq!(runs["EmitMetrics: Lambda.Unknown"].waits_of(ALONE), [1, 2]);
    assert_eq!(runs["told at the fourth try"].waits_of(NOTIFY), [1, 2, 4]);
    assert!(runs["a branch fails"].takes("Announce/Catch/0/InjectedCrash"));
    let [missing] = runs["not told"].arguments_of(MISSING)[..] else { panic!("one call") };
    assert_eq!(missing["Payload"]["notificationMissing"], true);
    let error = json!({"Error": "InjectedCrash", "Cause": WORDS});
    assert_eq!(runs["NotificationMissing: InjectedCrash"].output_of("Unannounced"), &error);
    assert_eq!(runs["EmitTransitionMetrics: InjectedCrash"].output_of("TransitionMetricsMissing"), &error);
}

#[tokio::test]
async fn the_notification_says_what_happened_and_sns_takes_it() {
    let runs = run(&cases()).await;
    for (name, request, evaluation, words) in [
        ("told", alarm(), transition(), "level 1 to level 2"),
        ("a prevented one told", alarm(), prevented(), "level 1 would have gone to level 2"),
        ("an ended hold told", release(), hold_ended(), "level 1, a hold was ended"),
    ] {
        let [arguments] = runs[name].arguments_of(NOTIFY)[..] else { panic!("one call") };
        assert_eq!(arguments["TopicArn"], "${AlertTopicArn}");
        let subject = arguments["Subject"].as_str().unwrap();
        assert_eq!(subject, format!("${{Deployment}}: {words}"));
        let longest = subject.len() - "${Deployment}".len() + DEPLOYMENT_CHARACTERS;
        assert!(longest <= SUBJECT_CHARACTERS && subject.is_ascii(), "{subject}");
        let message: Value = serde_json::from_str(arguments["Message"].as_str().unwrap()).unwrap();
        let state = &evaluation.write.as_ref().unwrap().state;
        assert_eq!(message["deployment"], "${Deployment}");
        assert_eq!(message["reason"], evaluation.reason);
        assert_eq!(message["cause"], json(&evaluation.cause));
        let parsed = TransitionRequest::parse(request.clone()).unwrap();
        assert_eq!(message["requestedBy"], parsed.requested_by());
        assert_eq!(message.get("wokenBy"), parsed.woken_by().map(Value::from).as_ref());
        assert_eq!(message["epoch"], state.epoch);
        assert_eq!(message["at"], json(&state.last_updated));
        assert_eq!((&message["trigger"], &message["request"]), (&request["trigger"], &request));
        assert_eq!(message["evidence"], evaluation.evidence.as_ref().map_or_else(|| json!({}), json));
        assert_eq!(message.get("endedHold"), evaluation.ended_hold.as_ref().map(json).as_ref());
        assert_eq!(message.get("prevented"), evaluation.prevented.map(|level| json(&level)).as_ref());
    }
}
