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

/// The counts that can move the level from where it is, failures first. A rule that is off has no threshold, and
/// where probes prove a recovery, the successes at the level itself do not.
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
    let mut meters = match state.current_level {
        Level::Full => vec![fall(policy.level_1_failures(), Level::Degraded)],
        Level::Degraded => {
            vec![fall(policy.level_2_failures(), Level::Maintenance), recovery(policy.level_2_successes(), Level::Full)]
        }
        Level::Maintenance => vec![recovery(policy.level_3_successes(), Level::Degraded)],
    };
    meters.retain(|meter| meter.threshold > 0 && !(policy.recovers_by_probes() && meter.id == "successes"));
    meters
}

/// The counts and the recovery.
pub fn counts(view: &View<'_>) -> Markup {
    html! {
        section #counts data-live aria-labelledby="counts-title" {
            h2 #counts-title { "What would move the level" }
            @match &view.current.state {
                None => p { "The counts are not known, because the state is not." },
                Some(state) => {
                    @if let Some(policy) = view.policy {
                        div.meters { @for each in meters(state, policy) { (meter(&each)) } }
                    } @else {
                        p {
                            strong { "The settings of the policy make no sense: " }
                            "no threshold is known here, no call is slow and nothing is probed. The log of this \
                             controller says which one. Failures: " (state.failure_count) "; successes in a row: "
                            (state.success_count) "."
                        }
                    }
                    p {
                        "Counted by the last evaluation that changed them, "
                        (moment_and_distance(state.last_updated, view.now)) "."
                    }
                    @if let Some(policy) = view.policy {
                        (rates(policy, state.current_level))
                        (recovery(view, policy, state))
                    }
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

/// The rules that no count of the state stands for.
fn rates(policy: &Policy, level: Level) -> Markup {
    let falls = level.worse().is_some();
    let (calls, window) = (policy.minimum_calls(), span(policy.rate_window().as_secs().unsigned_abs()));
    html! {
        @if policy.observes_only() {
            p { strong { "Automation only observes: " } "it tells what it would do, and moves nothing." }
        }
        @if let Some(percent) = policy.failure_rate_percent().filter(|_| falls) {
            p {
                @if policy.needs_count_and_rate() { "A fall needs count and rate together: " }
                @else { "A fall also comes by rate: " }
                (percent) " % failures among at least " (calls) " calls within " (window) "."
            }
        }
        @if let (Some(percent), Some(slow), true) = (policy.slow_call_rate_percent(), policy.slow_call(), falls) {
            p { "Slow calls count as well: " (percent) " % that take " (slow.as_millis()) " ms or longer." }
        }
        @if let Some(better) = level.better().filter(|_| policy.recovers_by_probes()) {
            p {
                "A recovery rests on " (policy.probe_calls()) " probes of level " (better) ", "
                (better.service_type()) "."
            }
        }
    }
}

fn recovery(view: &View<'_>, policy: &Policy, state: &SystemState) -> Markup {
    let Some(at) = state.recovery_allowed_at(policy, view.now) else {
        return html! { p { strong { "Recovery: " } "none is needed, this is the best level." } };
    };
    let cooldown = state.backoff.cooldown(policy).as_secs().unsigned_abs();
    html! {
        p {
            strong { "Recovery: " }
            @if at > view.now {
                "not before " (moment_and_distance(at, view.now))
                @if state.active_hold(view.now).is_some() { ", when the hold and the cooldown are over." }
                @else if state.ramp.is_some_and(|ramp| ramp.until == at) { ", when the level has taken over." }
                @else { ", when the cooldown of " (span(cooldown)) " is over." }
            } @else {
                "as soon as the evidence suffices; the cooldown is over."
            }
            " Falls do not wait."
        }
    }
}
