//! Runs the whole chain once and records every call of its functions.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use local::deployment::ACCOUNT;
use local::folders;
use local::progress::Progress;
use local::python::Python;
use local::server::REGION;
use local::stack::LocalStack;
use operate::deployment::Place;
use serde::Deserialize;
use serde_json::{Value, json};
use stacks::Names;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::common::{System, alarm_message, eventually, force_to, quick, with};
use crate::deployed::Deployed;
use crate::recorder::{Recorder, Sent};

/// A request that was read with AWS's service model.
#[derive(Clone, Debug, Deserialize)]
pub struct Read {
    pub operation: String,
    pub params: Value,
    /// The parts that the model refuses, with the reasons.
    pub faults: Vec<String>,
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The logical name of the caller's role.
    pub role: String,
    /// The signing name of the service.
    pub service: String,
    pub read: Read,
}

/// The calls of the chain.
pub struct Recording {
    pub calls: Vec<Recorded>,
    /// The definition of the deployed state machine.
    pub definition: Value,
}

impl Recording {
    /// Returns the run that all tests of this program share.
    pub async fn get() -> &'static Self {
        static RECORDING: OnceCell<Recording> = OnceCell::const_new();
        RECORDING.get_or_init(Self::make).await
    }

    async fn make() -> Self {
        let recorder = Recorder::start().await;
        let stack = LocalStack::start_with_names(&Progress::quiet(), &recorder.address).await.unwrap();
        recorder.stand_before(stack.endpoint());
        let system = System::deploy(stack, &quick()).await;
        let roles = roles_by_key().await;
        chain(&system, &recorder, &roles).await;
        let mut calls = Vec::new();
        for (key, sent) in recorder.sent() {
            let role = roles.get(&key).unwrap_or_else(|| panic!("the key {key} is no function's: {sent:#?}"));
            let sent: Vec<Sent> = sent.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            let read = read(&Python::for_tests().await.unwrap(), &sent).await;
            calls.extend(sent.into_iter().zip(read).map(|(sent, read)| Recorded {
                role: role.clone(),
                service: sent.service,
                read,
            }));
        }
        Self { calls, definition: definition(&system).await }
    }
}

/// Returns the roles of the functions by the access key of their calls, which is the function's name.
async fn roles_by_key() -> BTreeMap<String, String> {
    let deployed = Deployed::get().await;
    let functions = deployed.of_type("AWS::Lambda::Function").into_iter();
    let role = |function: &Value| function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap().to_owned();
    functions
        .map(|(name, function)| (deployed.property(name, "FunctionName").as_str().unwrap().to_owned(), role(function)))
        .collect()
}

/// Makes the system do everything once.
async fn chain(system: &System, recorder: &Recorder, roles: &BTreeMap<String, String>) {
    // The first evaluation writes the state.
    system.evaluate().await.unwrap();
    // Requests, and the status with its history.
    assert_eq!(system.succeed().await.level, "1");
    system.status_with("history=5").await;
    // An alarm, through topic and queue.
    system.level_alarms_are_off().await;
    let epoch = system.epoch().await;
    system.fail_until_an_alarm().await;
    let record = system.transition(epoch + 1).await;
    assert_eq!(record.to.number(), 2, "{record:?}");
    system.routed(2, "table").await;
    assert_eq!(system.succeed().await.level, "2");
    // Operators: the same command twice, another level, a release.
    let command = with(force_to(3), json!({"holdMinutes": 30}));
    for _ in 0..2 {
        system.execute_as(Some("an-operators-command"), &command).await.unwrap();
    }
    system.routed(3, "table").await;
    assert_eq!(system.succeed().await.level, "3");
    system.execute(&json!({"trigger": "release", "reason": "a test", "requestedBy": "an operator"})).await.unwrap();
    // The schedule's evaluation.
    system.evaluate().await.unwrap();
    // Concurrent commands: the loser of a race reads the winner's state.
    eventually("a lost race", async || {
        let commands = [1, 2, 3, 1, 2, 3].map(|level| async move { system.force(level).await });
        futures::future::join_all(commands).await;
        let sent = recorder.sent();
        let of_writer = sent.iter().filter(|(key, _)| roles.get(*key).is_some_and(|role| role == "WriteStateRole"));
        of_writer.flat_map(|(_, sent)| sent).any(|sent| sent.target.ends_with(".GetItem")).then_some(())
    })
    .await;
    // An invalid message becomes a dead letter. The dead-letter queue is purged, and a valid message is processed.
    system.messages_come_back_after(3).await;
    system.send("this is no alarm").await;
    eventually("a dead letter", async || (system.dead_letters().await > 0).then_some(())).await;
    let dead = system.deployment.output("DeadLetterQueueUrl");
    system.queues().purge_queue().queue_url(dead).send().await.unwrap();
    system.send(&alarm_message(system, "level-1", 60)).await;
    system.queue_is_empty().await;
    // A missing state, and its repair.
    system.delete_state().await;
    system.execute(&with(force_to(1), json!({"repair": true}))).await.unwrap();
    // Another configuration, and the check of a deployment.
    let options = quick().with("deployment.log_level", "debug");
    let deployed = system.stack.deploy(&Progress::quiet(), &options).await.unwrap();
    let place = Place { stack: deployed.name.clone(), account: ACCOUNT.to_owned(), region: REGION.to_owned() };
    let Names { project, environment } = deployed.names.clone();
    let deployment =
        operate::deployment::Deployment { place, project, environment, outputs: deployed.outputs().clone() };
    let checks = operate::aws::checks(system.stack.sdk(), &deployment).unwrap();
    assert!(operate::check::run(&checks, deployment.place.clone(), |_| {}).await.passed());
}

/// Reads requests with the service models.
pub async fn read(python: &Python, sent: &[Sent]) -> Vec<Read> {
    let lines: String = sent.iter().map(|sent| serde_json::to_string(sent).unwrap() + "\n").collect();
    let mut command = Command::new(python.program("python"));
    command.arg(folders::project().join("tests/rights/requests.py"));
    let output = answer(&mut command, lines).await;
    serde_json::from_str(&output).unwrap()
}

/// Returns the output of a program for an input.
pub async fn answer(command: &mut Command, input: String) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let write = async move { stdin.write_all(input.as_bytes()).await.unwrap() };
    let ((), output) = tokio::join!(write, process.wait_with_output());
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn definition(system: &System) -> Value {
    let machine = system.deployment.output("StateMachineArn");
    let client = aws_edge::clients::step_functions(system.stack.sdk());
    let answer = client.describe_state_machine().state_machine_arn(machine).send().await.unwrap();
    serde_json::from_str(&answer.definition).unwrap()
}
