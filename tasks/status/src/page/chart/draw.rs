//! Draws the picture as SVG.

use std::fmt::Write as _;

use breaker::{Level, TransitionRecord, TransitionRequest};
use maud::{Markup, html};

use super::bins::{Bin, Measure};
use super::scale::{CountScale, TimeScale, nice_maximum};
use super::spans::{Span, alarms, holds, levels, levels_by_controllers};
use crate::page::text::clipped;
use crate::query::Range;
use crate::traffic::Traffic;
use crate::view::View;

/// Heights, from the top: the row of the marks, the calls, the measure, and each strip.
const MARKS: i64 = 18;
const CALLS: i64 = 170;
const MEASURE: i64 = 66;
const GAP: i64 = 20;
const STRIP: i64 = 17;
/// Maximum number of alarms in the picture. The page's list has all alarms that are on.
const ALARM_ROWS: usize = 4;
/// Maximum size of a name in a strip, in bytes.
const NAME_BYTES: usize = 40;
/// Width of a character, for texts that must fit.
const CHARACTER: i64 = 7;

/// The screen that a picture is for.
pub struct Size {
    name: &'static str,
    width: i64,
    left: i64,
    right: i64,
}

impl Size {
    /// The screen of a computer.
    pub const WIDE: Self = Self { name: "wide", width: 1_000, left: 48, right: 990 };
    /// The screen of a phone.
    pub const NARROW: Self = Self { name: "narrow", width: 360, left: 34, right: 354 };

    /// Minutes between two labels of the time axis.
    const fn tick_minutes(&self, range: Range) -> i64 {
        match (range, self.width > 500) {
            (Range::Hour, true) => 5,
            (Range::Hour, false) => 15,
            (Range::SixHours, true) => 30,
            (Range::SixHours, false) => 90,
            (Range::Day, true) => 120,
            (Range::Day, false) => 360,
        }
    }
}

/// A class of the style sheet, and the requests that it colours.
type Layer = (&'static str, fn(&Bin) -> u64);

/// The content of the picture.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    pub view: &'a View<'a>,
    pub traffic: &'a Traffic,
    pub bins: &'a [Bin],
    pub measure: Option<&'a Measure>,
}

impl Drawing<'_> {
    /// Returns the picture for a screen.
    pub fn svg(&self, size: &Size) -> Markup {
        let Self { view, traffic, .. } = *self;
        let time = TimeScale::new(traffic.from, traffic.until, size.left, size.right);
        let calls_bottom = MARKS + CALLS;
        let measured_bottom = calls_bottom + if self.measure.is_some() { GAP + MEASURE } else { 0 };
        let records = view.records.map(|records| records.transitions.as_slice()).unwrap_or_default();
        let commands = view.records.map(|records| records.commands.as_slice()).unwrap_or_default();
        let holds: Vec<_> = holds(commands).into_iter().filter(|hold| hold.until > traffic.from).collect();
        let (all, changes) = (view.alarms.map(Vec::as_slice), view.changes.map(Vec::as_slice));
        let rows = alarms(all.unwrap_or_default(), changes.unwrap_or_default(), traffic.from, traffic.until);
        let rows = rows.get(..ALARM_ROWS).unwrap_or(&rows);
        let strips_top = measured_bottom + 6;
        let strip_count = i64::from(!holds.is_empty()) + i64::try_from(rows.len()).unwrap_or_default();
        let axis = strips_top + strip_count * STRIP;
        let height = axis + 18;
        let title = format!("chart-{}", size.name);
        html! {
            svg role="img" aria-labelledby=(title) viewBox={ "0 0 " (size.width) " " (height) } {
                title id=(title) {
                    "Requests and failures by time, with level, transitions, holds and alarms. The table below has the numbers."
                }
                (self.bands(&time, measured_bottom))
                (self.calls(size, &time))
                @if let Some(measure) = self.measure { (self.measured(measure, size, &time, calls_bottom + GAP)) }
                @let holds_row = i64::from(!holds.is_empty());
                @if holds_row > 0 { (hold_strip(&holds, &time, strips_top)) }
                @for (index, (name, spans)) in (holds_row..).zip(rows) {
                    (alarm_strip(name, spans, &time, strips_top + index * STRIP))
                }
                (transitions(records, &time, measured_bottom))
                @for tick in time.ticks(size.tick_minutes(view.range)) {
                    text.tick x=(time.x(tick)) y=(axis + 14) text-anchor="middle" { (tick.strftime("%H:%M")) }
                }
            }
        }
    }

    /// The level as a band behind everything.
    fn bands(&self, time: &TimeScale, bottom: i64) -> Markup {
        let records = self.view.records.ok().filter(|records| !records.transitions.is_empty());
        let spans = match records {
            Some(records) => levels(&records.transitions, self.traffic.from, self.traffic.until),
            None => levels_by_controllers(self.traffic),
        };
        html! {
            @for Span { from, until, what: level } in spans.iter().filter(|span| span.what > Level::Full) {
                @let (x, width) = (time.x(*from), time.x(*until) - time.x(*from));
                rect class={ "band-" (level) } x=(x) y=(MARKS) width=(width.max(2)) height=(bottom - MARKS) {}
                @let name = format!("{level} {}", level.service_type());
                @if width > CHARACTER * i64::try_from(name.len()).unwrap_or_default() {
                    text.band x=(x + 4) y=(MARKS + 12) { (name) }
                } @else if width > 2 * CHARACTER {
                    text.band x=(x + 4) y=(MARKS + 12) { (level) }
                }
            }
        }
    }

    /// The requests, stacked: failures at the bottom, where they can be compared.
    fn calls(&self, size: &Size, time: &TimeScale) -> Markup {
        let bottom = MARKS + CALLS;
        let maximum = nice_maximum(self.bins.iter().map(Bin::requests).max().unwrap_or_default());
        let counts = CountScale::new(maximum, MARKS + 16, bottom);
        let layers: [Layer; 4] = [
            ("failed", Bin::failed),
            ("fallback", |bin| bin.outcomes.fallbacks),
            ("declined", |bin| bin.outcomes.declined),
            ("answered", Bin::answered),
        ];
        let mut below = vec![0_u64; self.bins.len()];
        let paths: Vec<(&str, String)> = layers
            .into_iter()
            .map(|(class, of)| {
                let mut path = String::new();
                for (bin, below) in self.bins.iter().zip(&mut below) {
                    let count = of(bin);
                    let (low, high) = (counts.y(*below), counts.y(below.saturating_add(count)));
                    *below = below.saturating_add(count);
                    if count > 0 {
                        let (x, end) = (time.x(bin.start), time.x(bin.end));
                        // At least a pixel, so that one failure of thousands is seen.
                        let (width, height) = ((end - x - 1).max(1), (low - high).max(1));
                        // Writing to a string cannot fail.
                        let _ = write!(path, "M{x} {low}h{width}v-{height}h-{width}z");
                    }
                }
                (class, path)
            })
            .collect();
        html! {
            path.axis d={ "M" (size.left) " " (bottom) "H" (size.right) } {}
            @for (class, path) in paths.iter().rev() { @if !path.is_empty() { path class=(class) d=(path) {} } }
            text.tick x=(size.left - 4) y=(counts.y(maximum) + 4) text-anchor="end" { (short(maximum)) }
            text.tick x=(size.left - 4) y=(bottom) text-anchor="end" { "0" }
            text.tick x="0" y="11" { "Requests / " (self.view.range.step_minutes()) " min" }
        }
    }

    /// What the rules measure, with the thresholds as lines.
    fn measured(&self, measure: &Measure, size: &Size, time: &TimeScale, top: i64) -> Markup {
        let counts = CountScale::new(measure.maximum(), top, top + MEASURE);
        let mut path = format!("M{} {}", size.left, counts.y(0));
        for (bin, value) in self.bins.iter().zip(&measure.values) {
            let _ = write!(path, "V{}H{}", counts.y(*value), time.x(bin.end));
        }
        html! {
            path.axis d={ "M" (size.left) " " (top + MEASURE) "H" (size.right) } {}
            @for (count, level) in &measure.thresholds {
                path.threshold d={ "M" (size.left) " " (counts.y(*count)) "H" (size.right) } {}
                text.tick x=(size.left - 4) y=(counts.y(*count) + 4) text-anchor="end" { (count) (measure.unit) }
                text.tick x=(size.right) y=(counts.y(*count) - 3) text-anchor="end" { "→ level " (level) }
            }
            path.measure d=(path) {}
            text.tick x="0" y=(top - 6) { (measure.title) }
        }
    }
}

/// A count in few characters.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn hold_strip(holds: &[Span<(Level, &str)>], time: &TimeScale, top: i64) -> Markup {
    html! {
        @for Span { from, until, what: (level, who) } in holds {
            @let (x, width) = (time.x(*from), (time.x(*until) - time.x(*from)).max(3));
            rect.hold x=(x) y=(top + 2) width=(width) height=(STRIP - 4) {}
            (label(&format!("hold at {level}, {who}"), x, width, top))
        }
    }
}

fn alarm_strip(name: &str, spans: &[Span<()>], time: &TimeScale, top: i64) -> Markup {
    let first =
        spans.iter().map(|span| (time.x(span.from), time.x(span.until))).max_by_key(|(from, until)| until - from);
    html! {
        @for Span { from, until, .. } in spans {
            rect.alarm x=(time.x(*from)) y=(top + 2) width=((time.x(*until) - time.x(*from)).max(3)) height=(STRIP - 4) {}
        }
        @if let Some((x, end)) = first { (label(name, x, (end - x).max(3), top)) }
    }
}

/// A text inside a strip, or to the left or right of the strip if there is no room.
fn label(text: &str, x: i64, width: i64, top: i64) -> Markup {
    let text = clipped(text, NAME_BYTES);
    let length = CHARACTER * i64::try_from(text.chars().count()).unwrap_or_default();
    let y = top + STRIP - 5;
    html! {
        @if length < width { text.inside x=(x + 4) y=(y) { (text) } }
        @else if x > length + 40 { text.tick x=(x - 4) y=(y) text-anchor="end" { (text) } }
        @else { text.tick x=(x + width + 4) y=(y) { (text) } }
    }
}

/// A line for each transition, and a mark whose shape distinguishes falls, recoveries and operators' moves.
fn transitions(records: &[TransitionRecord], time: &TimeScale, bottom: i64) -> Markup {
    let mut lines = String::new();
    let mut marks = String::new();
    for record in records.iter().filter(|record| time.contains(record.at) && record.from != record.to) {
        let x = time.x(record.at);
        let _ = write!(lines, "M{x} {MARKS}V{bottom}");
        let _ = match &record.request {
            Some(TransitionRequest::Force(_) | TransitionRequest::Release(_)) => {
                write!(marks, "M{x} {}l6 6-6 6-6-6z", MARKS - 13)
            }
            _ if record.to > record.from => write!(marks, "M{} {}h12l-6 10z", x - 6, MARKS - 12),
            _ => write!(marks, "M{} {}h12l-6-10z", x - 6, MARKS - 2),
        };
    }
    html! {
        @if !lines.is_empty() { path.moved d=(lines) {} path.mark d=(marks) {} }
    }
}
