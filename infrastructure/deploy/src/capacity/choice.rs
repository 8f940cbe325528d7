//! The choice of throttle, cap and reservations.

use super::{CONTROL_PLANE, CONTROL_PLANE_EXECUTIONS, Capacity, FullService, Situation, UNRESERVED, Values};

/// Reservations for each function of the control plane, best first.
const CONTROL_PLANE_CHOICES: [u32; 2] = [CONTROL_PLANE_EXECUTIONS, 0];

/// Returns the largest throttle that holds, with the reservations that make it hold. What the file sets is kept. If
/// nothing holds, the throttle is the smallest one, and level 1 has a fifth of what is left for requests.
#[must_use]
pub fn capacity(situation: &Situation) -> Capacity {
    let throttles = throttles(situation);
    let largest_first = throttles.iter().rev();
    largest_first
        .flat_map(|throttle| reservations(situation, *throttle))
        .map(|values| Capacity::new(situation, values))
        .find(|capacity| capacity.holds)
        .unwrap_or_else(|| nothing_holds(situation, throttles.first().copied().unwrap_or((1, 1))))
}

/// Returns the throttles that the file admits, as rate and burst, smallest first: neither number ever falls from one
/// to the next. The rate grows first, with a burst of one second; then the burst.
fn throttles(situation: &Situation) -> Vec<(u32, u32)> {
    let (rate, burst) = (situation.rate.value.max(1), situation.burst.value.max(1));
    let burst_at = |rate: u32| if situation.burst.set { burst } else { rate.min(burst) };
    let first_rate = if situation.rate.set { rate } else { 1 };
    let growing_rate = (first_rate..=rate).map(|rate| (rate, burst_at(rate)));
    let growing_burst = (burst_at(rate) + 1..=burst).map(|burst| (rate, burst));
    growing_rate.chain(growing_burst).collect()
}

/// Returns the values to try with a throttle, best first: with a cap, without one; with a reserved control plane,
/// without.
fn reservations(situation: &Situation, (rate, burst): (u32, u32)) -> impl Iterator<Item = Values> {
    let values = Values { rate, burst, control_plane: 0, full: 0 };
    let caps = match situation.full {
        FullService::Sample { cap } if cap.set => vec![cap.value],
        FullService::Sample { .. } => vec![u32::try_from(values.admitted(super::HEALTHY_MS)).unwrap_or(u32::MAX), 0],
        FullService::Own { .. } => vec![0],
    };
    let control_planes = control_planes(situation);
    caps.into_iter().flat_map(move |full| {
        control_planes.clone().into_iter().map(move |control_plane| Values { control_plane, full, ..values })
    })
}

fn control_planes(situation: &Situation) -> Vec<u32> {
    if situation.control_plane.set { vec![situation.control_plane.value] } else { CONTROL_PLANE_CHOICES.to_vec() }
}

fn nothing_holds(situation: &Situation, (rate, burst): (u32, u32)) -> Capacity {
    let reservable = situation.available.saturating_sub(UNRESERVED + situation.degraded + situation.maintenance);
    let fits = |each: &u32| CONTROL_PLANE * u64::from(*each) <= reservable;
    let choices = control_planes(situation);
    // A reservation that the file sets stays, although Lambda may refuse it: that is said before anything is changed.
    let control_plane = choices.iter().copied().find(fits).or_else(|| choices.last().copied()).unwrap_or_default();
    let values = Values { rate, burst, control_plane, full: 0 };
    let full = match situation.full {
        FullService::Sample { cap } if cap.set => cap.value,
        FullService::Sample { .. } => {
            let without = Capacity::new(situation, values);
            let taken = without.others + without.control_plane + without.status + without.level_3;
            let reserved = CONTROL_PLANE * u64::from(control_plane);
            let fifth = situation.available.saturating_sub(taken) / 5;
            let cap = fifth.min(reservable.saturating_sub(reserved)).min(without.healthy_level_1);
            u32::try_from(cap).unwrap_or(u32::MAX)
        }
        FullService::Own { .. } => 0,
    };
    Capacity::new(situation, Values { full, ..values })
}
