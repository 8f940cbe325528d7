//! The choice of throttle, cap and reservations.

use std::iter::once;

use super::{CONTROL_PLANE_EXECUTIONS, Capacity, FullService, HEALTHY_MS, Situation, Values, Wish};

/// More executions than any deployment needs.
const MOST: u64 = u32::MAX as u64;

/// Returns the largest rate that holds with any burst, and the largest burst that holds with that rate, with the
/// reservations that make them hold. What the file sets is kept. If nothing holds, the file's values and the defaults
/// stay.
#[must_use]
pub fn capacity(situation: &Situation) -> Capacity {
    best(situation).unwrap_or_else(|| {
        let full = match situation.full {
            FullService::Sample { cap } => cap.value,
            FullService::Own { .. } => 0,
        };
        let (rate, burst) = (situation.rate.value, situation.burst.value);
        let values = Values { rate, burst, control_plane: situation.control_plane.value, full };
        Capacity { would_hold_with: would_hold_with(situation), ..Capacity::new(situation, values) }
    })
}

/// A larger burst never needs fewer executions, so a rate holds if it holds with the smallest burst.
fn best(situation: &Situation) -> Option<Capacity> {
    let smallest_burst = if situation.burst.set { situation.burst.value } else { 1 };
    let rate = choices(situation.rate).find(|rate| with_reservations(situation, *rate, smallest_burst).is_some())?;
    choices(situation.burst).find_map(|burst| with_reservations(situation, rate, burst))
}

/// Returns the values to choose from, largest first: the file's, or the default and what is below it. Two significant
/// digits, so that a small reservation of another team does not make another release.
fn choices(wish: Wish) -> impl Iterator<Item = u32> {
    let lower = if wish.set { 0..0 } else { 1..wish.value };
    once(wish.value).chain(lower.rev().filter(|value| value % unit(*value) == 0))
}

/// Returns the unit of the second significant digit.
const fn unit(value: u32) -> u32 {
    match value.checked_ilog10() {
        Some(digits) => 10_u32.pow(digits.saturating_sub(1)),
        None => 1,
    }
}

/// Returns a throttle with the best reservations that hold: with a cap, or without one; with a reserved control plane,
/// or without.
fn with_reservations(situation: &Situation, rate: u32, burst: u32) -> Option<Capacity> {
    let values = Values { rate, burst, control_plane: 0, full: 0 };
    let caps = match situation.full {
        FullService::Sample { cap } if cap.set => vec![cap.value],
        FullService::Sample { cap } => vec![u32::try_from(values.admitted(HEALTHY_MS)).unwrap_or(u32::MAX), cap.value],
        FullService::Own { .. } => vec![0],
    };
    let Wish { value, set } = situation.control_plane;
    let control_planes = if set { vec![value] } else { vec![CONTROL_PLANE_EXECUTIONS, value] };
    let reserve = |full: u32| control_planes.iter().map(move |each| Values { control_plane: *each, full, ..values });
    caps.into_iter().flat_map(reserve).map(|values| Capacity::new(situation, values)).find(|capacity| capacity.holds)
}

/// Returns the fewest available executions with which the throttle of the file, or the default, holds.
fn would_hold_with(situation: &Situation) -> Option<u64> {
    let asked = |wish: Wish| Wish { set: true, ..wish };
    let throttle = Situation { rate: asked(situation.rate), burst: asked(situation.burst), ..*situation };
    let holds = |available: u64| best(&Situation { available, ..throttle }).is_some();
    let (mut too_few, mut enough) = (situation.available, MOST);
    if !holds(enough) {
        return None;
    }
    while too_few + 1 < enough {
        let middle = u64::midpoint(too_few, enough);
        if holds(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}
