//! The arithmetic for people.

use operate::terminal::{Line, Tone};

use super::situation::{BURST, CAP, LEVEL_2, RATE};
use super::{CONTROL_PLANE, Capacity, Derived, HEALTHY_MS};

/// Returns the arithmetic, a line for each part of the sum.
#[must_use]
pub fn lines(capacity: &Capacity) -> Vec<Line> {
    let Capacity { requests_per_second: rate, burst, .. } = *capacity;
    let admitted = |milliseconds: u64| format!("{burst} + {rate} a second × {} s", seconds(milliseconds));
    let reserved = |number: u32| if number > 0 { "reserved" } else { "not reserved" };
    let control_plane = format!(
        "{CONTROL_PLANE} functions × {}, {}",
        capacity.control_plane / CONTROL_PLANE,
        reserved(capacity.control_plane_concurrency)
    );
    let level_1 = match capacity.level_1_cap {
        Some(cap) if capacity.level_1 == 0 => format!("its own {cap} reserved executions are not counted here"),
        Some(_) => format!("its maximum, reserved; a healthy level 1 needs {}", admitted(HEALTHY_MS)),
        None => format!(
            "{}: no maximum, and a call counts until the function's own timeout",
            admitted(capacity.level_1_milliseconds)
        ),
    };
    let waiting = admitted(capacity.controller_milliseconds);
    let controllers = match capacity.level_1_cap {
        Some(cap) if capacity.controllers < cap.saturating_add(capacity.healthy_level_1) => waiting,
        Some(cap) => format!(
            "{} that level 1 holds (maximum {cap}), and {}",
            capacity.controllers - capacity.healthy_level_1,
            admitted(HEALTHY_MS)
        ),
        None => waiting,
    };
    let mut rows = vec![
        ("other functions", capacity.others, "a tenth".to_owned()),
        ("control plane", capacity.control_plane, control_plane),
        ("status", capacity.status, "its burst, and its rate in that time".to_owned()),
        ("level 1", capacity.level_1, level_1),
        ("controllers", capacity.controllers, controllers),
        ("level 2", capacity.level_2, "one for each controller, or its own maximum".to_owned()),
    ];
    if capacity.level_3 > 0 {
        rows.push(("level 3", capacity.level_3, "its maximum, reserved".to_owned()));
    }
    rows.push(("together", capacity.needed, format!("of {}", capacity.available)));
    let heading = Line::toned(
        Tone::Strong,
        format!(
            "Concurrent executions while level 1 hangs, of {} that other functions do not reserve",
            capacity.available
        ),
    );
    let rows = rows
        .into_iter()
        .map(|(what, number, why)| Line::from(format!("  {what:<16} {number:>6}  ")).and(Tone::Faint, why));
    let derived = capacity.derived.iter().filter(|one| !one.lowers()).map(|one| {
        Line::from(format!("  {} = {} follows from this ({} by default)", one.key, one.value, one.instead_of))
    });
    std::iter::once(heading).chain(rows).chain(derived).collect()
}

/// Returns what does not hold, and the throttles that are lower than the default.
#[must_use]
pub fn warnings(capacity: &Capacity) -> Vec<String> {
    let lowered = capacity.derived.iter().filter(|one| one.lowers()).map(|Derived { key, value, instead_of }| {
        format!(
            "{key} is lowered from {instead_of} (the default) to {value}, which holds while level 1 hangs: the API refuses \
             what is above it with 429. Set {key} in the file to fix the number"
        )
    });
    lowered.chain((!capacity.holds).then(|| does_not_hold(capacity))).collect()
}

fn does_not_hold(capacity: &Capacity) -> String {
    let Capacity { available, needed, level_1, level_2, controllers, healthy_level_1, .. } = *capacity;
    let mut reasons = Vec::new();
    if let Some(enough) = capacity.would_hold_with {
        reasons.push(format!(
            "{available} concurrent executions are available, and it would hold with {enough}. Have the account's limit \
             raised by {}",
            enough - available
        ));
    } else {
        if let Some(cap) = capacity.level_1_cap.filter(|cap| *cap < healthy_level_1) {
            let of_whom = if level_1 == 0 { "the reserved concurrency of services.full" } else { CAP };
            reasons.push(format!("{of_whom} is {cap}, and a healthy level 1 needs {healthy_level_1}"));
        }
        if level_2 < controllers {
            reasons.push(format!("{LEVEL_2} is {level_2}, and level 2 needs {controllers}"));
        }
        if needed > available {
            reasons.push(format!("{needed} concurrent executions are needed, and {available} are available"));
        }
    }
    format!(
        "{RATE} = {} and {BURST} = {} do not hold while level 1 hangs, and nothing is derived: Lambda would throttle this \
         deployment or the account's other functions. {}, or lower {RATE} and {BURST}",
        capacity.requests_per_second,
        capacity.burst,
        reasons.join("; ")
    )
}

impl Derived {
    /// Whether the value lowers the throttle.
    fn lowers(&self) -> bool {
        [RATE, BURST].contains(&self.key.as_str())
    }
}

fn seconds(milliseconds: u64) -> String {
    let text = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
