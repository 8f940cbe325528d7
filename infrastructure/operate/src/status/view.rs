//! The status in lines.

use breaker::{Level, SystemState, TransitionRecord};
use jiff::Timestamp;

use super::{AlarmsStatus, Direction, RuleStatus, StatusReport};
use crate::ports::ControllersView;
use crate::sentences::{Standing, age, clock};
use crate::terminal::{Line, Tone};

impl StatusReport {
    /// Returns the status in lines.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let now = self.at;
        let mut lines = vec![Line::labelled("deployment", self.deployment.to_string())];
        lines.extend(self.state.as_ref().map(|state| about(state, now)).unwrap_or_default());
        lines.extend(self.evaluation.as_ref().map(|answer| Line::labelled("evaluation", answer.reason.as_str())));
        lines.extend(rules("falls by", Direction::Fall, &self.rules));
        lines.extend(rules("recovers by", Direction::Recovery, &self.rules));
        lines.extend(self.controllers.as_ref().map(|view| controllers(view, self.state.as_ref())));
        lines.extend(self.alarms.as_ref().map(|alarms| about_alarms(alarms, now)).unwrap_or_default());
        lines.extend(transitions(&self.transitions, now));
        lines.extend(self.warnings.iter().map(|text| Line::toned(Tone::Warning, format!("Warning: {text}."))));
        lines.extend(self.problems.iter().map(|problem| Line::toned(Tone::Bad, format!("Problem: {problem}"))));
        if let Some(state) = &self.state {
            let recovery = self.evaluation.as_ref().and_then(|answer| answer.recovery_allowed_at);
            lines.push(Line::toned(Tone::Strong, Standing::new(state, recovery, now).sentence(now)));
        }
        lines
    }
}

const fn tone_of(level: Level) -> Tone {
    match level {
        Level::Full => Tone::Good,
        Level::Degraded => Tone::Warning,
        Level::Maintenance => Tone::Bad,
    }
}

fn about(state: &SystemState, now: Timestamp) -> Vec<Line> {
    let SystemState { current_level: level, last_transition, last_updated, epoch, version, .. } = state;
    let since = format!(", since {} ({})", clock(*last_transition, now), age(*last_transition, now));
    let written = format!("epoch {epoch}, version {version}, written {} ago", age(*last_updated, now));
    let mut lines = vec![
        Line::labelled("level", "")
            .and(tone_of(*level), format!("{level} {}", level.service_type()))
            .and(Tone::Plain, since),
        Line::labelled("reason", state.transition_reason.as_str()),
        Line::labelled("state", written),
    ];
    if let Some(hold) = state.active_hold(now) {
        let told = format!("until {} by {}: {}", hold.expires_at, hold.requested_by, hold.reason);
        lines.push(Line::labelled("hold", "").and(Tone::Warning, told));
    }
    lines
}

fn rules(label: &str, direction: Direction, rules: &[RuleStatus]) -> Vec<Line> {
    let of_direction = rules.iter().filter(|rule| rule.direction == direction);
    let lines = of_direction.enumerate().map(|(index, rule)| {
        let tone = if rule.holds { Tone::Warning } else { Tone::Plain };
        Line::labelled(if index == 0 { label } else { "" }, "").and(tone, rule.text.as_str())
    });
    lines.collect()
}

fn controllers(view: &ControllersView, state: Option<&SystemState>) -> Line {
    let (Some(lowest), Some(highest)) = (view.lowest_level, view.highest_level) else {
        return Line::labelled("controllers", "no request in the last 5 minutes");
    };
    let levels = if (lowest - highest).abs() < 0.5 {
        format!("level {lowest}")
    } else {
        format!("levels {lowest} to {highest}")
    };
    let oldest = view.oldest_state_seconds.map(|seconds| format!(", oldest state {seconds:.1} s")).unwrap_or_default();
    let agree = state.is_none_or(|state| (lowest - f64::from(state.current_level.number())).abs() < 0.5);
    let tone = if agree { Tone::Plain } else { Tone::Warning };
    Line::labelled("controllers", "").and(tone, format!("{levels}{oldest}, in the last 5 minutes"))
}

fn about_alarms(alarms: &AlarmsStatus, now: Timestamp) -> Vec<Line> {
    let AlarmsStatus { total, on, actions_off } = alarms;
    let mut lines = vec![Line::labelled("alarms", format!("{} of {total} on", on.len()))];
    lines.extend(on.iter().map(|alarm| {
        let since = alarm.since.map(|since| format!(", for {}", age(since, now))).unwrap_or_default();
        Line::labelled("", "").and(Tone::Warning, format!("on: {}{since}", alarm.name))
    }));
    lines.extend(
        actions_off
            .iter()
            .map(|alarm| Line::labelled("", "").and(Tone::Bad, format!("actions are off: {}", alarm.name))),
    );
    lines
}

fn transitions(records: &[TransitionRecord], now: Timestamp) -> Vec<Line> {
    let lines = records.iter().enumerate().map(|(index, record)| {
        let TransitionRecord { at, from, to, reason, .. } = record;
        let label = if index == 0 { "transitions" } else { "" };
        Line::labelled(label, format!("{}  level {from} -> {to}  {reason}", clock(*at, now)))
    });
    lines.collect()
}
