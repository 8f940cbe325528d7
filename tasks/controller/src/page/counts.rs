//! The counts against their thresholds, and when a recovery may come.

use breaker::{Level, Policy, SystemState};
use maud::{Markup, html};

use super::text::{moment_and_distance, span};
use crate::status::View;

/// A count and what happens when it reaches its threshold.
struct Meter {
    id: &'static str,
    what: &'static str,
    count: u64,
    threshold: u32,
    leads_to: Level,
}

/// The counts that can move the level from where it is, failures first.
fn meters(state: &SystemState, policy: &Policy) -> Vec<Meter> {
    let fall = |threshold, leads_to| Meter {
        id: "failures",
        what: "Failures",
        count: state.failure_count,
        threshold,
        leads_to,
    };
    let recovery = |threshold, leads_to| Meter {
        id: "successes",
        what: "Successes in a row",
        count: state.success_count,
        threshold,
        leads_to,
    };
    match state.current_level {
        Level::Full => vec![fall(policy.level_1_failures(), Level::Degraded)],
        Level::Degraded => {
            vec![fall(policy.level_2_failures(), Level::Maintenance), recovery(policy.level_2_successes(), Level::Full)]
        }
        Level::Maintenance => vec![recovery(policy.level_3_successes(), Level::Degraded)],
    }
}

/// The counts and the recovery.
pub fn counts(view: &View<'_>) -> Markup {
    html! {
        section #counts data-live aria-labelledby="counts-title" {
            h2 #counts-title { "What would move the level" }
            @match &view.current.state {
                None => p { "The counts are not known, because the state is not." },
                Some(state) => {
                    div.meters { @for each in meters(state, view.policy) { (meter(&each)) } }
                    p {
                        "Counted by the last evaluation that changed them, "
                        (moment_and_distance(state.last_updated, view.now)) "."
                    }
                    (recovery(view, state))
                },
            }
        }
    }
}

fn meter(meter: &Meter) -> Markup {
    let Meter { id, what, count, threshold, leads_to } = meter;
    html! {
        div {
            label for=(id) { strong { (what) ": " (count) " of " (threshold) } }
            meter id=(id) min="0" max=(threshold) value=((*count).min((*threshold).into())) {
                (count) " of " (threshold)
            }
            p { (threshold) " lead to level " (leads_to) ", " (leads_to.service_type()) "." }
        }
    }
}

fn recovery(view: &View<'_>, state: &SystemState) -> Markup {
    let Some(at) = state.recovery_allowed_at(view.policy, view.now) else {
        return html! { p { strong { "Recovery: " } "none is needed, this is the best level." } };
    };
    let cooldown = state.backoff.cooldown(view.policy).as_secs().unsigned_abs();
    html! {
        p {
            strong { "Recovery: " }
            @if at > view.now {
                "not before " (moment_and_distance(at, view.now))
                @if state.active_hold(view.now).is_some() { ", when the hold and the cooldown are over." }
                @else { ", when the cooldown of " (span(cooldown)) " is over." }
            } @else {
                "as soon as the successes suffice; the cooldown is over."
            }
            " Falls do not wait."
        }
    }
}
