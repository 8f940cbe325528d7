//! Runs executions with scripted replies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use breaker::StateWrite;
use breaker::contract::{EvaluationInput, MetricsInput};
use local::folders;
use local::python::Python;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::values::done;

/// The first states of every execution.
pub const BEGIN: [&str; 3] = ["Begin", "EvaluateThresholds", "Decided?"];

/// Returns the machine's definition, without its substitutions.
pub fn definition() -> Value {
    let file = folders::project().join("statemachines/level-transition.asl.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The end of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The execution succeeds with this output.
    Output(Value),
    /// The execution fails with this error and cause.
    Failed(String, String),
}

/// An execution and its expected result.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// The definition that runs: the project's, or a changed copy of it.
    pub machine: Value,
    pub input: Value,
    /// For each task, the replies to its attempts.
    pub replies: BTreeMap<&'static str, Vec<Value>>,
    /// The states that are entered, in order, without those of branches.
    pub path: Vec<&'static str>,
    /// The states that are entered in branches.
    pub inside: BTreeSet<&'static str>,
    pub ends: Ends,
}

impl Case {
    pub fn new(name: impl Into<String>, input: Value, path: &[&'static str], ends: Ends) -> Self {
        let path = BEGIN.iter().chain(path).copied().collect();
        let name = name.into();
        Self { name, machine: definition(), input, replies: BTreeMap::new(), path, inside: BTreeSet::new(), ends }
    }

    /// Returns an execution that ends in `Done` with this evaluation as its answer.
    pub fn done(name: impl Into<String>, input: Value, path: &[&'static str], evaluation: &Value) -> Self {
        Self::new(name, input, path, Ends::Output(done(evaluation)))
    }

    pub fn reply(mut self, task: &'static str, replies: &[Value]) -> Self {
        self.replies.entry(task).or_default().extend_from_slice(replies);
        self
    }

    pub fn inside(mut self, states: &[&'static str]) -> Self {
        self.inside.extend(states);
        self
    }
}

/// The result of an execution.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Run {
    pub status: String,
    pub output: Value,
    pub error: Option<String>,
    pub cause: Option<String>,
    pub visits: Vec<Visit>,
    pub calls: Vec<Call>,
    /// The rules that decided: `<state>/Choices/<place>`, `<state>/Default`, `<state>/Retry/<place>/<error>` and
    /// `<state>/Catch/<place>/<error>`.
    pub taken: Vec<String>,
    /// The expressions that were evaluated: `<state>: <expression>`.
    pub expressions: BTreeSet<String>,
    pub waits: Vec<Wait>,
    /// The largest values, in bytes of JSON, by kind.
    pub largest: BTreeMap<String, usize>,
    /// Replies that no task used.
    unused: BTreeMap<String, Value>,
    /// Values that AWS would refuse.
    faults: Vec<String>,
}

/// A state that was entered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Visit {
    pub state: String,
    pub input: Value,
    #[serde(default)]
    pub output: Value,
    branch: bool,
}

/// One attempt of a task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Call {
    pub state: String,
    pub resource: String,
    pub arguments: Value,
}

/// A pause before a retry, or a Wait state.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Wait {
    pub state: String,
    pub seconds: u64,
}

impl Run {
    pub fn ends(&self) -> Ends {
        match self.status.as_str() {
            "SUCCEEDED" => Ends::Output(self.output.clone()),
            _ => Ends::Failed(self.error.clone().unwrap_or_default(), self.cause.clone().unwrap_or_default()),
        }
    }

    /// Returns the states that were entered, in order, without those of branches.
    pub fn path(&self) -> Vec<&str> {
        self.visits.iter().filter(|visit| !visit.branch).map(|visit| visit.state.as_str()).collect()
    }

    /// Returns the states that were entered in branches.
    pub fn inside(&self) -> BTreeSet<&str> {
        self.visits.iter().filter(|visit| visit.branch).map(|visit| visit.state.as_str()).collect()
    }

    /// Returns the output of a state's last visit.
    pub fn output_of(&self, state: &str) -> &Value {
        &self.visits.iter().rfind(|visit| visit.state == state).unwrap().output
    }

    /// Returns the arguments of each attempt of a task.
    pub fn arguments_of(&self, state: &str) -> Vec<&Value> {
        self.calls.iter().filter(|call| call.state == state).map(|call| &call.arguments).collect()
    }

    /// Returns the lengths of a state's pauses in seconds.
    pub fn waits_of(&self, state: &str) -> Vec<u64> {
        self.waits.iter().filter(|wait| wait.state == state).map(|wait| wait.seconds).collect()
    }

    pub fn takes(&self, rule: &str) -> bool {
        self.taken.iter().any(|taken| taken == rule)
    }

    /// Fails if AWS would refuse a value, or if a task would refuse its input.
    fn check_calls(&self, name: &str) {
        assert!(self.faults.is_empty(), "{name}: {:?}", self.faults);
        assert!(self.unused.is_empty(), "{name}: replies that no task used: {:?}", self.unused);
        for Call { state, resource, arguments } in &self.calls {
            let action = resource.strip_prefix("arn:${Partition}:states:::").unwrap();
            if action == "sns:publish" {
                continue;
            }
            assert_eq!(action, "lambda:invoke", "{name}, {state}");
            let payload = arguments["Payload"].clone();
            let read = match arguments["FunctionName"].as_str().unwrap() {
                "${EvaluateThresholdsFunctionArn}" => {
                    serde_json::from_value::<EvaluationInput>(payload).map(|_| ()).map_err(|error| error.to_string())
                }
                "${WriteStateFunctionArn}" => serde_json::from_value::<StateWrite>(payload)
                    .map_err(|error| error.to_string())
                    .and_then(|write| write.check().map_err(|error| error.to_string())),
                "${EmitMetricsFunctionArn}" => {
                    serde_json::from_value::<MetricsInput>(payload).map(|_| ()).map_err(|error| error.to_string())
                }
                other => panic!("{name}, {state}: no such function: {other}"),
            };
            assert_eq!(read, Ok(()), "{name}, {state}: the task refuses its input: {arguments:#}");
        }
    }
}

/// Runs the cases without checking their expectations.
pub async fn run_freely(cases: &[Case]) -> Vec<Run> {
    let python = Python::set_up().await.unwrap();
    let runs: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| {
            let Case { machine, input, replies, .. } = case;
            json!({"name": format!("case-{number}"), "machine": machine, "input": input, "replies": replies})
        })
        .collect();
    let mut command = Command::new(python.program("python"));
    command.arg(folders::project().join("tests/states/interpreter.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(json!(runs).to_string().as_bytes()));
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "the interpreter: {complaint}");
    writer.join().unwrap().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs the cases. Checks that each takes the expected path, ends as expected, and sends its tasks valid input.
pub async fn run(cases: &[Case]) -> BTreeMap<String, Run> {
    let runs = run_freely(cases).await;
    assert_eq!(runs.len(), cases.len());
    for (case, run) in cases.iter().zip(&runs) {
        assert_eq!(run.path(), case.path, "{}: {:?}", case.name, run.ends());
        assert_eq!(run.inside(), case.inside, "{}", case.name);
        assert_eq!(run.ends(), case.ends, "{}", case.name);
        run.check_calls(&case.name);
    }
    let named: BTreeMap<String, Run> = cases.iter().map(|case| case.name.clone()).zip(runs).collect();
    assert_eq!(named.len(), cases.len(), "two cases have one name");
    named
}
