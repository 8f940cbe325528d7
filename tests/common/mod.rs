//! Shared by the tests of the whole chain: a deployed system, and functions to drive and observe it.

#![allow(dead_code, reason = "each test program uses a part of it")]

mod schedule;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::types::SyncExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::DateTime;
use breaker::{CommandRecord, PolicySettings, TransitionRecord, command_key};
use cloudwatch_stand_in::definition::AlarmState;
use cloudwatch_stand_in::notification::{StateChange, message};
use jiff::{SignedDuration, Timestamp};
use local::demo::options;
use local::deployment::{DeployOptions, Deployment};
use local::gateway::Gateway;
use local::progress::Progress;
use local::stack::LocalStack;
use local::watch::Watch;
use serde_json::{Value, json};

/// Maximum time for a condition, enough on a busy machine. A condition that is met earlier ends the wait.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// Period of the level alarms in seconds, as deployed.
const ALARM_PERIOD_SECONDS: i64 = 10;

/// The key of the state item.
pub const STATE: &str = "system-state";

pub type Item = HashMap<String, AttributeValue>;

/// An execution's output, or its error and cause.
pub type Executed = Result<Value, (String, String)>;

/// Waits until `condition` returns a value.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the options of most tests: no random failures, short waits.
pub fn quick() -> DeployOptions {
    options().with("policy.recovery.cooldown_seconds", "1").with("policy.recovery.settle_seconds", "1")
}

/// A deployed system.
pub struct System {
    pub gateway: Gateway,
    pub deployment: Deployment,
    client: reqwest::Client,
    pub stack: LocalStack,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub level: String,
    pub routed_to: String,
    pub fallback_from: String,
}

impl System {
    /// Starts a system with its own local AWS.
    pub async fn start(options: &DeployOptions) -> Self {
        let stack = LocalStack::start(&Progress::quiet()).await.unwrap();
        Self::deploy(stack, options).await
    }

    pub async fn deploy(stack: LocalStack, options: &DeployOptions) -> Self {
        let deployment = stack.deploy(&Progress::quiet(), options).await.unwrap();
        let gateway = Gateway::start(0, &deployment.api).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let system = Self { gateway, deployment, client, stack };
        eventually("the alarms' first evaluation", async || system.has_alarms().then_some(())).await;
        system
    }

    /// Sends a request, with the header `X-Simulate-Failure` if `simulate` is not empty.
    pub async fn ask(&self, method: &str, path: &str, simulate: &str) -> Answer {
        let url = format!("{}{path}", self.gateway.address());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !simulate.is_empty() {
            request = request.header("X-Simulate-Failure", simulate);
        }
        let answer = request.send().await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        Answer {
            status: answer.status().as_u16(),
            level: header("x-circuit-breaker-level"),
            routed_to: header("x-routed-to"),
            fallback_from: header("x-fallback-from"),
        }
    }

    pub async fn fail(&self) -> Answer {
        self.ask("GET", "/account/12345", "true").await
    }

    pub async fn succeed(&self) -> Answer {
        self.ask("GET", "/account/12345", "").await
    }

    pub async fn status(&self) -> Value {
        self.status_with("").await
    }

    /// Returns the status for a query.
    pub async fn status_with(&self, query: &str) -> Value {
        let url = format!("{}/circuit-breaker?{query}", self.gateway.address());
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until the controller routes to `level` by a state from `source`, and returns the status. It sends an event
    /// that is no request, so that no service is invoked and nothing is counted.
    pub async fn routed(&self, level: u8, source: &str) -> Value {
        let controller = self.deployment.output("ControllerFunctionName");
        let lambda = aws_sdk_lambda::Client::new(self.stack.sdk());
        eventually(&format!("routing to level {level} from {source}"), async || {
            let call = lambda.invoke().function_name(controller).qualifier("live").payload(b"{}".to_vec().into());
            let answer = call.send().await.ok()?;
            let answer: Value = serde_json::from_slice(answer.payload()?.as_ref()).ok()?;
            let headers = &answer["headers"];
            let told = (&headers["X-Circuit-Breaker-Level"], &headers["X-Circuit-Breaker-State-Source"]);
            (told == (&json!(level.to_string()), &json!(source))).then_some(())
        })
        .await;
        self.status().await
    }

    /// Runs the state machine to its end.
    pub async fn execute(&self, input: &Value) -> Executed {
        self.execute_as(None, input).await
    }

    /// Runs the state machine to its end in an execution with a name.
    pub async fn execute_as(&self, name: Option<&str>, input: &Value) -> Executed {
        execute_on(&self.stack, &self.deployment, name, input).await
    }

    pub async fn force(&self, level: u8) -> Executed {
        self.execute(&force_to(level)).await
    }

    pub async fn evaluate(&self) -> Executed {
        self.execute(&json!({"trigger": "schedule"})).await
    }

    /// Returns what an evaluation would do now.
    pub async fn evaluate_dry(&self) -> Value {
        self.execute(&json!({"trigger": "schedule", "dryRun": true})).await.unwrap()
    }

    /// Sends failing requests until an evaluation would see `count` of them.
    pub async fn fail_until_seen(&self, count: u64) {
        eventually(&format!("{count} failures in the evidence"), async || {
            self.fail().await;
            let seen = self.evaluate_dry().await["evidence"]["errors"].as_u64().unwrap();
            (seen >= count).then_some(())
        })
        .await;
    }

    /// Starts an evaluation each second, instead of the schedule's each minute. Never returns.
    pub async fn looks(&self) {
        loop {
            self.evaluate().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    pub fn watch(&self) -> Watch {
        Watch::new(self.stack.sdk(), self.table())
    }

    pub fn table(&self) -> &str {
        self.deployment.output("StateTableName")
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(self.stack.sdk())
    }

    pub async fn item(&self, key: &str) -> Option<Item> {
        let key = AttributeValue::S(key.to_owned());
        let get = self.dynamodb().get_item().table_name(self.table()).key("pk", key).consistent_read(true);
        get.send().await.unwrap().item
    }

    pub async fn put_item(&self, item: Item) {
        self.dynamodb().put_item().table_name(self.table()).set_item(Some(item)).send().await.unwrap();
    }

    pub async fn delete_state(&self) {
        let key = AttributeValue::S(STATE.to_owned());
        self.dynamodb().delete_item().table_name(self.table()).key("pk", key).send().await.unwrap();
    }

    /// Writes an invalid level into the state item.
    pub async fn corrupt_state(&self) {
        let mut item = self.item(STATE).await.unwrap_or_default();
        item.insert("pk".to_owned(), AttributeValue::S(STATE.to_owned()));
        item.insert("currentLevel".to_owned(), AttributeValue::S("first".to_owned()));
        self.put_item(item).await;
    }

    pub async fn command(&self, execution_name: &str) -> Option<CommandRecord> {
        let item = self.item(&command_key(execution_name)).await?;
        let record: Value = serde_dynamo::from_item(item).unwrap();
        Some(serde_json::from_value(record).unwrap())
    }

    /// Returns the records of all transitions, oldest first. Fails unless each epoch has exactly one record, which
    /// begins at the level where the previous one ended.
    pub async fn history(&self) -> Vec<TransitionRecord> {
        let scan = self
            .dynamodb()
            .scan()
            .table_name(self.table())
            .consistent_read(true)
            .filter_expression("begins_with(pk, :records)")
            .expression_attribute_values(":records", AttributeValue::S("transition#".to_owned()));
        let items = scan.into_paginator().items().send().try_collect().await.unwrap();
        let read = |item: Item| serde_json::from_value(serde_dynamo::from_item::<_, Value>(item).unwrap()).unwrap();
        let mut records: Vec<TransitionRecord> = items.into_iter().map(read).collect();
        records.sort_by_key(|record| record.epoch);
        for (epoch, record) in (0_u64..).zip(&records) {
            assert_eq!(record.epoch, epoch, "each epoch has one record: {records:#?}");
        }
        for pair in records.windows(2) {
            assert!(pair[0].version < pair[1].version, "{pair:#?}");
            assert_eq!(pair[0].to, pair[1].from, "{pair:#?}");
        }
        records
    }

    pub async fn epoch(&self) -> u64 {
        self.history().await.last().map_or(0, |record| record.epoch)
    }

    /// Waits for the transition of an epoch, and returns its record.
    pub async fn transition(&self, epoch: u64) -> TransitionRecord {
        eventually(&format!("the transition of epoch {epoch}"), async || self.watch().record(epoch).await.unwrap())
            .await
    }

    pub fn queues(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.stack.sdk())
    }

    /// Sets the time in seconds after which the queue delivers a message again; the other settings stay as deployed.
    pub async fn messages_come_back_after(&self, seconds: u32) {
        self.queues()
            .set_queue_attributes()
            .queue_url(self.deployment.output("AlarmQueueUrl"))
            .attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string())
            .send()
            .await
            .unwrap();
    }

    pub async fn send(&self, body: &str) {
        let queue = self.deployment.output("AlarmQueueUrl");
        self.queues().send_message().queue_url(queue).message_body(body).send().await.unwrap();
    }

    /// Returns the number of messages in a queue, including those that are being processed.
    async fn messages_in(&self, queue: &str) -> usize {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let asked = self.queues().get_queue_attributes().queue_url(self.deployment.output(queue));
        let answer = asked.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let counts = answer.attributes.unwrap();
        names.iter().map(|name| counts[name].parse::<usize>().unwrap()).sum()
    }

    pub async fn dead_letters(&self) -> usize {
        self.messages_in("DeadLetterQueueUrl").await
    }

    /// Waits until the alarm queue has no messages, including those that are being processed.
    pub async fn queue_is_empty(&self) {
        eventually("an empty queue", async || (self.messages_in("AlarmQueueUrl").await == 0).then_some(())).await;
    }

    /// Returns the sum of a metric of this deployment's alarm processor over its whole life.
    pub async fn processor_sum(&self, name: &str) -> f64 {
        self.sum("CircuitBreaker/AlarmProcessor", name, &[]).await
    }

    /// Returns the sum of a metric of this deployment over its whole life.
    pub async fn sum(&self, namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> f64 {
        let all = [("Deployment", self.deployment.name.as_str())].into_iter().chain(dimensions.iter().copied());
        let dimensions = all.map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
        let metric = Metric::builder().namespace(namespace).metric_name(name).set_dimensions(Some(dimensions)).build();
        let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
        let now = Timestamp::now().as_second();
        let answer = aws_sdk_cloudwatch::Client::new(self.stack.sdk())
            .get_metric_data()
            .metric_data_queries(MetricDataQuery::builder().id("sum").metric_stat(stat).build())
            .start_time(DateTime::from_secs(now - 3 * 3600))
            .end_time(DateTime::from_secs(now + 60))
            .send()
            .await
            .unwrap();
        answer.metric_data_results()[0].values().iter().sum()
    }

    /// Sends failing requests until a level alarm is on and enough calls have failed for its rule.
    pub async fn fail_until_an_alarm(&self) {
        // The alarm's first period may contain failures from before the evidence begins. The alarm would then go off
        // before there is enough evidence, and not go off again.
        let since = self.watch().state().await.unwrap().evidence_since.as_second();
        eventually("a period of the alarms that counts completely", async || {
            let period = Timestamp::now().as_second() / ALARM_PERIOD_SECONDS * ALARM_PERIOD_SECONDS;
            (period > since).then_some(())
        })
        .await;
        let mut missing = PolicySettings::classic().level_1_failures;
        eventually("an alarm about failures", async || {
            assert_eq!(self.fail().await.status, 500, "the service itself answers");
            missing -= 1;
            (missing <= 0 && self.level_alarm_is_on()).then_some(())
        })
        .await;
    }

    /// Waits until no level alarm is on, because an alarm that is already on does not go off again.
    pub async fn level_alarms_are_off(&self) {
        eventually("the level alarms' end", async || (!self.level_alarm_is_on()).then_some(())).await;
    }

    fn has_alarms(&self) -> bool {
        self.stack.alarms().iter().any(|alarm| alarm.name.starts_with(&self.deployment.names.project))
    }

    fn level_alarm_is_on(&self) -> bool {
        self.stack.alarms().iter().any(|alarm| {
            let series = alarm.definition.watched.series();
            alarm.state == AlarmState::Alarm
                && series.iter().any(|series| series.metric.namespace == "CircuitBreaker/Service")
        })
    }
}

/// Runs the state machine of a deployment to its end.
pub async fn execute_on(stack: &LocalStack, deployment: &Deployment, name: Option<&str>, input: &Value) -> Executed {
    let answer = aws_edge::clients::step_functions(stack.sdk())
        .start_sync_execution()
        .state_machine_arn(deployment.output("StateMachineArn"))
        .set_name(name.map(str::to_owned))
        .input(input.to_string())
        .send()
        .await
        .unwrap();
    match answer.status() {
        SyncExecutionStatus::Succeeded => Ok(serde_json::from_str(answer.output().unwrap()).unwrap()),
        _ => Err((answer.error().unwrap_or_default().to_owned(), answer.cause().unwrap_or_default().to_owned())),
    }
}

/// Returns an operator's command that forces `level`.
pub fn force_to(level: u8) -> Value {
    json!({"trigger": "force", "targetLevel": level, "reason": "a test", "requestedBy": "an operator"})
}

/// Returns the command with more fields.
pub fn with(mut command: Value, more: Value) -> Value {
    if let (Some(command), Value::Object(more)) = (command.as_object_mut(), more) {
        command.extend(more);
    }
    command
}

/// Returns the message of the alarm whose name contains `part`, in CloudWatch's format, about a change in the past.
pub fn alarm_message(system: &System, part: &str, minutes_ago: i64) -> String {
    let mut alarms = system.stack.alarms().into_iter();
    let alarm = alarms.find(|alarm| alarm.name.contains(part)).unwrap().definition;
    let at = Timestamp::now() - SignedDuration::from_mins(minutes_ago);
    let reason = "Threshold Crossed: 1 datapoint was greater than or equal to the threshold.".to_owned();
    message(&alarm, &StateChange { old: AlarmState::Ok, new: AlarmState::Alarm, reason, at }).unwrap()
}
