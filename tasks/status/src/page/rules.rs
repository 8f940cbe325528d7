//! The part of the page with the rules that are on: what each needs, and what the metrics show now. It decides nothing:
//! the rules are in `trip.rs` and `recovery.rs` of the crate `breaker`.

use breaker::{Level, Policy, SystemState};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::headline::Brake;
use super::text::{moment_and_distance, span};
use crate::observed::percent;
use crate::rules::{ProbingStatus, refusal_advice};
use crate::traffic::{Outcomes, Traffic, minute_of};
use crate::view::View;

/// One rule that is on.
struct Rule {
    what: &'static str,
    leads_to: Level,
    /// The condition under which the rule holds.
    needs: String,
    /// What the metrics show now.
    now: Option<String>,
}

/// The rules at the level of the state.
pub fn rules(view: &View<'_>) -> Markup {
    let Some(state) = view.state() else { return html! {} };
    let rules: Vec<Rule> = falls(view, state).into_iter().chain(recoveries(view, state)).collect();
    html! {
        section #rules data-live aria-labelledby="rules-title" {
            h2 #rules-title { "What would move the level" }
            @match Brake::of(view) {
                Some(Brake::Hold(_)) => p { strong { "Nothing while the hold lasts." } " The rules show what would move it." },
                Some(Brake::ObserveOnly) => p { strong { "Nothing: automation only observes." } " The rules show what would move it." },
                None => {},
            }
            @if view.policy.needs_count_and_rate() { p { "Count and failure rate lead to the next level only together." } }
            div.wide #rules-table tabindex="0" role="region" aria-label="Table of rules" {
                table {
                    caption { "By the metrics, to the minute; evaluations count by the second." }
                    thead { tr { @for title in ["Rule", "Now", "Needs", "Leads to"] { th scope="col" { (title) } } } }
                    tbody {
                        @for Rule { what, leads_to, needs, now } in &rules {
                            tr {
                                th scope="row" { (what) }
                                td { (now.as_deref().unwrap_or("–")) }
                                td { (needs) }
                                td { "level " (leads_to) ", " (leads_to.service_type()) }
                            }
                        }
                    }
                }
            }
            (probing(view, state))
        }
    }
}

/// The calls of a level since the minute of `from`.
fn calls(traffic: &Traffic, level: Level, from: Timestamp) -> Outcomes {
    traffic.since(minute_of(from)).fold(Outcomes::default(), |mut sum, minute| {
        sum.add(minute.levels.get(&level).unwrap_or(&Outcomes::default()));
        sum
    })
}

fn falls(view: &View<'_>, state: &SystemState) -> Vec<Rule> {
    let (policy, level, traffic) = (view.policy, state.current_level, view.traffic.ok());
    let Some(leads_to) = level.worse() else { return Vec::new() };
    let within = |window: Option<SignedDuration>| {
        window.map(|window| format!(" within {}", span(window.as_secs().unsigned_abs()))).unwrap_or_default()
    };
    // Outcomes count from the beginning of the evidence, and not for longer than the window.
    let since = |window: Option<SignedDuration>| {
        let begins = state.evidence_begins(view.now);
        window.and_then(|window| view.now.checked_sub(window).ok()).map_or(begins, |start| start.max(begins))
    };
    let threshold = if level == Level::Full { policy.level_1_failures() } else { policy.level_2_failures() };
    let count = (threshold > 0).then(|| Rule {
        what: "Failures",
        leads_to,
        needs: format!("{threshold}{}", within(policy.window())),
        now: traffic.map(|traffic| {
            let carried = state.carried_at(policy, view.now);
            calls(traffic, level, since(policy.window())).failures.saturating_add(carried).to_string()
        }),
    });
    let minimum =
        if state.active_ramp(view.now).is_some() { policy.ramp_minimum_calls() } else { policy.minimum_calls() };
    let rate = policy.failure_rate_percent().map(|needed| Rule {
        what: "Failure rate",
        leads_to,
        needs: format!("{needed} % of at least {minimum} calls{}", within(Some(policy.rate_window()))),
        now: traffic.map(|traffic| {
            let sum = calls(traffic, level, since(Some(policy.rate_window())));
            format!("{} % of {} calls", percent(sum.failures, sum.calls()), sum.calls())
        }),
    });
    let run = policy.consecutive_failures().map(|needed| Rule {
        what: "Consecutive failures",
        leads_to,
        needs: format!("the newest {needed} calls failed, none succeeded"),
        now: traffic.map(|traffic| {
            let since = since(policy.window());
            let run = consecutive_failures(traffic, level, since);
            // A minute does not show the order of its calls, so with failures the number is a minimum.
            if calls(traffic, level, since).failures == 0 { "0".to_owned() } else { format!("at least {run}") }
        }),
    });
    let slow = policy.slow_call_rate_percent().zip(policy.slow_call()).map(|(needed, slow)| Rule {
        what: "Slow calls",
        leads_to,
        needs: format!("{needed} % of at least {minimum} calls take {} ms or longer", slow.as_millis()),
        now: traffic.map(|traffic| {
            let sum = calls(traffic, level, since(Some(policy.rate_window())));
            format!("{} % of {} calls", percent(sum.slow, sum.calls()), sum.calls())
        }),
    });
    [count, rate, run, slow].into_iter().flatten().collect()
}

fn recoveries(view: &View<'_>, state: &SystemState) -> Option<Rule> {
    let (policy, level, traffic) = (view.policy, state.current_level, view.traffic.ok());
    let leads_to = level.better()?;
    let idle = state.probing.is_some_and(|probing| probing.idle_since.is_some());
    if policy.probes(level) && !policy.observes_only() && !idle {
        let since = state.probing.map(|probing| probing.percent_since);
        return Some(Rule {
            what: "Probes",
            leads_to,
            needs: format!(
                "{} probes of level {leads_to}, less than {} % failed or slow",
                policy.probe_calls(),
                policy.failure_rate_percent().unwrap_or_default()
            ),
            now: traffic.zip(since).map(|(traffic, since)| {
                let sum = calls(traffic, leads_to, since);
                format!("{} probes, {} failed", sum.calls(), sum.failures)
            }),
        });
    }
    let needed = if level == Level::Maintenance { policy.level_3_successes() } else { policy.level_2_successes() };
    Some(Rule {
        what: "Consecutive successes",
        leads_to,
        needs: needed.to_string(),
        now: traffic.map(|traffic| format!("at least {}", streak(traffic, level, state.evidence_begins(view.now)))),
    })
}

/// Returns a lower bound of the streak, because a minute does not show the order of its calls.
fn streak(traffic: &Traffic, level: Level, from: Timestamp) -> u64 {
    outcomes(traffic, level, from).fold(0, |run: u64, outcomes| match outcomes {
        Outcomes { successes, failures: 0, .. } => run.saturating_add(successes),
        Outcomes { successes, failures, .. } => successes.div_ceil(failures.saturating_add(1)),
    })
}

/// Returns the failures since the last minute with a success. Those in that minute do not count, because its order is
/// unknown.
fn consecutive_failures(traffic: &Traffic, level: Level, from: Timestamp) -> u64 {
    outcomes(traffic, level, from).fold(0, |run: u64, outcomes| match outcomes {
        Outcomes { failures, successes: 0, .. } => run.saturating_add(failures),
        _ => 0,
    })
}

/// The outcomes of a level in each minute since `from`, in order.
fn outcomes(traffic: &Traffic, level: Level, from: Timestamp) -> impl Iterator<Item = Outcomes> {
    traffic.since(minute_of(from)).map(move |minute| minute.levels.get(&level).copied().unwrap_or_default())
}

/// How the better level is probed.
fn probing(view: &View<'_>, state: &SystemState) -> Markup {
    let policy: &Policy = view.policy;
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
                (status.percent_of_safe_requests) " % of the GET and HEAD requests try level " (better) ", since "
                (moment_and_distance(status.since, view.now)) "; at most " (policy.probe_limit_per_second())
                " a second from each environment of the controller."
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
