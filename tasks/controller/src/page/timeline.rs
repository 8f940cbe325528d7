//! The transitions, drawn and listed.

use std::fmt::Write as _;

use aws_edge::stores::state::Transitions;
use breaker::{Level, TransitionRecord, TransitionRequest};
use maud::{Markup, html};

use super::text::{clipped, moment};
use crate::status::History;

/// Bytes that a reason and a name may take in the table; the records have all of them.
const REASON_BYTES: usize = 150;
const WHO_BYTES: usize = 80;

/// Where the lanes begin, below their names, and how far a transition is from the next.
const LEFT: usize = 100;
const STEP: usize = 40;
/// Height of the lane of level 1, and how far the next is below.
const TOP: usize = 18;
const LANE: usize = 36;

/// The transitions as a drawing and a table.
pub fn transitions(history: Option<&History>) -> Markup {
    html! {
        section #transitions data-live aria-labelledby="transitions-title" {
            h2 #transitions-title { "Transitions" }
            @match history {
                None => {},
                Some(Err(problem)) => p { strong { "The transitions cannot be shown: " (problem) "." } },
                Some(Ok(Transitions { records, left_out })) => {
                    @if !records.is_empty() { (drawing(records)) (table(records)) }
                    @else if *left_out == 0 { p { "None yet." } }
                    @if *left_out > 0 {
                        p {
                            strong { "Records that make no sense and are left out: " (left_out) ". " }
                            "The log of this controller names them."
                        }
                    }
                },
            }
        }
    }
}

/// What asked for a transition, and who.
fn trigger(record: &TransitionRecord) -> (&'static str, &str) {
    match &record.request {
        None => ("first start", ""),
        Some(TransitionRequest::Alarm(request)) => ("alarm", &request.alarm.name),
        Some(TransitionRequest::Schedule(_)) => ("schedule", ""),
        Some(TransitionRequest::Force(request)) => ("force", &request.requested_by),
        Some(TransitionRequest::Release(request)) => ("release", &request.requested_by),
    }
}

fn table(records: &[TransitionRecord]) -> Markup {
    html! {
        div.wide #transitions-table tabindex="0" role="region" aria-label="Table of transitions" {
            table {
                caption { "Newest first, " (records.len()) " in all. Long texts are cut; the records have all." }
                thead {
                    tr { @for title in ["When", "Level", "Trigger", "Who", "Reason"] { th scope="col" { (title) } } }
                }
                tbody {
                    @for record in records {
                        @let (trigger, who) = trigger(record);
                        tr {
                            td { (moment(record.at)) }
                            td.moves { (record.from) " → " (record.to) }
                            td { (trigger) }
                            td.who { @if who.is_empty() { "–" } @else { (clipped(who, WHO_BYTES)) } }
                            td.text { (clipped(&record.reason, REASON_BYTES)) }
                        }
                    }
                }
            }
        }
    }
}

fn lane(level: Level) -> usize {
    TOP + LANE * usize::from(level.number() - 1)
}

/// A mark whose shape says what it was: an operator's diamond, a fall down, a recovery up, a start round.
fn mark(record: &TransitionRecord, x: usize) -> String {
    let y = lane(record.to);
    match &record.request {
        Some(TransitionRequest::Force(_) | TransitionRequest::Release(_)) => format!("M{x} {}l7 7-7 7-7-7z", y - 7),
        _ if record.to > record.from => format!("M{} {}h12l-6 10z", x - 6, y - 4),
        _ if record.to < record.from => format!("M{} {}h12l-6-10z", x - 6, y + 4),
        _ => format!("M{} {y}a5 5 0 1 0 10 0a5 5 0 1 0-10 0", x - 5),
    }
}

fn drawing(records: &[TransitionRecord]) -> Markup {
    let oldest_first = || records.iter().rev();
    let place = |index: usize| LEFT + STEP / 2 + STEP * index;
    let width = place(records.len());
    let height = lane(Level::Maintenance) + 48;
    let view_box = format!("0 0 {width} {height}");
    let mut steps = String::new();
    let mut marks = String::new();
    for (index, record) in oldest_first().enumerate() {
        let x = place(index);
        if index == 0 {
            // Where it came from, as far as is shown.
            steps = format!("M{LEFT} {}", lane(record.from));
        }
        // Writing to a string cannot fail.
        let _ = write!(steps, "H{x}V{}", lane(record.to));
        marks.push_str(&mark(record, x));
    }
    let _ = write!(steps, "H{width}");
    let mut day = String::new();
    let days: Vec<_> = oldest_first()
        .map(|record| {
            let this = record.at.strftime("%b %-d").to_string();
            (this != day).then(|| this.clone_into(&mut day)).map(|()| this)
        })
        .collect();
    html! {
        figure {
            div.wide #timeline tabindex="0" role="region" aria-label="Timeline of transitions" {
                svg role="img" aria-labelledby="drawing-title" width=(width) height=(height) viewBox=(view_box) {
                    title #drawing-title {
                        "Timeline of the newest transitions, " (records.len())
                        ", oldest left; the table below says the same in words."
                    }
                    @for level in Level::ALL {
                        path.lane d={ "M" (LEFT) " " (lane(level)) "H" (width) } {}
                        text x="0" y=(lane(level) + 4) { (level) " " (level.service_type()) }
                    }
                    path.steps d=(steps) {}
                    path d=(marks) {}
                    @for ((index, record), day) in oldest_first().enumerate().zip(days) {
                        text x=(place(index)) y=(height - 20) text-anchor="middle" { (record.at.strftime("%H:%M")) }
                        @if let Some(day) = day {
                            text x=(place(index)) y=(height - 5) text-anchor="middle" { (day) }
                        }
                    }
                }
            }
            figcaption { "▼ fall, ▲ recovery, ◆ operator, ● first start. Times in UTC; not to scale." }
        }
    }
}
