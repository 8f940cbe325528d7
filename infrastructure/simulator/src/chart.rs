//! Draws reports as a chart: the level, the failures and the declined requests over time.

use breaker::Level;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use thiserror::Error;

use crate::report::{Point, Report, percent};

/// Size of the chart, in pixels.
const SIZE: (u32, u32) = (960, 600);
const TROUBLE: RGBColor = RGBColor(250, 228, 220);
/// Colours that people with colour blindness can distinguish too.
const COLOURS: [RGBColor; 4] =
    [RGBColor(213, 94, 0), RGBColor(0, 114, 178), RGBColor(0, 158, 115), RGBColor(120, 120, 120)];

/// A chart that cannot be drawn.
#[derive(Debug, Error)]
#[error("the chart cannot be drawn: {0}")]
pub struct ChartError(String);

type Panel<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Returns an SVG chart of level, failures and declined requests over time, from reports about the same scenario.
///
/// # Errors
/// Drawing fails.
pub fn chart(title: &str, reports: &[Report]) -> Result<String, ChartError> {
    let mut svg = String::new();
    draw(title, reports, &mut svg).map_err(|error| ChartError(error.to_string()))?;
    Ok(svg)
}

fn draw(title: &str, reports: &[Report], svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(title, ("sans-serif", 16))?;
    let (upper, lower) = area.split_vertically(220);
    let (middle, lower) = lower.split_vertically(170);
    let minutes = reports.iter().map(|report| f64::from(report.seconds) / 60.0).fold(1.0, f64::max);
    draw_levels(&upper, reports, minutes)?;
    let failed = Shares { name: "% failed for callers", below: None, legend: true, of: |point| point.failed };
    draw_shares(&middle, reports, minutes, &failed)?;
    let below = Some("minutes (shaded: level 1 is in trouble)");
    draw_shares(
        &lower,
        reports,
        minutes,
        &Shares { name: "% declined by design", below, legend: false, of: |point| point.declined },
    )?;
    area.present()?;
    Ok(())
}

fn draw_levels(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    reports: &[Report],
    minutes: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    // Level 1 is on top, because it is the best.
    let mut panel = ChartBuilder::on(area)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(20)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..minutes, -3.3..-0.7)?;
    shade(&mut panel, reports, -3.3, -0.7)?;
    panel
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&whole)
        .y_labels(3)
        .y_label_formatter(&|level| format!("{:.0}", -level))
        .y_desc("level")
        .draw()?;
    for (place, (report, colour)) in reports.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let steps = steps(report, offset(place));
        panel.draw_series(LineSeries::new(steps, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// Draws a share of the requests over time.
struct Shares {
    name: &'static str,
    below: Option<&'static str>,
    legend: bool,
    of: fn(&Point) -> u64,
}

fn draw_shares(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    reports: &[Report],
    minutes: f64,
    shares: &Shares,
) -> Result<(), Box<dyn std::error::Error>> {
    let share = |point: &Point| percent((shares.of)(point), point.requests);
    let most = reports.iter().flat_map(|report| report.timeline.iter().map(share)).fold(1.0, f64::max);
    let mut panel = ChartBuilder::on(area)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(if shares.below.is_some() { 36 } else { 20 })
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..minutes, 0.0..most * 1.05)?;
    shade(&mut panel, reports, 0.0, most * 1.05)?;
    panel
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&whole)
        .y_labels(5)
        .y_label_formatter(&whole)
        .x_desc(shares.below.unwrap_or_default())
        .y_desc(shares.name)
        .draw()?;
    for (report, colour) in reports.iter().zip(COLOURS.iter().cycle()) {
        let line = report.timeline.iter().map(|point| (f64::from(point.second) / 60.0, share(point)));
        panel
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(report.policy.clone())
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    if shares.legend {
        panel
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
    }
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what the charts ask for")]
fn whole(number: &f64) -> String {
    format!("{number:.0}")
}

/// Shades the time in which level 1 is not healthy.
fn shade(
    panel: &mut Panel<'_, '_>,
    reports: &[Report],
    bottom: f64,
    top: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let Some(report) = reports.first() else { return Ok(()) };
    let timeline = &report.timeline;
    let end = f64::from(report.seconds) / 60.0;
    let minute = |point: Option<&Point>| point.map_or(end, |point| f64::from(point.second) / 60.0);
    for stretch in timeline.chunk_by(|a, b| a.healthy == b.healthy).filter(|s| s.iter().all(|point| !point.healthy)) {
        let after = stretch.last().and_then(|last| timeline.iter().find(|point| point.second > last.second));
        let corners = [(minute(stretch.first()), bottom), (minute(after), top)];
        panel.draw_series([Rectangle::new(corners, TROUBLE.filled())])?;
    }
    Ok(())
}

/// Returns the level over time as a line with steps.
fn steps(report: &Report, offset: f64) -> Vec<(f64, f64)> {
    let height = |level: Level| -f64::from(level.number()) + offset;
    let mut line = vec![(0.0, height(Level::Full))];
    for step in &report.moves {
        let minute = step.second / 60.0;
        line.extend([(minute, height(step.from)), (minute, height(step.to))]);
    }
    let level = report.moves.last().map_or(Level::Full, |step| step.to);
    line.push((f64::from(report.seconds) / 60.0, height(level)));
    line
}

/// Returns the offset of a line, so that lines of the same level do not cover each other.
fn offset(place: usize) -> f64 {
    u32::try_from(place).map_or(0.0, |place| f64::from(place) * 0.06)
}
