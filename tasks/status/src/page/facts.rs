//! The facts beside the headline: reason, hold, recovery, evaluations, controllers and alarms, and what is wrong with
//! the sources.

use breaker::{Stored, SystemState, TransitionRequest};
use jiff::Timestamp;
use maud::{Markup, html};

use super::headline::Brake;
use super::text::{clipped, moment_and_distance, span, when};
use crate::place::is_address;
use crate::sources::Source;
use crate::traffic::{Traffic, level_of};
use crate::view::View;

/// Maximum bytes of one text.
const TEXT_BYTES: usize = 600;
/// Maximum bytes of a name.
const NAME_BYTES: usize = 120;
/// Age of a controller's state from which on the page warns, in seconds. A controller reads the state each second.
const OLD_STATE_SECONDS: f64 = 60.0;
/// Time without an evaluation from which on the page warns, in seconds; that of the alarm `control-plane-silent`.
const SILENT_SECONDS: i64 = 300;
/// Maximum number of alarms that are listed by name.
const ALARMS: usize = 12;

/// The facts.
pub fn facts(view: &View<'_>) -> Markup {
    html! {
        (notices(view))
        section #facts data-live aria-label="Facts" {
            dl {
                @if let Some(state) = view.state() { (of_state(view, state)) }
                dt { "Evaluations" }
                dd { (evaluations(view)) }
                dt { "Controllers" }
                dd { (controllers(view)) }
                dt { "Alarms" }
                dd { (alarms(view)) }
            }
        }
    }
}

fn of_state(view: &View<'_>, state: &SystemState) -> Markup {
    html! {
        dt { "Why" }
        dd #why {
            (clipped(&state.transition_reason, TEXT_BYTES))
            @match newest_request(view, state) {
                Some(TransitionRequest::Force(force)) => { "; by " (clipped(&force.requested_by, NAME_BYTES)) },
                Some(TransitionRequest::Release(release)) => { "; by " (clipped(&release.requested_by, NAME_BYTES)) },
                Some(TransitionRequest::Alarm(_) | TransitionRequest::Schedule(_)) => "; by automation",
                None => {},
            }
            "; " (moment_and_distance(state.last_transition, view.now))
        }
        @if let Some(hold) = state.active_hold(view.now) {
            dt { "Hold" }
            dd #hold {
                strong { "Held at level " (hold.level) } " until " (moment_and_distance(hold.expires_at, view.now)) " by "
                (clipped(&hold.requested_by, TEXT_BYTES)) ": " (clipped(&hold.reason, TEXT_BYTES))
            }
        }
        @if state.current_level.better().is_some() {
            dt { "Recovery" }
            dd #recovery { (recovery(view, state)) }
        }
    }
}

fn newest_request<'a>(view: &View<'a>, state: &SystemState) -> Option<&'a TransitionRequest> {
    let records = view.records.ok()?;
    records.transitions.first().filter(|record| record.epoch == state.epoch)?.request.as_ref()
}

fn recovery(view: &View<'_>, state: &SystemState) -> Markup {
    let cooldown = state.backoff.cooldown(view.policy).as_secs().unsigned_abs();
    let brake = Brake::of(view);
    html! {
        @match (state.recovery_allowed_at(view.policy, view.now), brake) {
            (None, _) => "none is needed",
            (Some(_), Some(Brake::ObserveOnly)) => "none: automation only observes",
            (Some(at), brake) if at > view.now => {
                "not before " (moment_and_distance(at, view.now))
                @if brake.is_some() { ", when the hold and the cooldown are over" }
                @else if state.ramp.is_some_and(|ramp| ramp.until == at) { ", when the level has taken over" }
                @else { ", when the cooldown of " (span(cooldown)) " is over" }
            },
            (Some(_), _) => "as soon as the evidence suffices; the cooldown is over",
        }
    }
}

/// Whether no evaluation was counted for five minutes.
fn is_silent(view: &View<'_>) -> bool {
    let seconds_since = |last: Timestamp| view.now.duration_since(last).as_secs();
    view.traffic.is_ok_and(|traffic| traffic.last_evaluation().is_none_or(|last| seconds_since(last) >= SILENT_SECONDS))
}

fn evaluations(view: &View<'_>) -> Markup {
    let last = view.traffic.map(Traffic::last_evaluation);
    html! {
        @match last {
            Err(_) => "unknown",
            Ok(None) => "none in the range of the picture",
            Ok(Some(last)) => {
                "last in the minute of " (when(last, view.now))
                @if !is_silent(view) { "; the next within a minute" }
            },
        }
    }
}

fn controllers(view: &View<'_>) -> Markup {
    let Some(controllers) = view.controllers() else { return html! { "unknown" } };
    let levels = controllers.lowest_level.and_then(level_of).zip(controllers.highest_level.and_then(level_of));
    html! {
        @match levels {
            None => "no request in the last minutes",
            Some((low, high)) if low == high => { "route by level " (low) },
            Some((low, high)) => { "route by levels " (low) " to " (high) " in the last minutes" },
        }
        @if let Some(age) = controllers.oldest_state_seconds.filter(|age| *age >= OLD_STATE_SECONDS) {
            "; the oldest state is " (format!("{age:.0}")) " s old"
        }
    }
}

fn alarms(view: &View<'_>) -> Markup {
    if view.alarms.is_err() {
        return html! { "unknown" };
    }
    let on: Vec<_> = view.alarms_on().collect();
    html! {
        @if on.is_empty() { "none is on" }
        @else {
            strong { (on.len()) " on: " }
            @for (index, alarm) in on.iter().take(ALARMS).enumerate() {
                @if index > 0 { ", " }
                @match alarm.runbook.as_deref().filter(|address| is_address(address)) {
                    Some(address) => a href=(address) rel="noreferrer" { (alarm.name) },
                    None => (alarm.name),
                }
                @if let Some(since) = alarm.since { " (since " (when(since, view.now)) ")" }
            }
            @if on.len() > ALARMS { " and " (on.len() - ALARMS) " more" }
        }
    }
}

/// What is wrong with the page's sources, if anything is.
fn notices(view: &View<'_>) -> Markup {
    let mut notices: Vec<(&str, String)> = Vec::new();
    match view.stored {
        Err(error) => notices.push((
            "The state cannot be read",
            format!(
                "The table: {error}. The level here is what the controllers said in the last minutes. They go on at the \
                 level that they read last, and a forced level does not arrive until the table answers again."
            ),
        )),
        Ok(Stored::Lost) => notices.push((
            "The state is missing",
            "There is a history, so this is no first start. Evaluations fail, and the controllers go on at the level \
             that they read last. Force a level with --repair."
                .to_owned(),
        )),
        Ok(Stored::Unreadable(problem)) => notices.push((
            "The state is corrupt",
            format!("{problem}. The controllers go on at the level that they read last. Force a level with --repair."),
        )),
        Ok(Stored::Newer(newer)) => notices.push((
            "Only the level is known",
            format!("A newer release wrote the state (schemaVersion {}).", newer.schema_version),
        )),
        Ok(Stored::Nothing) => notices.push((
            "No state yet",
            "Nothing was written so far: a first start, at level 1. An evaluation comes within a minute.".to_owned(),
        )),
        Ok(Stored::State(_)) => {}
    }
    if is_silent(view) && !matches!(view.stored, Ok(Stored::Nothing)) {
        notices.push((
            "No evaluation in the last five minutes",
            "The level cannot change. Look whether the schedule is enabled and executions succeed.".to_owned(),
        ));
    }
    let old = view.controllers().and_then(|controllers| controllers.oldest_state_seconds);
    if let Some(age) = old.filter(|age| *age >= OLD_STATE_SECONDS) {
        notices.push((
            "A controller routes by an old state",
            format!("Its state is {age:.0} s old. A forced level does not reach it until it can read the table."),
        ));
    }
    let rest: Vec<String> = view
        .unavailable()
        .into_iter()
        .filter(|(source, _)| *source != Source::State)
        .map(|(source, reason)| format!("{} ({reason})", source.words()))
        .collect();
    if !rest.is_empty() {
        notices.push(("A part cannot be read", format!("Missing here: {}.", rest.join(", "))));
    }
    html! {
        div #notices data-live {
            @for (title, text) in &notices {
                section.notice aria-label=(title) {
                    h2 { "⚠ " (title) }
                    p { (clipped(text, TEXT_BYTES)) }
                }
            }
        }
    }
}
