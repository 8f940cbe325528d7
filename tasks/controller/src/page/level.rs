//! The level: which, since when, why, on what ground, and whether somebody holds it.

use breaker::{Level, SystemState};
use maud::{Markup, html};

use super::text::{age, clipped, moment_and_distance};
use crate::state_cache::Source;
use crate::status::View;

/// Bytes that one text may take. Even the longest, 500 characters with who and whereto, fits unless most of it
/// has to be escaped.
const TEXT_BYTES: usize = 800;

/// What callers get at a level.
const fn meaning(level: Level) -> &'static str {
    match level {
        Level::Full => "Everything works.",
        Level::Degraded => "Reads come from a cached view; there are no transfers.",
        Level::Maintenance => "Minimal answers only.",
    }
}

/// The level and everything about it.
pub fn level(view: &View<'_>) -> Markup {
    let level = view.current.level;
    html! {
        section #level.{ "l" (level) } data-live aria-labelledby="level-title" {
            h1 #level-title { span { "Level " (level) } " " (level.service_type()) }
            p { (meaning(level)) " Requests go to " code { (level.service()) } "." }
            (trouble(view))
            @if let Some(state) = &view.current.state { (facts(view, state)) }
        }
    }
}

/// What is wrong with what this page rests on, if anything is.
fn trouble(view: &View<'_>) -> Markup {
    let known = view.current.age.map(age).unwrap_or_default();
    let (title, told) = match (view.current.source, &view.current.state) {
        (Source::Table, Some(_)) => return html! {},
        (Source::Table, None) => (
            "Only the level is known",
            "A newer version than this controller's wrote the state. Requests are routed by its level.".to_owned(),
        ),
        (Source::FirstStart, _) => (
            "No state yet",
            "Nothing was written so far: a first start, at level 1. An evaluation comes within a minute.".to_owned(),
        ),
        (Source::LastKnown, _) => (
            "The state cannot be read",
            format!(
                "Everything here was read {known} ago, and requests go on at that level. A forced level does not \
                 arrive until the table answers again."
            ),
        ),
        (Source::Fallback, _) => (
            "The state cannot be read",
            "This controller could not read it since it started, so requests go to the fallback level. The true \
             level may be another."
                .to_owned(),
        ),
    };
    html! {
        section.notice aria-labelledby="trouble-title" {
            h2 #trouble-title { "⚠ " (title) }
            p { (told) }
        }
    }
}

fn facts(view: &View<'_>, state: &SystemState) -> Markup {
    let now = view.now;
    html! {
        @if let Some(hold) = state.active_hold(now) {
            section.notice #hold aria-labelledby="hold-title" {
                h2 #hold-title { "■ Held at level " (hold.level) ", " (hold.level.service_type()) }
                dl {
                    dt { "Until" } dd { (moment_and_distance(hold.expires_at, now)) }
                    dt { "By" } dd { (clipped(&hold.requested_by, TEXT_BYTES)) }
                    dt { "Why" } dd { (clipped(&hold.reason, TEXT_BYTES)) }
                }
                p { "Automation does not move the level while it lasts." }
            }
        }
        dl {
            dt { "Since" } dd { (moment_and_distance(state.last_transition, now)) }
            dt { "Why" } dd { (clipped(&state.transition_reason, TEXT_BYTES)) }
            dt { "State" }
            dd {
                @if let Some(read) = view.current.age { "read " (age(read)) " ago, " }
                "written " (moment_and_distance(state.last_updated, now))
                ", epoch " (state.epoch) ", version " (state.version)
            }
        }
    }
}
