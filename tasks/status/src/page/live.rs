//! The live numbers: the calls of each level in the last minutes.

use maud::{Markup, html};

use super::text::span;
use crate::observed::percent;
use crate::view::View;

/// The calls of each level.
pub fn live(view: &View<'_>) -> Markup {
    let Some(observed) = view.observed() else { return html! {} };
    html! {
        section #live data-live aria-labelledby="live-title" {
            h2 #live-title { "Calls by level" }
            @if observed.levels.is_empty() { p { "None in the last minutes." } }
            @else {
                div.wide #live-table tabindex="0" role="region" aria-label="Table of calls by level" {
                    table {
                        caption { "In the last two to three minutes." }
                        thead {
                            tr {
                                @for title in ["Level", "Calls / s", "Failed", "Fallback", "Declined"] {
                                    th scope="col" { (title) }
                                }
                            }
                        }
                        tbody {
                            @for calls in &observed.levels {
                                tr {
                                    th scope="row" { (calls.level) " " (calls.level.service_type()) }
                                    td { (format!("{:.1}", calls.calls_per_second)) }
                                    td { (calls.failures) " of " (calls.calls) " (" (percent(calls.failures, calls.calls)) " %)" }
                                    td { (calls.fallbacks) }
                                    td { (calls.declined) }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(state) = view.state() {
                p.soft {
                    "Epoch " (state.epoch) ", version " (state.version) ". Evidence counts for "
                    (span(view.now.duration_since(state.evidence_since).as_secs().unsigned_abs())) "."
                }
            }
        }
    }
}
