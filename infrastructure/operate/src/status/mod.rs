//! The status: level, hold, rules with their evidence, the controllers' metrics, alarms, newest transitions.
//!
//! Each part is read separately. If a part cannot be read, the status says why and shows the others.

mod rules;
mod view;

use aws_edge::stores::state::{HistoryReader, StateReader};
use breaker::{SCHEMA_VERSION, ScheduleRequest, Stored, SystemState, TransitionRecord, TransitionRequest};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Answer;
use crate::deployment::Place;
use crate::exit::Exit;
use crate::ports::{Alarm, Alarms, Controllers, ControllersView, Executed, StateMachine};

pub use rules::{Direction, RuleStatus};

/// Number of newest transitions that are shown.
const TRANSITIONS: u64 = 5;

/// The status, as `--json` shows it. A part that could not be read is absent, and `problems` says why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The deployment.
    pub deployment: Place,
    /// Time of the report (UTC).
    pub at: Timestamp,
    /// The state item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<SystemState>,
    /// What an evaluation would decide now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Box<Answer>>,
    /// The rules that may move the level, with their evidence.
    pub rules: Vec<RuleStatus>,
    /// The controllers' metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controllers: Option<ControllersView>,
    /// The alarms that are on, or whose actions are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarms: Option<AlarmsStatus>,
    /// The newest transitions, newest first.
    pub transitions: Vec<TransitionRecord>,
    /// What the deployment's settings do not fit, and what to do.
    pub warnings: Vec<String>,
    /// The parts that could not be read, each with the reason.
    pub problems: Vec<String>,
}

/// The alarms that need attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmsStatus {
    /// Number of the deployment's alarms.
    pub total: usize,
    /// The alarms that are on.
    pub on: Vec<Alarm>,
    /// The alarms whose actions are off: they send no notification.
    pub actions_off: Vec<Alarm>,
}

/// The sources of the status.
#[derive(Clone, Debug)]
pub struct Sources<T, M, C, A> {
    /// The state table.
    pub table: T,
    /// The state machine.
    pub machine: M,
    /// The controllers' metrics.
    pub controllers: C,
    /// The alarms.
    pub alarms: A,
}

impl<T: StateReader + HistoryReader, M: StateMachine, C: Controllers, A: Alarms> Sources<T, M, C, A> {
    /// Reads the status.
    pub async fn read(&self, place: Place, now: Timestamp) -> StatusReport {
        let look = TransitionRequest::Schedule(ScheduleRequest { looks: None, dry_run: true });
        let (stored, evaluated, controllers, alarms) = tokio::join!(
            self.table.read(),
            self.machine.dry_run(&look),
            self.controllers.view(now),
            self.alarms.alarms(),
        );
        let mut problems = Vec::new();
        let state = match stored {
            Ok(stored) => state_of(stored, &mut problems),
            Err(error) => keep(Err(error), &mut problems),
        };
        let evaluation = match evaluated {
            Ok(Executed::Answered(answer)) => Some(answer),
            Ok(Executed::Failed { error, cause }) => {
                problems.push(format!("an evaluation fails now: {error}: {cause}"));
                None
            }
            Err(error) => keep(Err(error), &mut problems),
        };
        let transitions = match &state {
            Some(state) => match self.table.transitions(state.epoch, TRANSITIONS).await {
                Ok(read) => read.records,
                Err(error) => {
                    problems.push(error.to_string());
                    Vec::new()
                }
            },
            None => Vec::new(),
        };
        let rules = evaluation.as_deref().map(|answer| rules::of(answer, now)).unwrap_or_default();
        let controllers = keep(controllers, &mut problems);
        let alarms = keep(alarms, &mut problems).map(AlarmsStatus::from);
        StatusReport {
            deployment: place,
            at: now,
            state,
            evaluation,
            rules,
            controllers,
            alarms,
            transitions,
            warnings: Vec::new(),
            problems,
        }
    }
}

impl StatusReport {
    /// Returns the exit status: failed if the state cannot be read.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        if self.state.is_some() { Exit::Done } else { Exit::Failed }
    }
}

impl From<Vec<Alarm>> for AlarmsStatus {
    fn from(alarms: Vec<Alarm>) -> Self {
        let total = alarms.len();
        let on = alarms.iter().filter(|alarm| alarm.is_on).cloned().collect();
        let actions_off = alarms.into_iter().filter(|alarm| !alarm.actions_enabled).collect();
        Self { total, on, actions_off }
    }
}

/// Returns the part; `None` if it could not be read, whose problem is then added to `problems`.
fn keep<T>(part: Result<T, impl std::fmt::Display>, problems: &mut Vec<String>) -> Option<T> {
    part.map_err(|error| problems.push(error.to_string())).ok()
}

fn state_of(stored: Stored, problems: &mut Vec<String>) -> Option<SystemState> {
    let problem = match stored {
        Stored::State(state) => return Some(*state),
        Stored::Nothing => "nothing was written yet: the level is 1 until the first evaluation".to_owned(),
        Stored::Lost => "the state item is missing, but there is a history: force a level with --repair".to_owned(),
        Stored::Unreadable(problem) => format!("{problem}: force a level with --repair"),
        Stored::Newer(newer) => format!(
            "the state item has schemaVersion {}, and this release knows {SCHEMA_VERSION}: the level is {}",
            newer.schema_version, newer.current_level
        ),
    };
    problems.push(problem);
    None
}

#[cfg(test)]
mod tests;
