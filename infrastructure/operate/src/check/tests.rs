use std::sync::Mutex;

use aws_edge::call_error::CallError;
use aws_edge::stores::state::StoreError;
use breaker::{Level, Outcome};
use jiff::SignedDuration;

use super::*;
use crate::doubles::{TestAlarms, TestMachine, TestTable, answer, answered, place, refused, state};
use crate::ports::{ActionTaken, Alarm, Executed, LogEvent, Series, StatusAnswer, Subscription};

/// The other parts of the deployment: the answer of each, and the states that the alarm was set to.
struct TestProbe {
    status: Result<StatusAnswer, CallError>,
    /// The alarm's state before.
    alarm: &'static str,
    /// Whether an execution is logged.
    logs_executions: bool,
    /// The alarm processor's log line after the alarm went on.
    processed: Option<String>,
    /// The sum of each metric.
    sum: f64,
    actions: Vec<ActionTaken>,
    subscriptions: Vec<Subscription>,
    set: Mutex<Vec<String>>,
}

impl AsksStatus for TestProbe {
    async fn status(&self) -> Result<StatusAnswer, CallError> {
        self.status.clone()
    }
}

impl Logs for TestProbe {
    async fn events(&self, group: &str, _: Timestamp, _: &str) -> Result<Vec<LogEvent>, CallError> {
        let event = |message: &str| LogEvent { at: Timestamp::now(), message: message.to_owned() };
        let was_on = self.set.lock().unwrap().iter().any(|state| state == "ALARM");
        Ok(match group {
            "executions" => self.logs_executions.then(|| event("{}")).into_iter().collect(),
            _ if was_on => self.processed.iter().map(|line| event(line)).collect(),
            _ => Vec::new(),
        })
    }
}

impl AlarmState for TestProbe {
    async fn state(&self, _: &str) -> Result<String, CallError> {
        Ok(self.alarm.to_owned())
    }

    async fn set_state(&self, alarm: &str, state: &str) -> Result<(), CallError> {
        assert_eq!(alarm, "recovery");
        self.set.lock().unwrap().push(state.to_owned());
        Ok(())
    }
}

impl AlarmActions for TestProbe {
    async fn actions(&self, since: Timestamp) -> Result<Vec<ActionTaken>, CallError> {
        // All were taken before now.
        Ok(if since < Timestamp::now() { self.actions.clone() } else { Vec::new() })
    }
}

impl Subscriptions for TestProbe {
    async fn subscriptions(&self) -> Result<Vec<Subscription>, CallError> {
        Ok(self.subscriptions.clone())
    }
}

impl MetricSums for TestProbe {
    async fn sum(&self, _: Series, _: Timestamp, _: Timestamp) -> Result<f64, CallError> {
        Ok(self.sum)
    }
}

type TestChecks = Checks<TestMachine, TestTable, TestAlarms, TestProbe>;

fn alarm(name: &str, actions_enabled: bool) -> Alarm {
    Alarm { name: name.to_owned(), is_on: false, actions_enabled, since: None }
}

fn action(succeeded: bool) -> ActionTaken {
    ActionTaken { alarm: "a".to_owned(), succeeded, summary: "an action".to_owned() }
}

fn address(confirmed: bool) -> Subscription {
    Subscription { protocol: "email".to_owned(), endpoint: "ops@bank.example".to_owned(), confirmed }
}

/// Returns a deployment whose parts all work.
fn working() -> TestChecks {
    Checks {
        machine: TestMachine::answering(vec![answered(answer(Outcome::None, None))]),
        table: TestTable {
            stored: Ok(breaker::Stored::State(Box::new(state(Level::Full)))),
            transitions: Vec::new(),
            commands: Vec::new(),
            unindexed: Vec::new(),
        },
        alarms: TestAlarms(Ok(vec![alarm("a", true), alarm("b", true)])),
        probe: TestProbe {
            status: Ok(StatusAnswer { status: 400, state_source: "table".to_owned() }),
            alarm: "OK",
            logs_executions: true,
            processed: Some(r#"{"RecoveryAlarmProcessed": 1}"#.to_owned()),
            sum: 1.0,
            actions: vec![action(true), action(false)],
            subscriptions: vec![address(true)],
            set: Mutex::default(),
        },
        names: Names {
            execution_log: "executions".to_owned(),
            processor_log: "processor".to_owned(),
            alarm: "recovery".to_owned(),
        },
        pace: Pace::new(false),
        deployed_at: None,
    }
}

async fn report(checks: &TestChecks) -> CheckReport {
    run(checks, place(), |_| {}).await
}

fn verdict(report: &CheckReport, check: Check) -> Verdict {
    report.findings.iter().find(|finding| finding.check == check).unwrap().verdict
}

#[tokio::test(start_paused = true)]
async fn a_working_deployment_passes() {
    let checks = working();
    let mut told = Vec::new();
    let report = run(&checks, place(), |finding| told.push(finding.check)).await;
    let tried: Vec<_> = report.findings.iter().map(|finding| finding.check).collect();
    assert_eq!(told, tried);
    assert_eq!(tried, Check::ALL);
    for finding in &report.findings {
        let expected = if finding.check == Check::Services { Verdict::NotTried } else { Verdict::Passed };
        assert_eq!(finding.verdict, expected, "{finding:?}");
    }
    assert!(report.passed());
    assert_eq!(*checks.probe.set.lock().unwrap(), ["ALARM", "OK"]);
}

#[tokio::test(start_paused = true)]
async fn each_part_that_does_not_work_fails_its_check() {
    type Break = fn(&mut TestChecks);
    let cases: [(Check, Break); 12] = [
        (Check::Request, |checks| checks.probe.status = Err(refused("no such alias"))),
        (Check::Request, |checks| {
            checks.probe.status = Ok(StatusAnswer { status: 500, state_source: String::new() });
        }),
        (Check::Request, |checks| {
            checks.probe.status = Ok(StatusAnswer { status: 400, state_source: "fallback".to_owned() });
        }),
        (Check::DryRun, |checks| {
            let (error, cause) = ("MetricsUnavailable".to_owned(), "denied".to_owned());
            checks.machine.answers = vec![Ok(Executed::Failed { error, cause })];
        }),
        (Check::ExecutionLog, |checks| checks.probe.logs_executions = false),
        (Check::AlarmPath, |checks| checks.probe.processed = None),
        // The alarm arrived, and the execution for it failed.
        (Check::AlarmPath, |checks| checks.probe.processed = Some(r#"{"RecoveryAlarmProcessed": 0}"#.to_owned())),
        (Check::MetricsDelay, |checks| checks.probe.sum = 0.0),
        (Check::Evaluations, |checks| checks.probe.sum = 0.0),
        (Check::WrittenState, |checks| checks.table.stored = Err(StoreError::Invalid("denied".to_owned()))),
        (Check::AlarmActions, |checks| checks.alarms.0 = Ok(vec![alarm("a", true), alarm("b", false)])),
        (Check::ActionResults, |checks| checks.probe.actions = vec![action(false), action(true)]),
    ];
    for (check, break_it) in cases {
        let mut checks = working();
        break_it(&mut checks);
        let report = report(&checks).await;
        assert_eq!(verdict(&report, check), Verdict::Failed, "{report:#?}");
        assert!(!report.passed());
        let last = checks.probe.set.lock().unwrap().pop();
        assert!(last.is_none_or(|last| last == "OK"), "{check:?} leaves the alarm on");
    }
}

#[tokio::test]
async fn without_executions_nothing_waits_for_one() {
    let mut checks = working();
    let (error, cause) = ("StateUnavailable".to_owned(), "the table is down".to_owned());
    checks.machine.answers = vec![Ok(Executed::Failed { error, cause })];
    let report = report(&checks).await;
    for check in [Check::ExecutionLog, Check::AlarmPath, Check::MetricsDelay, Check::Evaluations] {
        assert_eq!(verdict(&report, check), Verdict::NotTried, "{report:#?}");
    }
    assert_eq!(report.findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), Check::ALL);
    assert!(checks.probe.set.lock().unwrap().is_empty(), "the alarm was set");
}

#[tokio::test]
async fn after_a_deployment_only_later_actions_count() {
    let mut checks = working();
    checks.probe.actions = vec![action(false)];
    let failed = checks.action_results(Timestamp::now()).await;
    assert_eq!(failed.verdict, Verdict::Failed);
    checks.deployed_at = Some(Timestamp::now() + SignedDuration::from_secs(60));
    assert_eq!(checks.action_results(Timestamp::now()).await.verdict, Verdict::Passed);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_on_goes_off_and_on_and_stays_on() {
    let mut checks = working();
    checks.probe.alarm = "ALARM";
    assert_eq!(verdict(&report(&checks).await, Check::AlarmPath), Verdict::Passed);
    assert_eq!(*checks.probe.set.lock().unwrap(), ["OK", "ALARM", "ALARM"]);
}

#[tokio::test(start_paused = true)]
async fn without_an_alarm_that_arrived_no_delay_is_measured() {
    let mut checks = working();
    checks.probe.processed = None;
    assert_eq!(verdict(&report(&checks).await, Check::MetricsDelay), Verdict::NotTried);
}

#[tokio::test]
async fn metrics_that_come_after_the_settling_time_are_a_warning() {
    let checks = working();
    for (age, expected) in [(1, Verdict::Passed), (60, Verdict::Warning)] {
        let at = Timestamp::now() - SignedDuration::from_secs(age);
        let counted = LogEvent { at, message: String::new() };
        let finding = checks.metrics_delay(Some(counted), Some(SignedDuration::from_secs(10))).await;
        assert_eq!(finding.verdict, expected, "{finding:?}");
        assert!(finding.seconds.unwrap() >= f64::from(i32::try_from(age).unwrap()));
    }
}

#[tokio::test]
async fn a_person_who_has_something_to_do_is_a_warning() {
    let mut checks = working();
    for subscriptions in [vec![], vec![address(true), address(false)]] {
        checks.probe.subscriptions = subscriptions;
        let report = report(&checks).await;
        assert_eq!(verdict(&report, Check::Subscriptions), Verdict::Warning);
        assert!(report.passed());
    }
}

#[tokio::test]
async fn what_a_local_aws_cannot_show_is_not_tried() {
    let mut checks = working();
    checks.pace = Pace::new(true);
    (checks.probe.logs_executions, checks.probe.sum) = (false, 0.0);
    let report = report(&checks).await;
    for check in [Check::ExecutionLog, Check::MetricsDelay, Check::Evaluations, Check::ActionResults] {
        assert_eq!(verdict(&report, check), Verdict::NotTried);
    }
    assert!(report.passed());
}
