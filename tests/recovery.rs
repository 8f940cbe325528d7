//! Tests of recovery on a local AWS: probes, the ramp, and the mode `observe-only`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::time::Instant;

use breaker::{
    Cause, Fall, HintedRule, Level, Policy, PolicySettings, RecoveryCause, TransitionRecord, TripCause, hints,
};
use cloudwatch_stand_in::watched::Watched;
use local::demo::options;
use local::deployment::DeployOptions;
use serde_json::{Value, json};

use common::{Answer, DEADLINE, System, eventually};

mod common;

/// Returns the production preset with small numbers, so that little traffic is enough.
fn production() -> DeployOptions {
    [
        ("policy.preset", "production"),
        ("policy.rates.minimum_calls", "5"),
        ("policy.rates.window_seconds", "10"),
        ("policy.counts.consecutive_failures", "0"),
        ("policy.recovery.cooldown_seconds", "2"),
        ("policy.recovery.settle_seconds", "1"),
        ("policy.probes.percent", "50"),
        ("policy.probes.calls", "5"),
        ("policy.ramp.seconds", "30"),
        ("policy.ramp.minimum_calls", "3"),
    ]
    .into_iter()
    .fold(options(), |options, (key, value)| options.with(key, value))
}

/// Reads an account until `condition` returns a value, while an evaluation runs each second. `broken` is the level
/// whose service fails, or empty. Fails if a read fails for its caller.
async fn reads<T>(
    system: &System,
    broken: &str,
    what: &str,
    mut condition: impl AsyncFnMut(&Answer) -> Option<T>,
) -> T {
    let traffic = async {
        let begun = Instant::now();
        loop {
            let answer = system.ask("GET", "/account/12345", broken).await;
            assert_eq!(answer.status, 200, "a read failed: {answer:?}");
            if let Some(found) = condition(&answer).await {
                return found;
            }
            assert!(begun.elapsed() < DEADLINE, "{what} did not happen");
        }
    };
    tokio::select! {
        found = traffic => found,
        () = system.looks() => unreachable!("the evaluations never end"),
    }
}

/// Reads until the transition of `epoch`, and returns its record.
async fn transition(system: &System, broken: &str, epoch: u64) -> TransitionRecord {
    let watch = system.watch();
    let what = format!("the transition of epoch {epoch}");
    reads(system, broken, &what, async |_| watch.record(epoch).await.unwrap()).await
}

fn alarms(system: &System) -> BTreeSet<String> {
    let names = system.stack.alarms().into_iter().map(|alarm| alarm.name);
    let ours = names.filter(|name| name.contains("-level-") && !name.ends_with("-level-dev"));
    ours.map(|name| name.trim_start_matches("bank-circuit-breaker-").trim_end_matches("-dev").to_owned()).collect()
}

fn cause_of(record: &TransitionRecord) -> Option<&Cause> {
    record.cause.as_ref()?.known()
}

fn fall_of(record: &TransitionRecord) -> Fall {
    match cause_of(record) {
        Some(Cause::Fall(fall)) => *fall,
        _ => panic!("no fall: {record:?}"),
    }
}

/// While level 1 is broken, its probes fail, but no caller's read fails.
#[tokio::test(flavor = "multi_thread")]
async fn probes_alone_recover_a_fixed_level_1() {
    let system = System::start(&production()).await;
    let rules = ["level-1-failure-rate", "level-2-failure-rate", "level-1-slow-calls", "level-2-slow-calls"];
    let recoveries = ["level-3-recovery", "level-2-recovery"];
    let expected: BTreeSet<_> = rules.iter().chain(&recoveries).map(ToString::to_string).collect();
    assert_eq!(alarms(&system), expected, "an alarm for each rule that is on, and none for another");
    for hint in hints(&Policy::new(PolicySettings::production()).unwrap()) {
        let (text, name) = (hint.expression.to_string(), format!("bank-circuit-breaker-{hint}-dev"));
        let deployed = system.stack.alarms().into_iter().find(|alarm| alarm.name == name);
        match deployed.map(|alarm| alarm.definition.watched) {
            Some(Watched::Math(math)) => assert_eq!(math.text(), text, "{hint}"),
            Some(Watched::Metric(series)) => assert_eq!(series.metric.name, text, "{hint}"),
            None => assert_eq!(hint.rule, HintedRule::ConsecutiveFailures, "switched off here"),
        }
    }

    let fall = transition(&system, "1", 1).await;
    assert_eq!((fall.from, fall.to), (Level::Full, Level::Degraded));
    assert!(matches!(fall_of(&fall).trip, TripCause::FailureRate(_)), "{}", fall.reason);

    let mut failed_probes = 0;
    reads(&system, "1", "five failed probes", async |answer| {
        assert!(!answer.routed_to.ends_with("; probe"), "a failed probe was answered by its own service");
        failed_probes += u32::from(answer.fallback_from == "full-service; status-500; probe");
        (failed_probes >= 5).then_some(())
    })
    .await;
    // Level 2 alone would bring level 1 back.
    let look = reads(&system, "1", "five consecutive successes of level 2", async |_| {
        let look = system.evaluate_dry().await;
        (look["evidence"]["successStreak"].as_u64().unwrap() >= 5).then_some(look)
    })
    .await;
    // The outcome may be `record`, because counts may have changed.
    assert_ne!(look["outcome"], "transition", "{look}");
    assert_eq!(look["to"], 2, "{look}");
    let status = system.status().await;
    assert_eq!(status["circuitBreaker"]["state"]["probing"]["active"], true);
    assert_eq!(status["circuitBreaker"]["policy"]["preset"], "production");

    let mut probes = 0;
    let watch = system.watch();
    let recovery = reads(&system, "", "the recovery", async |answer| {
        probes += u32::from(answer.routed_to == "full-service; probe");
        watch.record(2).await.unwrap()
    })
    .await;
    assert_eq!((recovery.from, recovery.to), (Level::Degraded, Level::Full));
    let Some(Cause::Recovery(RecoveryCause::Probes(counted))) = cause_of(&recovery) else { panic!("{recovery:?}") };
    assert_eq!((counted.level, counted.failed), (Level::Full, 0));
    assert!(probes >= 5, "{probes} probes were answered by level 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ramp_that_is_broken_half_way_falls_again_and_no_read_fails() {
    let system = System::start(&production()).await;
    assert_eq!(transition(&system, "1", 1).await.to, Level::Degraded);
    assert_eq!(transition(&system, "", 2).await.to, Level::Full);

    let mut answered_by = BTreeSet::new();
    reads(&system, "", "half of the ramp", async |answer| {
        if answer.level == "1" {
            answered_by.insert(answer.routed_to.clone());
        }
        let ramp = system.status().await["circuitBreaker"]["state"]["ramp"].clone();
        ramp["percentOfRequests"].as_f64().filter(|share| *share >= 45.0)
    })
    .await;
    let both = ["full-service", "degraded-service"].map(str::to_owned);
    assert_eq!(answered_by, both.into(), "the ramp shares the requests");

    let fall = transition(&system, "1", 3).await;
    assert_eq!((fall.from, fall.to), (Level::Full, Level::Degraded));
    let Fall { trip: TripCause::FailureRate(rate), relapse_cooldown_seconds } = fall_of(&fall) else {
        panic!("{fall:?}")
    };
    assert_eq!((rate.in_ramp, relapse_cooldown_seconds), (true, Some(4)));
    system.routed(2, "table").await;
    let status = system.status().await;
    assert_eq!(status["circuitBreaker"]["state"]["ramp"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_recoveries_by_probes_evaluate_again_in_a_minute() {
    let system = System::start(&production()).await;
    system.without_schedule().await;
    let looks = json!({"trigger": "schedule", "looks": 2});
    let evaluations = async || {
        let sum = system.sum("CircuitBreaker/Transitions", "Evaluation", &[]).await;
        format!("{:.0}", sum.abs()).parse::<u32>().unwrap()
    };
    let before = evaluations().await;
    system.execute(&looks).await.unwrap();
    assert_eq!(evaluations().await - before, 1, "at level 1");

    system.force(3).await.unwrap();
    let before = evaluations().await;
    let command = async {
        eventually("the first evaluation", async || (evaluations().await > before).then_some(())).await;
        system.force(2).await.unwrap();
    };
    let (answer, ()) = tokio::join!(system.execute(&looks), command);
    assert_eq!(answer.unwrap()["from"], 2, "the answer is that of the last evaluation");
    assert_eq!(evaluations().await - before, 3, "two evaluations, and that of the command");
    assert_eq!(system.epoch().await, 2);
}

/// Removes the messages from a queue. Adds those whose subject contains `about` to `seen`.
async fn received(system: &System, queue: &str, about: &str, seen: &mut Vec<String>) {
    let received = system.queues().receive_message().queue_url(queue).max_number_of_messages(10).send().await.unwrap();
    for message in received.messages() {
        let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
        if body["Subject"].as_str().is_some_and(|subject| subject.contains(about)) {
            seen.push(body["Message"].as_str().unwrap().to_owned());
        }
        let receipt = message.receipt_handle().unwrap();
        system.queues().delete_message().queue_url(queue).receipt_handle(receipt).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_only_reports_once_and_never_moves() {
    let system = System::start(&production().with("policy.mode", "observe-only")).await;
    system.without_schedule().await;
    let queue = system.queues().create_queue().queue_name("alerts").send().await.unwrap().queue_url.unwrap();
    let arn = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = system.queues().get_queue_attributes().queue_url(&queue).attribute_names(arn.clone());
    let arn = attributes.send().await.unwrap().attributes.unwrap()[&arn].clone();
    let topics = aws_sdk_sns::Client::new(system.stack.sdk());
    let subscribe = topics.subscribe().topic_arn(system.deployment.output("AlertTopicArn")).protocol("sqs");
    subscribe.endpoint(arn).send().await.unwrap();

    // The failures continue during the whole test. If they left the window, the next evaluation would find no move to
    // prevent.
    let would_move = async || system.sum("CircuitBreaker/Transitions", "WouldTransition", &[]).await;
    reads(&system, "1", "three evaluations with a prevented move", async |answer| {
        assert_eq!((answer.level.as_str(), answer.routed_to.as_str()), ("1", "degraded-service"));
        (would_move().await > 2.5).then_some(())
    })
    .await;
    let mut told = Vec::new();
    reads(&system, "1", "the announcement", async |_| {
        received(&system, &queue, "level 1 would have gone to level 2", &mut told).await;
        (!told.is_empty()).then_some(())
    })
    .await;
    let status = reads(&system, "1", "the status", async |_| {
        let status = system.status().await;
        (status["circuitBreaker"]["state"]["prevented"] == 2).then_some(status)
    })
    .await;
    assert_eq!(system.epoch().await, 0, "nothing has moved");
    assert_eq!(status["circuitBreaker"]["policy"]["mode"], "observe-only");

    system.force(3).await.unwrap();
    assert_eq!(system.transition(1).await.to, Level::Maintenance);
    eventually("the announcement of the operator's move", async || {
        let mut newer = Vec::new();
        received(&system, &queue, "level 1", &mut newer).await;
        let (prevented, moved): (Vec<_>, Vec<_>) = newer.into_iter().partition(|told| told.contains("\"prevented\""));
        told.extend(prevented);
        (!moved.is_empty()).then_some(())
    })
    .await;
    assert_eq!(told.len(), 1, "a prevented move is announced once, not at each evaluation: {told:#?}");
    let told: Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!((&told["from"], &told["to"], &told["prevented"]), (&json!(1), &json!(1), &json!(2)));
    assert_eq!(
        (&told["cause"]["kind"], &told["cause"]["prevented"]["by"]),
        (&json!("prevented"), &json!("observeOnly"))
    );
    assert_eq!(told["requestedBy"], "automation");
}
