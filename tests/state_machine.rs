//! Checks the state machine's definition as a graph.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use alarm_processor::EXECUTION_TIMEOUTS;
use aws_edge::clients::{EVIDENCE_TIMEOUTS, TASK_TIMEOUTS};
use breaker::contract::{self, ErrorName};
use breaker::{LOOKS, SECONDS_BETWEEN_ALARM_LOOKS, SECONDS_OF_LOOKS, TransitionRequest};
use deployment_file::Alerts;
use serde_json::{Map, Value, json};

fn definition() -> Value {
    serde_json::from_str(&fs::read_to_string("statemachines/level-transition.asl.json").unwrap()).unwrap()
}

/// The whole state machine, or a branch of a Parallel state.
type Machine = Map<String, Value>;

/// Returns the machine and all machines inside it.
fn machines(machine: &Value) -> Vec<Machine> {
    let machine = machine.as_object().unwrap().clone();
    let inner: Vec<_> = states(&machine)
        .values()
        .flat_map(|state| state["Branches"].as_array().cloned().unwrap_or_default())
        .flat_map(|branch| machines(&branch))
        .collect();
    std::iter::once(machine).chain(inner).collect()
}

fn states(machine: &Machine) -> BTreeMap<String, Value> {
    machine["States"].as_object().unwrap().iter().map(|(name, state)| (name.clone(), state.clone())).collect()
}

fn all_states() -> Vec<(String, Value)> {
    machines(&definition()).iter().flat_map(states).collect()
}

fn of_type(kind: &str) -> Vec<(String, Value)> {
    let found: Vec<_> = all_states().into_iter().filter(|(_, state)| state["Type"] == kind).collect();
    assert!(!found.is_empty(), "no {kind} state: the test checks no state");
    found
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the states that can follow a state.
fn targets(state: &Value) -> BTreeSet<String> {
    let of = |value: &Value| value.as_str().map(str::to_owned);
    let nested = [&state["Choices"], &state["Catch"]].into_iter().flat_map(array).filter_map(|rule| of(&rule["Next"]));
    [of(&state["Next"]), of(&state["Default"])].into_iter().flatten().chain(nested).collect()
}

#[test]
fn every_target_exists_and_every_state_can_be_reached() {
    for machine in machines(&definition()) {
        let states = states(&machine);
        let mut reached = BTreeSet::new();
        let mut to_visit = vec![machine["StartAt"].as_str().unwrap().to_owned()];
        while let Some(name) = to_visit.pop() {
            let state = states.get(&name).unwrap_or_else(|| panic!("no state {name}"));
            if reached.insert(name) {
                to_visit.extend(targets(state));
            }
        }
        assert_eq!(reached, states.keys().cloned().collect());
    }
}

#[test]
fn every_state_leads_on_or_ends() {
    for (name, state) in all_states() {
        let ends = state["End"] == true || matches!(state["Type"].as_str(), Some("Fail" | "Succeed"));
        assert!(ends || !targets(&state).is_empty(), "{name} leads nowhere");
    }
}

#[test]
fn every_task_has_a_timeout_retries_and_a_catch() {
    for (name, task) in of_type("Task") {
        assert!(task["TimeoutSeconds"].as_u64().is_some_and(|seconds| seconds <= 30), "{name}: timeout");
        assert!(!array(&task["Retry"]).is_empty(), "{name}: retry");
        for retry in array(&task["Retry"]) {
            assert_eq!(retry["JitterStrategy"], "FULL", "{name}");
            assert!(retry["MaxAttempts"].as_u64().unwrap() <= 3, "{name}");
        }
        let last = array(&task["Catch"]).last().unwrap_or_else(|| panic!("{name}: catch"));
        assert_eq!(last["ErrorEquals"], serde_json::json!(["States.ALL"]), "{name}");
    }
}

#[test]
fn every_choice_has_a_default() {
    for (name, choice) in of_type("Choice") {
        assert!(choice["Default"].is_string(), "{name}");
    }
}

#[test]
fn the_machine_speaks_jsonata_and_has_a_timeout() {
    let machine = definition();
    assert_eq!(machine["QueryLanguage"], "JSONata");
    assert_eq!(machine["TimeoutSeconds"], 90);
    assert!(
        all_states().iter().all(|(_, state)| state["Type"] != "Succeed"),
        "a Succeed state has no output of its own"
    );
}

#[test]
fn each_task_catches_the_errors_that_its_function_raises() {
    let raised = BTreeMap::from([
        ("${EvaluateThresholdsFunctionArn}", contract::EVALUATE_THRESHOLDS_ERRORS),
        ("${WriteStateFunctionArn}", contract::WRITE_STATE_ERRORS),
        ("${EmitMetricsFunctionArn}", contract::EMIT_METRICS_ERRORS),
    ]);
    let mut known = BTreeSet::new();
    for (name, task) in of_type("Task") {
        let Some(function) = task["Arguments"]["FunctionName"].as_str() else { continue };
        let caught: BTreeSet<String> = array(&task["Catch"])
            .iter()
            .flat_map(|catch| array(&catch["ErrorEquals"]))
            .filter_map(|name| name.as_str().map(str::to_owned))
            .filter(|name| !name.starts_with("States."))
            .collect();
        assert_eq!(caught, raised[function].iter().map(ToString::to_string).collect(), "{name}");
        known.extend(caught);
    }
    assert_eq!(known, ErrorName::ALL.iter().map(ToString::to_string).collect());
}

#[test]
fn only_a_conflict_of_the_writer_leads_to_another_evaluation() {
    let (_, writer) = of_type("Task").into_iter().find(|(name, _)| name == "WriteState").unwrap();
    for catch in array(&writer["Catch"]) {
        let conflict = catch["ErrorEquals"] == serde_json::json!(["StateConflict"]);
        assert_eq!(catch["Next"] == "EvaluateAgain?", conflict);
    }
}

fn state(name: &str) -> Value {
    all_states().into_iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no state {name}")).1
}

/// Returns the requests of the two triggers whose executions evaluate more than once.
fn requests() -> [TransitionRequest; 2] {
    let alarm = json!({"trigger": "alarm", "alarm": {"name": "level-1-error-rate"}});
    let schedule = json!({"trigger": "schedule", "looks": LOOKS.end()});
    [alarm, schedule].map(|input| TransitionRequest::parse(input).unwrap())
}

#[test]
fn evaluations_of_one_execution_are_as_the_rules_say() {
    let [alarm, schedule] = requests();
    let assigned = &state("Begin")["Assign"];
    let looks = format!("$exists($states.input.looks) ? $states.input.looks : ({ALARM} ? {} : 1)", alarm.looks());
    assert_eq!(assigned["looks"], format!("{{% {looks} %}}"));
    let pause = format!("{ALARM} ? {} : {}", alarm.seconds_between_looks(), schedule.seconds_between_looks());
    assert_eq!(assigned["pause"], format!("{{% {pause} %}}"));

    let [again] = array(&state("LookAgain?")["Choices"]).to_vec().try_into().unwrap();
    let condition: &str = again["Condition"].as_str().unwrap();
    let limit = SECONDS_OF_LOOKS * 1_000;
    assert!(condition.ends_with(&format!(" + 1000 * $pause < {limit} %}}")), "{condition}");
    assert_eq!(of_type("Wait").iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["UntilNextLook"]);
    assert_eq!(state("UntilNextLook")["Seconds"], "{% $pause %}");
}

const ALARM: &str = "$states.input.trigger = 'alarm'";

#[test]
fn the_schedule_asks_for_all_evaluations_of_a_minute() {
    let template = template();
    let inputs: Vec<_> = template.lines().filter_map(|line| line.trim().strip_prefix("Input: ")).collect();
    let [input] = inputs[..] else { panic!("not one schedule: {inputs:?}") };
    let input: Value = serde_json::from_str(input.trim_matches('\'')).unwrap();
    let request = TransitionRequest::parse(input).unwrap();
    assert!(matches!(request, TransitionRequest::Schedule(schedule) if schedule.looks == Some(*LOOKS.end())));
    assert_eq!(requests().map(|request| u32::from(request.looks()) * request.seconds_between_looks()), [60, 60]);
}

fn template() -> String {
    fs::read_to_string("infrastructure/circuit-breaker-infrastructure.yaml").unwrap()
}

/// Returns the number that a resource of the template has for a key.
fn number_of(resource: &str, key: &str) -> u64 {
    let template = template();
    let lines = template.lines().skip_while(|line| line.trim_end() != format!("  {resource}:")).skip(1);
    let mut own = lines.take_while(|line| line.starts_with("   ") || line.is_empty());
    let value = own.find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": ")?.parse().ok());
    value.unwrap_or_else(|| panic!("{resource} has no number {key}"))
}

/// Returns the maximum duration of an execution's last evaluation in seconds: every call takes its whole timeout.
fn slowest_evaluation() -> u64 {
    // Two reads of the state and one of the evidence; one write; one call that emits metrics.
    let evaluate = 2 * TASK_TIMEOUTS.operation + EVIDENCE_TIMEOUTS.operation;
    (evaluate + TASK_TIMEOUTS.operation + TASK_TIMEOUTS.operation).as_secs()
}

/// Each of these waits for the previous one: the last evaluation's calls, the machine, the call that waits for the
/// machine, the function that makes the call, and the message that is delivered again if the function does not end.
#[test]
fn each_timeout_leaves_room_for_what_it_waits_for() {
    let machine = definition()["TimeoutSeconds"].as_u64().unwrap();
    let ended = u64::from(SECONDS_OF_LOOKS) + slowest_evaluation();
    assert!(ended < machine, "the last evaluation may end after {ended} s");
    // Step Functions allows a synchronous execution five minutes.
    assert!(machine <= 300);
    let function = number_of("AlarmProcessorFunction", "Timeout");
    let (attempt, operation) = (EXECUTION_TIMEOUTS.attempt.as_secs(), EXECUTION_TIMEOUTS.operation.as_secs());
    assert!(machine < attempt && attempt < operation && operation < function);
    assert!(6 * function <= number_of("AlarmQueue", "VisibilityTimeout"));
}

/// If every concurrent alarm processor waits for an execution that evaluates again, the next message waits until one of
/// them ends. It is then too old to be evaluated more than once.
#[test]
fn no_message_waits_until_people_are_called() {
    let slot_is_free_after = u64::from(SECONDS_OF_LOOKS + SECONDS_BETWEEN_ALARM_LOOKS) + slowest_evaluation();
    let people_are_called_after = u64::from(Alerts::default().oldest_alarm_seconds);
    assert!(slot_is_free_after + slowest_evaluation() < people_are_called_after);
}

#[test]
fn no_resource_names_the_partition() {
    for (name, task) in of_type("Task") {
        let resource = task["Resource"].as_str().unwrap();
        assert!(resource.starts_with("arn:${Partition}:states:::"), "{name}: {resource}");
    }
    let template = fs::read_to_string("infrastructure/circuit-breaker-infrastructure.yaml").unwrap();
    assert!(template.contains("Partition: !Ref AWS::Partition"));
    assert!(!template.contains("arn:aws:"), "the template names a partition");
}

#[test]
fn every_substitution_is_given_by_the_template() {
    let text = definition().to_string();
    let used: BTreeSet<String> =
        text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
    let template = fs::read_to_string("infrastructure/circuit-breaker-infrastructure.yaml").unwrap();
    let mut lines = template.lines().skip_while(|line| line.trim() != "DefinitionSubstitutions:");
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let outer = indentation(lines.next().unwrap());
    let given: BTreeSet<String> = lines
        .take_while(|line| indentation(line) > outer)
        .map(|line| line.trim().split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(used, given);
}
