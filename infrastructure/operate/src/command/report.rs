//! The report of a command, as JSON and as sentences.

use breaker::{CommandRecord, EvidenceSummary, Hold, Outcome, SystemState, TransitionRequest};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::request::{Order, Orders};
use crate::answer::Answer;
use crate::deployment::Place;
use crate::exit::Exit;
use crate::sentences::{Standing, ended, would_end};
use crate::terminal::{Line, Tone};

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It was carried out.
    Done,
    /// There was nothing to do, or another operator did it first.
    Nothing,
    /// It was a dry run: nothing was changed.
    DryRun,
    /// The state machine refuses it: nothing was changed.
    Refused,
    /// It could not be started, or was not confirmed: nothing was changed.
    Failed,
    /// Nothing was changed: the question could not be asked, and `--yes` was not given.
    NotAsked,
    /// It was started, and whether it was carried out is not known.
    Unknown,
}

/// The report of a command, as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandReport {
    /// The deployment.
    pub deployment: Place,
    /// `look`, `force` or `release`.
    pub command: &'static str,
    /// Its result.
    pub result: Verdict,
    /// The name of the execution, if one was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The state machine's answer to the dry run, if that is the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<Answer>>,
    /// The record that the command left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<CommandRecord>>,
    /// The name of the state machine's error, if it refused the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl CommandReport {
    pub(super) fn new(deployment: Place, command: &'static str) -> Self {
        Self {
            deployment,
            command,
            result: Verdict::Unknown,
            execution: None,
            answer: None,
            record: None,
            error: None,
            problem: None,
        }
    }

    pub(super) fn of_execution(self, name: &str) -> Self {
        Self { execution: Some(name.to_owned()), ..self }
    }

    pub(super) fn done(self, record: CommandRecord) -> Self {
        Self { result: Verdict::Done, record: Some(Box::new(record)), ..self }
    }

    pub(super) fn nothing(self, answer: Answer) -> Self {
        Self { result: Verdict::Nothing, answer: Some(Box::new(answer)), ..self }
    }

    pub(super) fn dry_run(self, answer: Answer) -> Self {
        Self { result: Verdict::DryRun, answer: Some(Box::new(answer)), ..self }
    }

    pub(super) fn refused(self, error: &str, cause: &str) -> Self {
        let problem = format!("{error}: {cause}");
        Self { result: Verdict::Refused, error: Some(error.to_owned()), problem: Some(problem), ..self }
    }

    pub(super) fn refused_by_now(self, waited: &str, error: &str, cause: &str) -> Self {
        let problem = format!("{waited}; by now it is refused: {error}: {cause}");
        Self { result: Verdict::Refused, error: Some(error.to_owned()), problem: Some(problem), ..self }
    }

    pub(super) fn failed(self, problem: String) -> Self {
        Self { result: Verdict::Failed, problem: Some(problem), ..self }
    }

    pub(super) fn not_asked(self) -> Self {
        let problem = "the input is no terminal, so nothing can be asked: give --yes to go on without a question";
        Self { result: Verdict::NotAsked, problem: Some(problem.to_owned()), ..self }
    }

    pub(super) fn unknown(self, problem: String) -> Self {
        Self { result: Verdict::Unknown, problem: Some(problem), ..self }
    }

    /// The exit status.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self.result {
            Verdict::Done | Verdict::Nothing | Verdict::DryRun => Exit::Done,
            Verdict::Refused | Verdict::Failed => Exit::Failed,
            Verdict::NotAsked => Exit::Usage,
            Verdict::Unknown => Exit::Unknown,
        }
    }

    /// The report in sentences.
    #[must_use]
    pub fn lines(&self, now: Timestamp) -> Vec<Line> {
        let problem = self.problem.as_deref().unwrap_or_default();
        let place = &self.deployment;
        let execution = self.execution.as_deref().unwrap_or_default();
        match (self.result, &self.answer, &self.record) {
            (Verdict::DryRun, Some(answer), _) => looked(place, answer, now),
            (Verdict::Nothing, Some(answer), _) => nothing(place, answer, self.execution.is_some(), now),
            (Verdict::Done, _, Some(record)) => done(place, record, now),
            (Verdict::Refused, ..) => vec![refusal(place, problem, self.execution.as_deref())],
            (Verdict::Failed | Verdict::NotAsked, ..) => {
                let line = Line::toned(Tone::Bad, "Failed").and(Tone::Plain, format!(" for {place}: {problem}"));
                vec![line, Line::from("Nothing was changed.")]
            }
            _ => {
                let told = format!(": started as {execution} in {place}; whether it was carried out is not known");
                vec![Line::toned(Tone::Warning, "Unknown").and(Tone::Plain, format!("{told}: {problem}."))]
            }
        }
    }
}

fn refusal(place: &Place, problem: &str, execution: Option<&str>) -> Line {
    let started = execution.map(|name| format!(" after it was started as {name}")).unwrap_or_default();
    Line::toned(Tone::Bad, "Refused").and(Tone::Plain, format!(" by {place}{started}: {problem}"))
}

fn done(place: &Place, record: &CommandRecord, now: Timestamp) -> Vec<Line> {
    let CommandRecord { name, at, reason, to, epoch, version, .. } = record;
    let mut lines = vec![
        Line::toned(Tone::Good, "Done").and(Tone::Plain, format!(" at {at}: {reason}.")),
        Line::from(format!("{place}: level {to}, epoch {epoch}, version {version}; record command#{name}.")),
    ];
    lines.extend(record.ended_hold.as_ref().map(|hold| Line::toned(Tone::Warning, ended(hold))));
    lines.push(Line::toned(Tone::Strong, standing_of(record).sentence(now)));
    lines
}

fn standing_of(record: &CommandRecord) -> Standing {
    let minutes = match &record.request {
        TransitionRequest::Force(force) => force.hold_minutes,
        _ => None,
    };
    let held_until = minutes.and_then(|minutes| record.at.checked_add(SignedDuration::from_mins(minutes.into())).ok());
    Standing { level: record.to, held_until, recovery_allowed_at: record.recovery_allowed_at }
}

fn nothing(place: &Place, answer: &Answer, was_started: bool, now: Timestamp) -> Vec<Line> {
    let what = if was_started { "Nothing was left to do" } else { "Nothing to do" };
    let standing = Standing::new(&answer.new_state, answer.recovery_allowed_at, now);
    vec![
        Line::toned(Tone::Good, what).and(Tone::Plain, format!(" for {place}: {}.", answer.reason)),
        Line::toned(Tone::Strong, standing.sentence(now)),
    ]
}

fn looked(place: &Place, answer: &Answer, now: Timestamp) -> Vec<Line> {
    let Answer { outcome, from, to, reason, .. } = answer;
    let outcome = match outcome {
        Outcome::Transition => "transition",
        Outcome::Record => "record",
        Outcome::None => "none",
    };
    let mut lines = vec![
        Line::labelled("deployment", place.to_string()),
        Line::labelled("decision", format!("{outcome}: level {from} to level {to}")),
        Line::labelled("reason", reason.as_str()),
    ];
    lines.extend(answer.evidence.as_ref().map(|evidence| Line::labelled("evidence", told(evidence))));
    lines.push(Line::labelled("before", described(&answer.old_state, now)));
    lines.push(Line::labelled("after", described(&answer.new_state, now)));
    lines.extend(answer.ended_hold.as_ref().map(|hold| Line::toned(Tone::Warning, would_end(hold))));
    lines.push(Line::labelled("dry run", "nothing was changed"));
    let standing = Standing::new(&answer.new_state, answer.recovery_allowed_at, now);
    lines.push(Line::toned(Tone::Strong, standing.sentence(now)));
    lines
}

fn told(evidence: &EvidenceSummary) -> String {
    let EvidenceSummary { since, errors, carried_failures, success_streak, .. } = evidence;
    format!("since {since}: {errors} errors, {carried_failures} carried, {success_streak} consecutive successes")
}

fn described(state: &SystemState, now: Timestamp) -> String {
    let SystemState { current_level, epoch, version, hold, .. } = state;
    let hold = match hold {
        None => "no hold".to_owned(),
        // An expired hold stays in the item until the next write.
        Some(Hold { reason, requested_by, expires_at, .. }) => {
            let verb = if now < *expires_at { "held until" } else { "hold ended at" };
            format!("{verb} {expires_at} by {requested_by}: {reason}")
        }
    };
    format!("level {current_level}, epoch {epoch}, version {version}, {hold}")
}

/// Returns the lines that an operator sees before the question.
pub(super) fn question(place: &Place, orders: &Orders, answer: &Answer, now: Timestamp) -> Vec<Line> {
    let what = match &orders.order {
        Order::Force(force) => format!("force level {}", force.target_level),
        Order::Look => "look".to_owned(),
        Order::Release(_) => "end a hold".to_owned(),
    };
    let Place { stack, account, region } = place;
    let mut lines = vec![
        Line::toned(Tone::Strong, format!("About to {what}:")),
        Line::labelled("deployment", stack.as_str()),
        Line::labelled("account", account.as_str()),
        Line::labelled("region", region.as_str()),
        Line::labelled("decision", answer.reason.as_str()),
        Line::labelled("now", described(&answer.old_state, now)),
    ];
    lines.extend(answer.ended_hold.as_ref().map(|hold| Line::toned(Tone::Warning, would_end(hold))));
    if let Some(Hold { execution: None, .. }) = &answer.ended_hold {
        lines.push(Line::from("That hold has no name to expect it by: an older release set it."));
    }
    lines
}
