//! The rules that no single count of the state stands for, beside the numbers of the newest transition.

use breaker::{EvidenceSummary, Level, Policy, SystemState, TransitionRecord};
use maud::{Markup, html};

use super::text::{moment_and_distance, span};
use crate::status::View;

/// One rule that is on.
struct Rule {
    what: &'static str,
    /// What makes it hold.
    needs: String,
    /// What it saw when the level last moved.
    seen: Option<String>,
}

/// The rules that are on at the level of `state`, but for the counts that have a meter.
pub fn rules(view: &View<'_>, policy: &Policy, state: &SystemState) -> Markup {
    let level = state.current_level;
    let newest = newest(view, state);
    let evidence = newest.and_then(|record| record.evidence.as_ref());
    let (falls, recoveries) = (falls(view, policy, state, evidence), recoveries(policy, level, evidence));
    if falls.is_empty() && recoveries.is_empty() {
        return html! {};
    }
    html! {
        @if let (true, Some(worse)) = (policy.needs_count_and_rate() && !falls.is_empty(), level.worse()) {
            p { "Count and failure rate lead to level " (worse) " only together." }
        }
        div.wide #rules tabindex="0" role="region" aria-label="Table of rules" {
            table {
                caption {
                    @match newest.zip(evidence) {
                        Some((record, evidence)) => {
                            "The last column is what was counted at level " (evidence.level)
                            " when the level last moved, " (moment_and_distance(record.at, view.now))
                            ". What is counted since shows at the next move."
                        },
                        None => "The level was last moved without any counting, so there are no numbers to show.",
                    }
                }
                thead {
                    tr {
                        @for title in ["Rule", "Leads to", "Needs"] { th scope="col" { (title) } }
                        @if evidence.is_some() { th scope="col" { "Counted then" } }
                    }
                }
                tbody {
                    @for (rules, to) in [(&falls, level.worse()), (&recoveries, level.better())] {
                        @for Rule { what, needs, seen } in rules {
                            tr {
                                th scope="row" { (what) }
                                td { @if let Some(to) = to { "level " (to) } }
                                td { (needs) }
                                @if evidence.is_some() { td { (seen.as_deref().unwrap_or("–")) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The record of the transition that led to `state`, where the history has it.
fn newest<'a>(view: &View<'a>, state: &SystemState) -> Option<&'a TransitionRecord> {
    let history = view.history?.as_ref().ok()?;
    history.records.first().filter(|record| record.epoch == state.epoch)
}

fn falls(view: &View<'_>, policy: &Policy, state: &SystemState, evidence: Option<&EvidenceSummary>) -> Vec<Rule> {
    if state.current_level.worse().is_none() {
        return Vec::new();
    }
    let calls = match state.active_ramp(view.now) {
        Some(_) => format!("{} calls during the ramp", policy.ramp_minimum_calls()),
        None => format!("{} calls", policy.minimum_calls()),
    };
    let within = span(policy.rate_window().as_secs().unsigned_abs());
    let rate = policy.failure_rate_percent().map(|percent| Rule {
        what: "Failure rate",
        needs: format!("{percent} % failures among at least {calls} within {within}"),
        seen: evidence.map(|seen| format!("{} of {} calls", seen.rate.failed, seen.rate.calls)),
    });
    let run = policy.consecutive_failures().map(|threshold| Rule {
        what: "Failures in a row",
        needs: format!("the newest {threshold} calls failed, none succeeded"),
        seen: evidence.map(|seen| seen.consecutive_failures.to_string()),
    });
    let slow = policy.slow_call_rate_percent().zip(policy.slow_call()).map(|(percent, slow)| Rule {
        what: "Slow calls",
        needs: format!("{percent} % take {} ms or longer among at least {calls} within {within}", slow.as_millis()),
        seen: evidence.map(|seen| format!("{} of {} calls", seen.rate.slow, seen.rate.calls)),
    });
    [rate, run, slow].into_iter().flatten().collect()
}

fn recoveries(policy: &Policy, level: Level, evidence: Option<&EvidenceSummary>) -> Vec<Rule> {
    let Some(better) = level.better().filter(|_| policy.probes(level)) else { return Vec::new() };
    let percent = policy.failure_rate_percent().unwrap_or_default();
    let (calls, name) = (policy.probe_calls(), better.service_type());
    vec![Rule {
        what: "Probes",
        needs: format!("{calls} probes of level {better}, {name}, less than {percent} % failed or slow"),
        seen: evidence
            .and_then(|seen| seen.probes)
            .map(|probes| format!("{} of {calls} probes, {} failed", probes.calls, probes.failed)),
    }]
}
