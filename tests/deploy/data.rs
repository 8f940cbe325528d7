//! Customers' data: it goes through the whole chain and stays out of every log.

use std::time::{Duration, Instant};

use local::demo::{Cycle, force, options};
use local::gateway::Gateway;
use local::progress::Progress;
use local::stack::LocalStack;
use serde_json::json;

/// Nobody's account and nobody's amount: wherever they turn up, they came from these requests.
const MARKS: [&str; 4] = ["9078563412", "8899776655", "7654.32", "marked-key-31415"];

const DEADLINE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn no_account_number_and_no_body_reaches_any_log() {
    let stack = LocalStack::start(&Progress::quiet()).await.unwrap();
    let deployment = stack.deploy(&Progress::quiet(), &options().with("LogLevel", "debug")).await.unwrap();
    let gateway = Gateway::start(0, &deployment.api).await.unwrap();
    let mut cycle = Cycle::new(&stack, &deployment, gateway.address()).unwrap();
    let client = reqwest::Client::new();
    let ask = async || {
        for fail in ["false", "true"] {
            let url = |path: &str| format!("{}{path}", gateway.address());
            let transfer = json!({"fromAccount": MARKS[0], "toAccount": MARKS[1], "amount": MARKS[2]});
            for request in [
                client.get(url(&format!("/account/{}", MARKS[0]))),
                client.get(url(&format!("/account/{}/transactions?cursor={}", MARKS[1], MARKS[3]))),
                client.post(url("/transfer")).header("Idempotency-Key", MARKS[3]).json(&transfer),
                client.post(url("/transfer")).body(format!("{{\"fromAccount\": {}, nonsense", MARKS[0])),
            ] {
                request.header("X-Simulate-Failure", fail).send().await.unwrap();
            }
        }
    };
    // At each level, the alarms' way and the operators' way included.
    ask().await;
    cycle.expect("failures", true, 2).await.unwrap();
    ask().await;
    force(&stack, &deployment, 3, "a drill").await.unwrap();
    cycle.expect("an operator", false, 3).await.unwrap();
    ask().await;

    let logs = aws_sdk_cloudwatchlogs::Client::new(stack.sdk());
    let groups = logs.describe_log_groups().send().await.unwrap();
    let groups: Vec<&str> = groups.log_groups().iter().filter_map(|group| group.log_group_name()).collect();
    assert_eq!(groups.len(), 10, "eight functions, the state machine, the API: {groups:?}");
    let begun = Instant::now();
    loop {
        let mut spoke = 0;
        for group in &groups {
            let mut pages = logs.filter_log_events().log_group_name(*group).into_paginator().send();
            let mut events = 0;
            while let Some(page) = pages.next().await {
                for event in page.unwrap().events() {
                    events += 1;
                    let message = event.message().unwrap_or_default();
                    for mark in MARKS {
                        assert!(!message.contains(mark), "{group} holds {mark}: {message}");
                    }
                }
            }
            spoke += usize::from(events > 0);
        }
        // The local AWS writes no log for Express executions and none for its gateway.
        if spoke >= 8 {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "only {spoke} of {groups:?} hold anything");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
