use std::sync::Mutex;

use super::*;
use crate::definition::MissingData;
use crate::evaluation_tests::alarm;
use crate::series::Datapoint;

/// A server in memory: the alarms, the value of the current period, and the calls that it received.
#[derive(Default)]
struct Server {
    alarms: Mutex<Vec<Described>>,
    value: Mutex<Option<f64>>,
    published: Mutex<Vec<String>>,
    refuses_topics: Mutex<bool>,
    refuses_states: Mutex<bool>,
    away: Mutex<bool>,
    /// State before each change, with the reason of the change.
    changes: Mutex<Vec<(AlarmState, String)>>,
}

impl Server {
    /// Puts an alarm as `CloudFormation` does: an existing alarm keeps its state.
    fn deploy(&self, definition: AlarmDefinition) {
        let mut alarms = self.alarms.lock().unwrap();
        let (mut state, mut reason) = (AlarmState::InsufficientData, NEVER_EVALUATED.to_owned());
        alarms.retain(|alarm| match alarm {
            Described::Known(known) if known.definition.name == definition.name => {
                (state, reason) = (known.state, known.reason.clone());
                false
            }
            Described::Refused { .. } | Described::Known(_) => true,
        });
        alarms.push(Described::Known(Box::new(Known { definition, state, reason })));
    }

    fn state(&self) -> AlarmState {
        match &self.alarms.lock().unwrap()[0] {
            Described::Known(known) => known.state,
            refused @ Described::Refused { .. } => panic!("{refused:?}"),
        }
    }

    fn replace(&self, name: &str, new: AlarmState, why: &str) {
        for alarm in self.alarms.lock().unwrap().iter_mut() {
            if let Described::Known(known) = alarm
                && known.definition.name == name
            {
                (known.state, known.reason) = (new, why.to_owned());
            }
        }
    }

    fn subjects(&self) -> Vec<String> {
        self.published.lock().unwrap().clone()
    }
}

impl AlarmService for &Server {
    async fn describe(&self) -> Result<Vec<Described>> {
        anyhow::ensure!(!*self.away.lock().unwrap(), "away");
        Ok(self.alarms.lock().unwrap().clone())
    }

    async fn show(&self, name: &str, state: AlarmState, reason: &str) -> Result<()> {
        anyhow::ensure!(!*self.refuses_states.lock().unwrap(), "no");
        self.replace(name, state, reason);
        Ok(())
    }

    async fn changed_from(&self, _: &str, reason: &str) -> Result<Option<AlarmState>> {
        Ok(self.changes.lock().unwrap().iter().find(|(_, known)| known == reason).map(|(state, _)| *state))
    }
}

impl MetricSource for &Server {
    async fn read(&self, series: &[SeriesKey], _: Timestamp, to: Timestamp) -> Result<Readings> {
        let points: Vec<_> =
            self.value.lock().unwrap().iter().map(|value| Datapoint { at: to, value: *value }).collect();
        Ok(series.iter().map(|key| (key.clone(), points.clone())).collect())
    }
}

impl Publisher for &Server {
    async fn publish(&self, notice: &Notice) -> Result<()> {
        anyhow::ensure!(!*self.refuses_topics.lock().unwrap(), "no");
        self.published.lock().unwrap().push(notice.subject.split(' ').next().unwrap().to_owned());
        Ok(())
    }
}

fn deployed() -> Server {
    let server = Server::default();
    let mut definition = AlarmDefinition { evaluation_periods: 1, missing_data: MissingData::NotBreaching, ..alarm() };
    definition.actions.ok = definition.actions.alarm.clone();
    server.deploy(definition);
    server
}

/// Settings without a message delay, so that each pass sends its messages at once.
const PROMPT: EvaluationSettings =
    EvaluationSettings { message_delay: SignedDuration::ZERO, ..EvaluationSettings::LOCAL };

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second * 60).unwrap()
}

#[tokio::test]
async fn a_change_is_shown_and_published_once() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    *server.value.lock().unwrap() = Some(7.0);
    watch.look(second(1)).await.unwrap();
    watch.look(second(2)).await.unwrap();
    assert_eq!(server.state(), AlarmState::Alarm);
    assert_eq!(server.subjects(), ["OK:", "ALARM:"]);
    assert_eq!((watch.statuses()[0].state, watch.statuses()[0].since), (AlarmState::Alarm, second(1)));
}

#[tokio::test]
async fn a_redeployed_alarm_keeps_its_state() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    let definition = AlarmDefinition { threshold: 9.0, ..watch.statuses()[0].definition.clone() };
    server.deploy(definition);
    *server.value.lock().unwrap() = Some(7.0);
    watch.look(second(1)).await.unwrap();
    watch.look(second(2)).await.unwrap();
    assert_eq!(server.subjects(), ["OK:"]);
    assert_eq!((server.state(), watch.statuses()[0].definition.threshold.to_bits()), (AlarmState::Ok, 9_f64.to_bits()));
}

#[tokio::test]
async fn an_alarm_that_is_gone_is_dropped() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    server.alarms.lock().unwrap().clear();
    watch.look(second(1)).await.unwrap();
    assert!(watch.statuses().is_empty());
    assert!(server.alarms.lock().unwrap().is_empty(), "it does not come back");
}

#[tokio::test]
async fn an_alarm_made_anew_begins_without_a_state() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    *server.value.lock().unwrap() = Some(7.0);
    watch.look(second(0)).await.unwrap();
    server.replace("level-1-error-rate", AlarmState::InsufficientData, NEVER_EVALUATED);
    watch.look(second(1)).await.unwrap();
    assert_eq!(server.subjects(), ["ALARM:", "ALARM:"]);
}

#[tokio::test]
async fn a_state_set_before_the_first_look_is_published() {
    let server = deployed();
    server.replace("level-1-error-rate", AlarmState::Alarm, "a test");
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    assert_eq!(server.subjects(), ["ALARM:", "OK:"]);
}

#[tokio::test]
async fn a_state_set_by_hand_lasts_until_the_next_evaluation() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    server.replace("level-1-error-rate", AlarmState::Alarm, "a test");
    watch.look(second(1)).await.unwrap();
    assert_eq!(server.subjects(), ["OK:", "ALARM:", "OK:"]);
    assert_eq!(server.state(), AlarmState::Ok);
}

#[tokio::test]
async fn a_state_set_to_another_and_back_by_hand_is_published() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    *server.value.lock().unwrap() = Some(7.0);
    watch.look(second(0)).await.unwrap();
    server.replace("level-1-error-rate", AlarmState::Alarm, "a test");
    watch.look(second(1)).await.unwrap();
    assert_eq!(server.subjects(), ["ALARM:"], "the same state, set by hand, is no change");
    *server.changes.lock().unwrap() = vec![(AlarmState::Ok, "another test".to_owned())];
    server.replace("level-1-error-rate", AlarmState::Alarm, "another test");
    watch.look(second(2)).await.unwrap();
    assert_eq!(server.subjects(), ["ALARM:", "ALARM:"]);
}

#[tokio::test]
async fn a_failed_notification_is_retried_and_the_state_is_set() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    *server.value.lock().unwrap() = Some(7.0);
    *server.refuses_topics.lock().unwrap() = true;
    watch.look(second(0)).await.unwrap_err();
    assert_eq!((server.state(), server.subjects()), (AlarmState::Alarm, Vec::new()));
    *server.refuses_topics.lock().unwrap() = false;
    watch.look(second(0)).await.unwrap();
    watch.look(second(0)).await.unwrap();
    assert_eq!(server.subjects(), ["ALARM:"]);
}

#[tokio::test]
async fn a_state_that_was_not_shown_is_not_one_set_by_hand() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    *server.refuses_states.lock().unwrap() = true;
    watch.look(second(0)).await.unwrap_err();
    *server.refuses_states.lock().unwrap() = false;
    watch.look(second(1)).await.unwrap();
    assert_eq!((server.state(), server.subjects()), (AlarmState::Ok, vec!["OK:".to_owned()]));
}

#[tokio::test]
async fn alarms_are_kept_while_the_server_is_away() {
    let server = deployed();
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    *server.away.lock().unwrap() = true;
    watch.look(second(1)).await.unwrap_err();
    assert_eq!(watch.statuses().len(), 1);
}

#[tokio::test]
async fn no_message_is_sent_while_actions_are_off() {
    let server = deployed();
    let mut definition = alarm();
    definition.actions.enabled = false;
    server.deploy(AlarmDefinition { missing_data: MissingData::Breaching, ..definition });
    let mut watch = Watch::new(&server, PROMPT);
    watch.look(second(0)).await.unwrap();
    assert_eq!((server.state(), server.subjects()), (AlarmState::Alarm, Vec::new()));
}

#[tokio::test]
async fn an_alarm_that_cannot_be_evaluated_is_named() {
    let server = deployed();
    let (name, problem) = ("math".to_owned(), "the function MAX is not known here: MAX(m1)".to_owned());
    server.alarms.lock().unwrap().push(Described::Refused { name, problem });
    let mut watch = Watch::new(&server, PROMPT);
    let error = watch.look(second(0)).await.unwrap_err().to_string();
    assert_eq!(error, "the alarm math cannot be evaluated: the function MAX is not known here: MAX(m1)");
    assert_eq!((watch.statuses().len(), server.state()), (1, AlarmState::Ok), "the other alarm is evaluated");
}

#[tokio::test]
async fn a_message_waits_for_its_delay() {
    let server = deployed();
    let mut watch = Watch::new(&server, EvaluationSettings::LOCAL);
    *server.value.lock().unwrap() = Some(7.0);
    let after = |milliseconds| second(0) + SignedDuration::from_millis(milliseconds);
    for (milliseconds, told) in [(0, 0), (2_900, 0), (3_000, 1), (4_000, 1)] {
        watch.look(after(milliseconds)).await.unwrap();
        assert_eq!((server.state(), server.subjects().len()), (AlarmState::Alarm, told), "{milliseconds}");
    }
}
