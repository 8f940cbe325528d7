//! Reports as a table.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use crate::report::Report;

const COLUMNS: [&str; 11] = [
    "policy",
    "requests/s",
    "seed",
    "failed",
    "declined",
    "p99 wait",
    "transitions",
    "s at 1",
    "s at 2",
    "s at 3",
    "s in vain",
];

/// The reports as a table, in Markdown. Seconds in vain are those below level 1 while it was in good health;
/// `+` those by which ramps kept callers from it.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for report in reports {
        let stay = &report.seconds_at_level;
        table.add_row([
            report.policy.clone(),
            report.requests_per_second.to_string(),
            report.seed.to_string(),
            format!("{:.2} %", report.failed_percent),
            format!("{:.2} %", report.declined_percent),
            format!("{} ms", report.p99_wait_milliseconds),
            report.transitions.to_string(),
            format!("{:.0}", stay.full),
            format!("{:.0}", stay.degraded),
            format!("{:.0}", stay.maintenance),
            format!("{:.0} + {:.0}", report.degraded_in_vain_seconds, report.ramped_in_vain_seconds),
        ]);
    }
    table.to_string()
}
