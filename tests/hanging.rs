//! Level 1 hangs on a local AWS that has the throttle, the cap and the reservations that `breaker deploy` derives: reads
//! are answered by the fallback, the level falls, and the executions stay within what was counted.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::time::Duration;

use aws_sdk_lambda::types::Environment;
use breaker::{Cause, Level};
use deploy::capacity::{Capacity, SAMPLE_TIMEOUT_MS, Situation, capacity};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use local::demo::options;
use local::deployment::DeployOptions;
use operate::response_times;
use stacks::FUNCTIONS;
use tokio::time::{MissedTickBehavior, interval};

use common::{Answer, System, eventually};

mod common;

/// Limit of the account. It gives level 1 a cap that two cores can fill.
const ACCOUNT: u64 = 150;

/// Functions of the control plane.
const CONTROL_PLANE: [&str; 4] = ["alarm-processor", "evaluate-thresholds", "write-state", "emit-metrics"];

/// An execution of a function: its begin and end in milliseconds since 1970.
struct Execution {
    function: &'static str,
    begin: i64,
    end: i64,
}

/// Returns the production preset, in which few calls are enough. A controller that starts on a busy machine may not read
/// the state in time, and then begins at level 1, as the others do. Reads wait 4 s for a level, so that level 2 has time to
/// start there. The rate leaves room for a burst.
fn production() -> DeployOptions {
    [
        ("policy.preset", "production"),
        ("policy.rates.minimum_calls", "5"),
        ("policy.rates.window_seconds", "10"),
        ("policy.recovery.settle_seconds", "1"),
        ("request_path.fallback_level", "1"),
        ("request_path.read_timeout_milliseconds", "4000"),
        ("api.requests_per_second", "10"),
    ]
    .into_iter()
    .fold(options(), |options, (key, value)| options.with(key, value))
}

fn derived(options: &DeployOptions) -> Capacity {
    let effective = options.effective().unwrap();
    capacity(&Situation::new(&effective, ACCOUNT, Situation::sample(&effective), SAMPLE_TIMEOUT_MS))
}

/// Reserves what the stack asks for, because the local AWS leaves that property of a function out.
async fn reserve(system: &System, found: &Capacity) {
    let lambda = aws_sdk_lambda::Client::new(system.stack.sdk());
    let each = CONTROL_PLANE.map(|function| (function, found.control_plane_concurrency));
    for (function, reserved) in each.into_iter().chain([("full-service", found.full_concurrency)]) {
        let call = lambda.put_function_concurrency().function_name(system.deployment.names.resource(function));
        call.reserved_concurrent_executions(reserved.try_into().unwrap()).send().await.unwrap();
    }
}

/// Makes the service of level 1 hang until Lambda ends it.
async fn hang(system: &System) {
    let lambda = aws_sdk_lambda::Client::new(system.stack.sdk());
    let name = system.deployment.names.resource("full-service");
    let now = lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    let mut variables = now.environment.and_then(|environment| environment.variables).unwrap();
    for variable in ["LATENCY_MIN_MS", "LATENCY_MAX_MS"] {
        variables.insert(variable.to_owned(), SAMPLE_TIMEOUT_MS.to_string());
    }
    let environment = Environment::builder().set_variables(Some(variables)).build();
    lambda.update_function_configuration().function_name(&name).environment(environment).send().await.unwrap();
    let published = lambda.publish_version().function_name(&name).send().await.unwrap();
    lambda
        .update_alias()
        .function_name(&name)
        .name("live")
        .set_function_version(published.version)
        .send()
        .await
        .unwrap();
}

/// Sends as many reads as the throttle admits until the level has fallen, and returns all answers.
async fn reads_until_the_fall(system: &System, throttle: &Capacity) -> Vec<Answer> {
    let mut under_way: FuturesUnordered<_> = (0..throttle.burst).map(|_| system.succeed()).collect();
    let mut pace = interval(Duration::from_secs(1) / throttle.requests_per_second);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answers = Vec::new();
    let fall = system.transition(1);
    let mut fall = std::pin::pin!(fall);
    loop {
        tokio::select! {
            _ = pace.tick() => under_way.push(system.succeed()),
            Some(answer) = under_way.next() => answers.push(answer),
            record = &mut fall => {
                assert_eq!((record.from, record.to), (Level::Full, Level::Degraded));
                assert!(matches!(record.cause.as_ref().and_then(|cause| cause.known()), Some(Cause::Fall(_))));
                break;
            }
        }
    }
    answers.extend(under_way.collect::<Vec<_>>().await);
    answers
}

/// Starts an evaluation each second, instead of the schedule's each minute. One may be refused while as many run as are
/// reserved. Never returns.
async fn evaluations(system: &System) {
    let mut pace = interval(Duration::from_secs(1));
    loop {
        pace.tick().await;
        if let Err((error, _)) = system.evaluate().await {
            assert_eq!(error, "Lambda.Unknown", "an evaluation failed for another reason than its reservation");
        }
    }
}

/// Returns the executions that have ended, from the lines with which Lambda reports each.
async fn executions(system: &System) -> Vec<Execution> {
    let logs = aws_sdk_cloudwatchlogs::Client::new(system.stack.sdk());
    let mut found = Vec::new();
    for function in FUNCTIONS {
        let name = if function == "controller" { "circuit-breaker-controller" } else { function };
        let group = format!("/aws/lambda/{}", system.deployment.names.resource(name));
        let mut pages = logs.filter_log_events().log_group_name(group).into_paginator().send();
        while let Some(page) = pages.next().await {
            for event in page.unwrap().events() {
                let message = event.message().unwrap_or_default();
                let Some(text) = message.strip_prefix("REPORT ").and_then(|text| text.split("\tDuration: ").nth(1))
                else {
                    continue;
                };
                let milliseconds: i64 = text.split(' ').next().unwrap().parse().unwrap();
                let end = event.timestamp().unwrap();
                found.push(Execution { function, begin: end - milliseconds, end });
            }
        }
    }
    found
}

/// Returns the most executions at once. Those that overlap by the precision of the lines alone do not count.
fn most_at_once<'a>(executions: impl Iterator<Item = &'a Execution>) -> usize {
    const PRECISION: i64 = 2;
    let mut edges: Vec<(i64, i64)> = executions
        .filter(|one| one.end - one.begin > 2 * PRECISION)
        .flat_map(|one| [(one.begin + PRECISION, 1), (one.end - PRECISION, -1)])
        .collect();
    // Ends come before begins of the same time.
    edges.sort_unstable();
    let running = edges.iter().scan(0_i64, |running, (_, change)| {
        *running += change;
        Some(*running)
    });
    running.max().unwrap_or_default().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_level_1_takes_no_more_than_its_cap() {
    let found = derived(&production());
    let cap = usize::try_from(found.level_1_cap.unwrap()).unwrap();
    assert!(found.holds && cap < 30 && found.control_plane_concurrency > 0, "{found:?}");
    let options =
        found.derived.iter().fold(production(), |options, one| options.with(&one.key, &one.value.to_string()));
    let system = System::start(&options).await;
    reserve(&system, &found).await;
    hang(&system).await;

    let answers = tokio::select! {
        answers = reads_until_the_fall(&system, &found) => answers,
        () = evaluations(&system) => unreachable!("evaluating never ends"),
    };
    let mut fell_back = (0, 0);
    for answer in &answers {
        assert_eq!((answer.status, answer.routed_to.as_str()), (200, "degraded-service"), "{answer:?}");
        match answer.fallback_from.as_str() {
            "full-service; timeout" => fell_back.0 += 1,
            "full-service; throttled" => fell_back.1 += 1,
            _ => assert_eq!(answer.level, "2", "{answer:?}"),
        }
    }
    let (timed_out, throttled) = fell_back;
    println!(
        "cap {cap}: {timed_out} reads timed out, {throttled} were refused above the cap, {} in all",
        answers.len()
    );
    assert!(timed_out > 0 && throttled > 0, "{timed_out} timed out, {throttled} throttled");

    // Lambda reports an execution at its end: one that was abandoned, at the function's own timeout.
    let all = eventually("the end of every execution of level 1", async || {
        let ended = executions(&system).await;
        let of_level_1 = ended.iter().filter(|one| one.function == "full-service").count();
        (of_level_1 >= timed_out).then_some(ended)
    })
    .await;
    let of_level_1: Vec<_> = all.iter().filter(|one| one.function == "full-service").collect();
    let abandoned = i64::try_from(SAMPLE_TIMEOUT_MS).unwrap() * 9 / 10;
    assert!(of_level_1.iter().all(|one| one.end - one.begin >= abandoned), "an abandoned call ended with its caller");
    let at_level_1 = most_at_once(of_level_1.into_iter());
    assert!(at_level_1 <= cap, "{at_level_1} executions of level 1 at once, and its cap is {cap}");
    let in_all = most_at_once(all.iter());
    // A read that waited for its whole time is among the slowest, so a deployment and the status warn.
    let read_timeout = production().effective().unwrap().read_timeout().unwrap();
    eventually("a warning of the slowest answers", async || {
        let now = Timestamp::now();
        response_times::warning(system.stack.sdk(), &system.deployment.name, read_timeout, now).await
    })
    .await;
    println!("at once: {at_level_1} of level 1, {in_all} in all, {} were counted", found.needed);
    for (function, counted) in [("controller", found.controllers), ("degraded-service", found.level_2)] {
        let most = most_at_once(all.iter().filter(|one| one.function == function));
        println!("at once: {most} of {function}, {counted} were counted");
        assert!((1..=counted).contains(&u64::try_from(most).unwrap()), "{most} of {function} at once: {found:?}");
    }
    assert!(u64::try_from(in_all).unwrap() <= found.needed, "{in_all} executions at once: {found:?}");
}
