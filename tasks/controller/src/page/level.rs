//! The level: which, since when, why, on what ground, and whether somebody holds it.

use breaker::{Level, Policy, SystemState};
use maud::{Markup, html};

use super::text::{age, clipped, moment_and_distance};
use crate::rules::RampStatus;
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
            @match view.current.state.as_ref().and_then(|state| RampStatus::of(state, view.now)) {
                None => p { (meaning(level)) " Requests go to " code { (level.service()) } "." },
                Some(ramp) => (taking_over(view, &ramp)),
            }
            (trouble(view))
            @if let Some(state) = &view.current.state { (facts(view, state)) }
        }
    }
}

/// What callers get while a level that recovered takes only a share of the requests.
fn taking_over(view: &View<'_>, ramp: &RampStatus) -> Markup {
    let level = view.current.level;
    // Down, because the share grows until the reader is done.
    let percent = ramp.percent_of_requests.floor();
    html! {
        section.notice #ramp aria-labelledby="ramp-title" {
            h2 #ramp-title { "◢ Level " (level) " takes over: " (percent) " % of the requests so far" }
            p {
                "These go to " code { (level.service()) } ": " (meaning(level)) " Their share grows to all until "
                (moment_and_distance(ramp.until, view.now)) "."
            }
            @if let Some(rest) = ramp.rest_to_level {
                p {
                    "The rest is answered at level " (rest) ", " (rest.service_type()) ", by "
                    code { (rest.service()) } ": " (meaning(rest))
                }
            }
        }
    }
}

/// What the last evaluation was kept from doing.
fn prevented(view: &View<'_>, state: &SystemState, to: Level) -> Markup {
    html! {
        section.notice #prevented aria-labelledby="prevented-title" {
            h2 #prevented-title { "⚠ The level would be " (to) ", " (to.service_type()) }
            p {
                "The last evaluation would have moved it there, but for "
                @if state.active_hold(view.now).is_some() { "the hold." }
                @else if view.policy.is_some_and(Policy::observes_only) { "the mode: automation only observes." }
                @else { "a hold that is over, or a mode that was changed. The next evaluation looks again." }
            }
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
        @if let Some(to) = state.prevented { (prevented(view, state, to)) }
        @if let Some(hold) = state.active_hold(now) {
            section.notice #hold aria-labelledby="hold-title" {
                h2 #hold-title { "■ Held at level " (hold.level) ", " (hold.level.service_type()) }
                dl {
                    dt { "Until" } dd { (moment_and_distance(hold.expires_at, now)) }
                    dt { "By" } dd { (clipped(&hold.requested_by, TEXT_BYTES)) }
                    dt { "Why" } dd { (clipped(&hold.reason, TEXT_BYTES)) }
                }
                p { "Automation does not move the level while it lasts, neither up nor down." }
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
