//! The findings of the checks, and their report.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::deployment::Place;
use crate::exit::Exit;
use crate::terminal::{Line, Tone};

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// The controller answers through its alias, with a level that it read from the table.
    Request,
    /// A dry run of the state machine succeeds: evaluate-thresholds reads the state and the metrics.
    DryRun,
    /// The state machine's log has the execution.
    ExecutionLog,
    /// The message of an alarm reaches the alarm processor through topic and queue, and the execution succeeds.
    AlarmPath,
    /// A value in a log line becomes a data point before an evaluation relies on it.
    MetricsDelay,
    /// The schedule starts evaluations, and emit-metrics reports them.
    Evaluations,
    /// The table has a state that write-state wrote.
    WrittenState,
    /// All alarms run their actions.
    AlarmActions,
    /// The newest action of each alarm succeeded.
    ActionResults,
    /// An address is subscribed to the alerts, and all addresses are confirmed.
    Subscriptions,
    /// The services work with their rights.
    Services,
}

impl Check {
    /// All checks, in their order.
    pub const ALL: [Self; 11] = [
        Self::Request,
        Self::DryRun,
        Self::ExecutionLog,
        Self::AlarmPath,
        Self::MetricsDelay,
        Self::Evaluations,
        Self::WrittenState,
        Self::AlarmActions,
        Self::ActionResults,
        Self::Subscriptions,
        Self::Services,
    ];

    /// Returns the name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::DryRun => "dry run",
            Self::ExecutionLog => "execution log",
            Self::AlarmPath => "alarm path",
            Self::MetricsDelay => "metrics delay",
            Self::Evaluations => "evaluations",
            Self::WrittenState => "written state",
            Self::AlarmActions => "alarm actions",
            Self::ActionResults => "action results",
            Self::Subscriptions => "subscriptions",
            Self::Services => "services",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It works.
    Passed,
    /// It works, and a person has something to do.
    Warning,
    /// It does not work.
    Failed,
    /// It was not tried.
    NotTried,
}

impl Verdict {
    const fn shown(self) -> (Tone, &'static str) {
        match self {
            Self::Passed => (Tone::Good, "ok"),
            Self::Warning => (Tone::Warning, "warning"),
            Self::Failed => (Tone::Bad, "failed"),
            Self::NotTried => (Tone::Faint, "not tried"),
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen, the reason of the failure, or the reason why it was not tried.
    pub text: String,
    /// The measured time (seconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl Finding {
    pub(super) fn new(check: Check, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { check, verdict, text: text.into(), seconds: None }
    }

    pub(super) fn passed(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Passed, text)
    }

    pub(super) fn failed(check: Check, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Failed, text)
    }

    pub(super) fn not_tried(check: Check, reason: impl Into<String>) -> Self {
        Self::new(check, Verdict::NotTried, reason)
    }

    pub(super) fn measured(self, seconds: f64) -> Self {
        Self { seconds: Some(seconds), ..self }
    }

    /// Returns the finding in a line.
    #[must_use]
    pub fn line(&self) -> Line {
        let (tone, verdict) = self.verdict.shown();
        Line::from(format!("{:<15}", self.check.title()))
            .and(tone, verdict)
            .and(Tone::Plain, format!(": {}", self.text))
    }
}

/// The result of all checks, as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The deployment.
    pub deployment: Place,
    /// Time of the first check (UTC).
    pub at: Timestamp,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing failed. What was not tried did not fail.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Failed)
    }

    /// Returns the exit status: failed if a check failed.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.passed() { Exit::Done } else { Exit::Failed }
    }

    /// Returns the last line: the number of checks by verdict.
    #[must_use]
    pub fn summary(&self) -> Line {
        let of = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let tone = if self.passed() { Tone::Good } else { Tone::Bad };
        let text = format!(
            "{}: {} ok, {} with a warning, {} failed, {} not tried",
            self.deployment,
            of(Verdict::Passed),
            of(Verdict::Warning),
            of(Verdict::Failed),
            of(Verdict::NotTried)
        );
        Line::toned(tone, text)
    }
}
