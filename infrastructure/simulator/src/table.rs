//! Reports as a table.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use crate::report::Report;

const COLUMNS: [&str; 10] = [
    "policy",
    "requests/s",
    "failed %",
    "declined %",
    "p99 wait ms",
    "transitions",
    "s at level 1",
    "s at level 2",
    "s at level 3",
    "unnecessary s",
];

/// The reports as a table, in Markdown: a row for each policy and rate. For several seeds it shows the mean and,
/// in brackets, the maximum. Unnecessary degradation is the time below level 1 while level 1 was healthy.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for of_one in reports.chunk_by(|a, b| (&a.policy, a.requests_per_second) == (&b.policy, b.requests_per_second)) {
        let Some(first) = of_one.first() else { continue };
        let cell = |decimals: usize, of: fn(&Report) -> f64| number(of_one, [decimals, decimals], of);
        table.add_row([
            first.policy.clone(),
            first.requests_per_second.to_string(),
            cell(2, |report| report.failed_percent),
            cell(1, |report| report.declined_percent),
            cell(0, |report| report.p99_wait_milliseconds.into()),
            // Only the mean of a count needs a decimal.
            number(of_one, [usize::from(of_one.len() > 1), 0], |report| report.transitions.into()),
            cell(0, |report| report.seconds_at_level.full),
            cell(0, |report| report.seconds_at_level.degraded),
            cell(0, |report| report.seconds_at_level.maintenance),
            cell(0, |report| report.unnecessary_degradation_seconds),
        ]);
    }
    table.trim_fmt()
}

/// Returns the mean and, for more than one value, the maximum, each with its decimals.
fn number(reports: &[Report], [decimals, of_highest]: [usize; 2], of: fn(&Report) -> f64) -> String {
    let numbers = reports.iter().map(of);
    let count = u32::try_from(reports.len()).unwrap_or(u32::MAX);
    let mean = numbers.clone().sum::<f64>() / f64::from(count.max(1));
    if count < 2 {
        return format!("{mean:.decimals$}");
    }
    format!("{mean:.decimals$} ({:.of_highest$})", numbers.fold(f64::MIN, f64::max))
}
