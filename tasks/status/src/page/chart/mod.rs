//! The picture: calls, failures and what the rules measure, with levels, transitions, holds and alarms on one time axis.
//!
//! It is drawn twice, for a wide and for a narrow screen, because a scaled picture would have unreadable text on a
//! phone. The style sheet shows one of the two.

mod bins;
mod draw;
mod scale;
mod spans;

use maud::{Markup, html};

use crate::query::Range;
use crate::traffic::Traffic;
use crate::view::View;

use super::text::clock;
use bins::{Bin, Measure, bins};
use draw::{Drawing, Size};

/// The picture and its numbers.
pub fn chart(view: &View<'_>) -> Markup {
    html! {
        section #chart data-live aria-labelledby="chart-title" {
            div.controls {
                h2 #chart-title { "Last " (hours(view.range)) }
                nav aria-label="Time range" {
                    @for range in Range::ALL {
                        @if range == view.range { strong { (hours(range)) } }
                        @else { a href={ "?hours=" (range.hours()) } { (hours(range)) } }
                        " "
                    }
                }
            }
            @match view.traffic {
                Ok(traffic) => (picture(view, traffic)),
                Err(error) => p.missing { strong { "The metrics cannot be read" } ": " (error) ". There is no picture without them." },
            }
        }
    }
}

fn hours(range: Range) -> &'static str {
    match range {
        Range::Hour => "hour",
        Range::SixHours => "6 hours",
        Range::Day => "24 hours",
    }
}

fn picture(view: &View<'_>, traffic: &Traffic) -> Markup {
    let bins = bins(traffic, view.range.step_minutes());
    let measure = Measure::of(view.policy, traffic, &bins);
    let drawing = Drawing { view, traffic, bins: &bins, measure: measure.as_ref() };
    let sum = |of: fn(&Bin) -> u64| bins.iter().map(of).fold(0_u64, u64::saturating_add);
    let legend = [
        ("failed", "failed", sum(Bin::failed)),
        ("fallback", "answered by a fallback", sum(|bin| bin.outcomes.fallbacks)),
        ("declined", "declined by design", sum(|bin| bin.outcomes.declined)),
        ("answered", "answered", sum(Bin::answered)),
    ];
    html! {
        figure {
            div.for-wide { (drawing.svg(&Size::WIDE)) }
            div.for-narrow { (drawing.svg(&Size::NARROW)) }
            figcaption {
                @for (class, name, count) in legend {
                    span.key { span class={ "swatch " (class) } {} (count) " " (name) }
                    " "
                }
                span { "▼ fall ▲ recovery ◆ operator. Times in UTC." }
            }
        }
        details #numbers {
            summary { "The numbers of the picture" }
            (numbers(view, &bins, measure.as_ref()))
        }
    }
}

/// The steps in which something happened, newest first.
fn numbers(view: &View<'_>, bins: &[Bin], measure: Option<&Measure>) -> Markup {
    let values = measure.map(|measure| measure.values.as_slice()).unwrap_or_default();
    let unit = measure.map_or("", |measure| measure.unit);
    let steps = bins.iter().zip(values.iter().map(Some).chain(std::iter::repeat(None)));
    let steps: Vec<_> = steps.filter(|(bin, _)| bin.requests() > 0 || bin.level.is_some()).collect();
    html! {
        div.wide #numbers-table tabindex="0" role="region" aria-label="Table of the numbers" {
            table {
                caption { "In steps of " (view.range.step_minutes()) " min, newest first. Steps without a call are left out." }
                thead {
                    tr {
                        @for title in ["From", "Requests", "Failed", "Fallback", "Declined", "Level"] { th scope="col" { (title) } }
                        @if let Some(measure) = measure { th scope="col" { (measure.title) } }
                    }
                }
                tbody {
                    @for (bin, value) in steps.iter().rev() {
                        tr {
                            td { (clock(bin.start)) }
                            td { (bin.requests()) }
                            td { (bin.failed()) }
                            td { (bin.outcomes.fallbacks) }
                            td { (bin.outcomes.declined) }
                            td { @if let Some(level) = bin.level { (level) } @else { "–" } }
                            @if let Some(value) = value { td { (value) (unit) } }
                        }
                    }
                }
            }
        }
    }
}
