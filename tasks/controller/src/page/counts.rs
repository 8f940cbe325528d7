//! The counts against their thresholds, and when a recovery may come.

use breaker::{Level, Policy, SystemState};
use maud::{Markup, html};

use super::policy_rules::rules;
use super::text::{moment_and_distance, span};
use crate::rules::{ProbingStatus, refusal_advice};
use crate::status::View;

/// A count and what happens when it reaches its threshold.
struct Meter {
    id: &'static str,
    what: &'static str,
    count: u64,
    /// 0: no rule asks for this count.
    threshold: u32,
    leads_to: Level,
}

/// The counts that the state has, failures first. A rule that is off has no threshold, and where probes prove a
/// recovery, neither have the successes at the level itself.
fn meters(state: &SystemState, policy: &Policy) -> Vec<Meter> {
    let level = state.current_level;
    let (failures, successes) = match level {
        Level::Full => (policy.level_1_failures(), 0),
        Level::Degraded => (policy.level_2_failures(), policy.level_2_successes()),
        Level::Maintenance => (0, policy.level_3_successes()),
    };
    // Nothing probes while automation only observes, and probes that nobody sees prove nothing.
    let idle = state.probing.is_some_and(|probing| probing.idle_since.is_some());
    let proven_here = !policy.recovers_by_probes() || policy.observes_only() || idle;
    let fall = level.worse().map(|leads_to| Meter {
        id: "failures",
        what: "Failures",
        count: state.failure_count,
        threshold: failures,
        leads_to,
    });
    let recovery = level.better().map(|leads_to| Meter {
        id: "successes",
        what: "Successes in a row",
        count: state.success_count,
        threshold: if proven_here { successes } else { 0 },
        leads_to,
    });
    fall.into_iter().chain(recovery).collect()
}

/// The counts and the recovery.
pub fn counts(view: &View<'_>) -> Markup {
    html! {
        section #counts data-live aria-labelledby="counts-title" {
            h2 #counts-title { "What would move the level" }
            @match &view.current.state {
                None => p { "The counts are not known, because the state is not." },
                Some(state) => (known(view, state)),
            }
        }
    }
}

fn known(view: &View<'_>, state: &SystemState) -> Markup {
    let counted = html! {
        p {
            "Counted by the last evaluation that changed them, "
            (moment_and_distance(state.last_updated, view.now)) "."
        }
    };
    let Some(policy) = view.policy else {
        return html! {
            p {
                strong { "The settings of the policy make no sense: " }
                "no threshold is known here, no call is slow and nothing is probed. The log of this controller says \
                 which one. Failures: " (state.failure_count) "; successes in a row: " (state.success_count) "."
            }
            (counted)
        };
    };
    let (measured, bare): (Vec<_>, Vec<_>) = meters(state, policy).into_iter().partition(|meter| meter.threshold > 0);
    let stays = Staying::of(view, policy, state);
    html! {
        @if stays == Some(Staying::Observes) {
            p { strong { "Automation only observes: " } "it tells what it would do, and moves nothing." }
        }
        @if !measured.is_empty() { div.meters { @for each in &measured { (meter(each, stays)) } } }
        @for Meter { id, what, count, .. } in &bare {
            p { strong { (what) ": " (count) } @if *id == "failures" { (window(policy)) } ". No rule counts them now." }
        }
        (counted)
        (rules(view, policy, state))
        (probing(view, policy, state))
        (recovery(view, policy, state, stays))
    }
}

/// Why automation would not move the level, even where a rule holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Staying {
    Held,
    Observes,
}

impl Staying {
    fn of(view: &View<'_>, policy: &Policy, state: &SystemState) -> Option<Self> {
        match state.active_hold(view.now) {
            Some(_) => Some(Self::Held),
            None => policy.observes_only().then_some(Self::Observes),
        }
    }
}

fn meter(meter: &Meter, stays: Option<Staying>) -> Markup {
    let Meter { id, what, count, threshold, leads_to } = meter;
    html! {
        div {
            label for=(id) { strong { (what) ": " (count) " of " (threshold) } }
            meter id=(id) min="0" max=(threshold) value=((*count).min((*threshold).into())) {
                (count) " of " (threshold)
            }
            p {
                (threshold)
                @match stays {
                    None => " lead",
                    Some(Staying::Held) => " would, but for the hold, lead",
                    Some(Staying::Observes) => " would, if automation moved anything, lead",
                }
                " to level " (leads_to) ", " (leads_to.service_type()) "."
            }
        }
    }
}

fn window(policy: &Policy) -> String {
    policy.window().map(|window| format!(" within {}", span(window.as_secs().unsigned_abs()))).unwrap_or_default()
}

/// How the better level is probed.
fn probing(view: &View<'_>, policy: &Policy, state: &SystemState) -> Markup {
    let Some(better) = state.current_level.better().filter(|_| policy.probes(state.current_level)) else {
        return html! {};
    };
    let Some(status) = ProbingStatus::of(state, view.now) else {
        return html! { p { strong { "Probes: " } "the next evaluation begins them." } };
    };
    html! {
        p {
            strong { "Probes: " }
            @if status.active {
                (status.percent_of_safe_requests) " % of the GET and HEAD requests try level " (better) ", "
                (better.service_type()) ", since " (moment_and_distance(status.since, view.now))
                "; at most " (policy.probe_limit_per_second()) " a second from each environment of the controller."
            } @else if state.active_hold(view.now).is_some() {
                "none while the hold lasts."
            } @else {
                "from " (moment_and_distance(status.since, view.now)) " on, with "
                (status.percent_of_safe_requests) " % of the GET and HEAD requests."
            }
        }
        @if let Some(refused_since) = status.refused_since {
            p {
                strong { "Level " (better) " refuses most probes since " (moment_and_distance(refused_since, view.now)) ": " }
                "it answers them with 4xx, so it does not recover. To do: " (refusal_advice(better)) "."
            }
        }
        @if let Some(idle_since) = status.idle_since {
            p {
                strong { "No probe was seen since " (moment_and_distance(idle_since, view.now)) ": " }
                "recoveries rest on the successes at level " (state.current_level) " until one is."
            }
        }
    }
}

fn recovery(view: &View<'_>, policy: &Policy, state: &SystemState, stays: Option<Staying>) -> Markup {
    let cooldown = state.backoff.cooldown(policy).as_secs().unsigned_abs();
    html! {
        p {
            strong { "Recovery: " }
            @match state.recovery_allowed_at(policy, view.now) {
                None => "none is needed, this is the best level.",
                Some(at) if at > view.now => {
                    "not before " (moment_and_distance(at, view.now))
                    @if stays == Some(Staying::Held) { ", when the hold and the cooldown are over." }
                    @else if state.ramp.is_some_and(|ramp| ramp.until == at) { ", when the level has taken over." }
                    @else { ", when the cooldown of " (span(cooldown)) " is over." }
                },
                Some(_) => "as soon as the evidence suffices; the cooldown is over.",
            }
            @if state.current_level.worse().is_some() {
                @match stays {
                    None => " Falls do not wait.",
                    Some(Staying::Held) => " Falls wait too, while the hold lasts.",
                    Some(Staying::Observes) => " Automation brings neither, while it only observes.",
                }
            }
        }
    }
}
