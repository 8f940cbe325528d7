//! The history in lines.

use breaker::{CommandRecord, TransitionRecord, TransitionRequest};
use jiff::SignedDuration;

use super::{Entry, HistoryReport, Verification};
use crate::sentences::ended;
use crate::terminal::{Line, Tone};

impl HistoryReport {
    /// Returns the history in lines.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::toned(Tone::Strong, self.deployment.to_string())];
        if self.entries.is_empty() {
            lines.push(Line::from("No records."));
        }
        lines.extend(self.entries.iter().flat_map(lines_of));
        if !self.unindexed.is_empty() {
            let epochs: Vec<_> = self.unindexed.iter().map(u64::to_string).collect();
            let told = format!(
                "The index by time lacks epoch {}: a release without the index wrote it, or the index is some moments \
                 behind. Commands of these epochs that moved no level are not shown; --epoch NUMBER finds them.",
                epochs.join(", ")
            );
            lines.push(Line::toned(Tone::Faint, told));
        }
        if self.left_out > 0 {
            let told = format!("Number of records that are invalid and left out: {}.", self.left_out);
            lines.push(Line::toned(Tone::Warning, told));
        }
        lines.extend(
            self.verification_error
                .as_ref()
                .map(|error| Line::toned(Tone::Bad, format!("The commands cannot all be verified: {error}"))),
        );
        lines
    }
}

/// Returns who moved the level, for a transition that no operator asked for. The alarm that asked for the evaluation is
/// a hint and not the cause.
fn by_automation(record: &TransitionRecord) -> Option<Line> {
    let request = record.request.as_ref()?;
    let woken = request.woken_by().map(|alarm| format!(", woken by the alarm {alarm}")).unwrap_or_default();
    Some(Line::from("    ").and(Tone::Faint, format!("By {}{woken}.", request.requested_by())))
}

fn lines_of(entry: &Entry) -> Vec<Line> {
    let ((Some(TransitionRecord { from, to, reason, .. }), _) | (None, Some(CommandRecord { from, to, reason, .. }))) =
        (&entry.transition, &entry.command)
    else {
        return Vec::new();
    };
    let moved = if from == to { format!("level {to}     ") } else { format!("level {from} -> {to}") };
    let tone = match from.cmp(to) {
        std::cmp::Ordering::Less => Tone::Bad,
        std::cmp::Ordering::Equal => Tone::Plain,
        std::cmp::Ordering::Greater => Tone::Good,
    };
    let at = entry.at.strftime("%F %H:%M:%S UTC");
    let head = Line::toned(Tone::Faint, format!("{at}  epoch {:<4} ", entry.epoch));
    let mut lines = vec![head.and(tone, format!("{moved}  ")).and(Tone::Plain, reason.as_str())];
    let Some(command) = &entry.command else {
        lines.extend(entry.transition.as_ref().and_then(by_automation));
        return lines;
    };
    let mut detail = |tone, text: String| lines.push(Line::from("    ").and(tone, text));
    if let TransitionRequest::Force(force) = &command.request
        && let Some(minutes) = force.hold_minutes
        && let Ok(until) = command.at.checked_add(SignedDuration::from_mins(minutes.into()))
    {
        detail(Tone::Plain, format!("Held until {until}."));
    }
    if let Some(hold) = &command.ended_hold {
        detail(Tone::Warning, ended(hold));
    }
    match &entry.verification {
        None => {}
        Some(Verification::Verified { principal }) => detail(Tone::Good, format!("Verified as {principal}.")),
        Some(Verification::Claimed { claimed, principal }) => {
            detail(Tone::Bad, format!("Claimed {claimed}, started by {principal}."));
        }
        Some(Verification::NotThereYet) => detail(Tone::Warning, "Not in the trail yet.".to_owned()),
        Some(Verification::Missing) => {
            detail(Tone::Warning, "Not in the trail: StartSyncExecution leaves no event there.".to_owned());
        }
        Some(Verification::TooOld) => detail(Tone::Plain, "Too old: the trail reaches back 90 days.".to_owned()),
    }
    lines
}
