//! The earliest time of a recovery, computed from the history of writes.

use jiff::Timestamp;

use crate::world::{Committed, State, World};

/// Whether each recovery waited for its cooldown. This uses the policy's numbers and none of its code: a relapse
/// doubles the cooldown up to the longest, and an operator's move or a calm period resets it.
pub fn waits_for_cooldown(world: &World, state: &State) -> bool {
    let Some(origin) = &state.origin else { return true };
    let (mut level, mut moved_at, mut doublings) = (origin.current_level, origin.last_transition, 0_u32);
    let mut recovered_at = None;
    let seconds = |policy: jiff::SignedDuration| policy.as_secs();
    let base = seconds(world.policy.cooldown());
    let longest = seconds(world.policy.longest_cooldown().unwrap());
    let relapse = seconds(world.policy.relapse_window().unwrap());
    state.history.iter().all(|committed| {
        let Committed { write, decided_at } = &**committed;
        let (from, to) = (level, write.state.current_level);
        let since = |at: Timestamp| decided_at.duration_since(at).as_secs();
        let mut waited = true;
        if write.transition.is_none() {
            return true;
        } else if write.command.is_some() {
            (doublings, recovered_at) = (0, None);
        } else if to < from {
            waited = since(moved_at) >= (base << doublings).min(longest);
            recovered_at = Some(*decided_at);
        } else {
            let relapsed = recovered_at.take().is_some_and(|at| since(at) <= relapse);
            doublings = if relapsed {
                doublings + 1
            } else if since(moved_at) >= seconds(world.policy.calm()) {
                0
            } else {
                doublings
            };
        }
        (level, moved_at) = (to, *decided_at);
        waited
    })
}
