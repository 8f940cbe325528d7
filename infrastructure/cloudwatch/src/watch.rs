//! The alarms that the stand-in has taken over, and the pass that evaluates them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context, Result, anyhow};
use jiff::{SignedDuration, Timestamp};

use crate::definition::{AlarmDefinition, AlarmState};
use crate::evaluation::{self, EvaluationSettings};
use crate::notification::{self, StateChange};
use crate::series::{Readings, SeriesKey};

/// Time after which an undelivered message is dropped, as CloudWatch does.
const DELIVERY: SignedDuration = SignedDuration::from_secs(60);

/// Reason of an alarm's state before its first evaluation.
const NEVER_EVALUATED: &str = "Unchecked: Initial alarm creation";

/// An alarm, as the server describes it.
#[derive(Clone, Debug)]
pub(crate) enum Described {
    /// An alarm that the stand-in evaluates.
    Known(Box<Known>),
    /// An alarm that the stand-in cannot evaluate.
    Refused {
        /// The alarm's name.
        name: String,
        /// Reason why the alarm cannot be evaluated.
        problem: String,
    },
}

/// An alarm, with the state that the server shows.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The alarm as it was deployed.
    pub definition: AlarmDefinition,
    /// The state that the server shows.
    pub state: AlarmState,
    /// The reason that the server shows.
    pub reason: String,
}

impl Described {
    fn name(&self) -> &str {
        match self {
            Self::Known(known) => &known.definition.name,
            Self::Refused { name, .. } => name,
        }
    }
}

/// A message for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The topic's ARN.
    pub topic: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub message: String,
    /// Time from which the message waits (UTC).
    pub at: Timestamp,
}

/// The alarms on the server.
pub(crate) trait AlarmService {
    /// Returns all metric alarms.
    fn describe(&self) -> impl Future<Output = Result<Vec<Described>>> + Send;
    /// Sets the state that the server shows.
    fn show(&self, name: &str, state: AlarmState, reason: &str) -> impl Future<Output = Result<()>> + Send;
    /// Returns the state before the alarm's newest state change with this reason, or `None` without such a change.
    fn changed_from(&self, name: &str, reason: &str) -> impl Future<Output = Result<Option<AlarmState>>> + Send;
}

/// The metrics on the server.
pub(crate) trait MetricSource {
    /// Returns the datapoints of these series since `from`.
    fn read(
        &self,
        series: &[SeriesKey],
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Result<Readings>> + Send;
}

/// The topics on the server.
pub(crate) trait Publisher {
    /// Delivers one message.
    fn publish(&self, notice: &Notice) -> impl Future<Output = Result<()>> + Send;
}

/// An alarm that the stand-in evaluates, as the rest of the runner sees it.
#[derive(Clone, Debug)]
pub struct AlarmStatus {
    /// The alarm's name.
    pub name: String,
    /// The alarm's state.
    pub state: AlarmState,
    /// Reason of the state.
    pub reason: String,
    /// Time of the last state change (UTC).
    pub since: Timestamp,
    /// The alarm as it was deployed.
    pub definition: AlarmDefinition,
}

struct Adopted {
    definition: AlarmDefinition,
    state: AlarmState,
    reason: String,
    since: Timestamp,
    /// Whether the server shows this state. Until then, the state that it shows is ignored.
    shown: bool,
    outbox: VecDeque<Notice>,
}

impl Adopted {
    fn new(definition: AlarmDefinition, now: Timestamp) -> Self {
        Self {
            definition,
            state: AlarmState::InsufficientData,
            reason: NEVER_EVALUATED.to_owned(),
            since: now,
            shown: true,
            outbox: VecDeque::new(),
        }
    }

    fn change(&mut self, state: AlarmState, reason: String, now: Timestamp) -> Result<()> {
        let change = StateChange { old: self.state, new: state, reason: reason.clone(), at: now };
        tracing::debug!(alarm = self.definition.name, state = state.name(), reason, "alarm.changed");
        (self.state, self.reason, self.since, self.shown) = (state, reason, now, false);
        if !self.definition.actions.enabled {
            return Ok(());
        }
        let message = notification::message(&self.definition, &change)?;
        let subject = notification::subject(&self.definition, state);
        for topic in self.definition.actions.of(state).iter().filter(|arn| is_topic(arn)) {
            let (topic, subject, message) = (topic.clone(), subject.clone(), message.clone());
            self.outbox.push_back(Notice { topic, subject, message, at: now });
        }
        Ok(())
    }
}

fn is_topic(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("sns")
}

/// Takes over a state that the server shows and the stand-in did not set. Like CloudWatch, notifies the topics, even if
/// the alarm was set to another state and back since the last pass.
async fn set_by_hand(
    cloud: &impl AlarmService,
    ours: &mut Adopted,
    state: AlarmState,
    reason: String,
    now: Timestamp,
) -> Result<()> {
    if ours.state != state {
        return ours.change(state, reason, now);
    }
    if ours.reason != reason {
        match cloud.changed_from(&ours.definition.name, &reason).await? {
            Some(before) => {
                ours.state = before;
                return ours.change(state, reason, now);
            }
            None => ours.reason = reason,
        }
    }
    Ok(())
}

/// Takes over alarms and evaluates them, one pass at a time.
pub(crate) struct Watch<C> {
    cloud: C,
    settings: EvaluationSettings,
    alarms: BTreeMap<String, Adopted>,
}

impl<C: AlarmService + MetricSource + Publisher> Watch<C> {
    pub(crate) fn new(cloud: C, settings: EvaluationSettings) -> Self {
        Self { cloud, settings, alarms: BTreeMap::new() }
    }

    /// Returns the present status of the alarms.
    pub(crate) fn statuses(&self) -> Vec<AlarmStatus> {
        let status = |(name, adopted): (&String, &Adopted)| AlarmStatus {
            name: name.clone(),
            state: adopted.state,
            reason: adopted.reason.clone(),
            since: adopted.since,
            definition: adopted.definition.clone(),
        };
        self.alarms.iter().map(status).collect()
    }

    /// Makes one pass: takes over new, changed and deleted alarms, evaluates states, sends messages. A step that fails
    /// is tried again in the next pass and does not delay the other steps.
    pub(crate) async fn look(&mut self, now: Timestamp) -> Result<()> {
        let adopted = self.adopt(now).await;
        let evaluated = self.evaluate(now).await;
        let shown = self.show().await;
        let delivered = self.deliver(now).await;
        adopted.and(evaluated).and(shown).and(delivered)
    }

    async fn adopt(&mut self, now: Timestamp) -> Result<()> {
        let described = self.cloud.describe().await?;
        let names: BTreeSet<&str> = described.iter().map(Described::name).collect();
        self.alarms.retain(|name, _| names.contains(name.as_str()));
        let mut outcome = Ok(());
        for alarm in described {
            let step = match alarm {
                Described::Known(known) => self.take_over(*known, now).await,
                Described::Refused { name, problem } => Err(anyhow!("the alarm {name} cannot be evaluated: {problem}")),
            };
            outcome = outcome.and(step);
        }
        outcome
    }

    async fn take_over(&mut self, known: Known, now: Timestamp) -> Result<()> {
        let Known { definition, state, reason } = known;
        let is_new = reason == NEVER_EVALUATED;
        let ours = self.alarms.entry(definition.name.clone()).or_insert_with(|| Adopted::new(definition.clone(), now));
        if is_new && ours.reason != NEVER_EVALUATED && ours.shown {
            // The alarm was deleted and created again since the last pass.
            *ours = Adopted::new(definition, now);
            return Ok(());
        }
        ours.definition = definition;
        if ours.shown { set_by_hand(&self.cloud, ours, state, reason, now).await } else { Ok(()) }
    }

    async fn evaluate(&mut self, now: Timestamp) -> Result<()> {
        let wanted: BTreeSet<&SeriesKey> =
            self.alarms.values().flat_map(|ours| ours.definition.watched.series()).collect();
        let starts = self.alarms.values().map(|ours| evaluation::range_start(&ours.definition, now, self.settings));
        let Some(from) = starts.min() else { return Ok(()) };
        let series: Vec<SeriesKey> = wanted.into_iter().cloned().collect();
        let readings = self.cloud.read(&series, from, now).await?;
        for ours in self.alarms.values_mut() {
            let verdict = evaluation::evaluate(&ours.definition, &readings, ours.state, now, self.settings);
            if verdict.state != ours.state {
                ours.change(verdict.state, verdict.reason, now)?;
            }
        }
        Ok(())
    }

    async fn show(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        for (name, ours) in self.alarms.iter_mut().filter(|(_, ours)| !ours.shown) {
            match self.cloud.show(name, ours.state, &ours.reason).await {
                Ok(()) => ours.shown = true,
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    async fn deliver(&mut self, now: Timestamp) -> Result<()> {
        let mut outcome = Ok(());
        for ours in self.alarms.values_mut() {
            ours.outbox.retain(|notice| now.duration_since(notice.at) < DELIVERY);
            // In order: a message that waits delays the later ones, because OK must not overtake ALARM.
            while let Some(notice) = ours.outbox.front() {
                if now.duration_since(notice.at) < self.settings.message_delay {
                    break;
                }
                let published = self.cloud.publish(notice).await;
                if let Err(error) = published {
                    let failed = Err(error).context(format!("message about {} not sent", ours.definition.name));
                    outcome = outcome.and(failed);
                    break;
                }
                ours.outbox.pop_front();
            }
        }
        outcome
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
