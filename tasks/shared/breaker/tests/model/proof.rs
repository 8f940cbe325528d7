//! Whether probes prove a better level, and whether the current level may prove it, computed without the code under
//! test.

use breaker::Bucket;
use jiff::{SignedDuration, Timestamp};

use crate::moves::{Move, calls_and_errors, happened};
use crate::world::{State, World};

/// Earliest time at which probes count: after the ramp and the base cooldown. A doubled cooldown is longer.
fn probes_from(world: &World, one: &Move<'_>) -> Timestamp {
    let cooled = one.moved_at + world.policy.cooldown();
    one.counts_began.max(cooled).max(one.ramp_until.unwrap_or(Timestamp::MIN))
}

/// Returns the settled probes of the level that was recovered to.
fn probes(world: &World, state: &State, one: &Move<'_>) -> Vec<Bucket> {
    let settled = one.committed.decided_at - world.policy.settle();
    let mut probes = happened(world, state, one.to, probes_from(world, one), one);
    probes.retain(|bucket| bucket.start + SignedDuration::from_secs(1) <= settled);
    probes.sort_by_key(|bucket| bucket.start);
    probes
}

/// Whether any number of the newest probes proves the level: there are enough of them, their failure rate is below the
/// one that leads to a fall, and the level did not refuse most of the newest ones.
pub fn is_proven(world: &World, state: &State, one: &Move<'_>) -> bool {
    let (policy, probes) = (&world.policy, probes(world, state, one));
    let percent = policy.failure_rate_percent().unwrap_or_default();
    (0..probes.len()).any(|first| {
        let (calls, errors) = calls_and_errors(&probes[first..]);
        let enough = calls >= policy.probe_calls().into() && errors * 100 < calls * u64::from(percent);
        enough && !mostly_refused(world, &probes[first..], one)
    })
}

/// Whether the level refused more of the newest probes than it answered. The newest probes are those of the last idle
/// time, and at least twice as many as prove a level.
fn mostly_refused(world: &World, probes: &[Bucket], one: &Move<'_>) -> bool {
    let since = one.committed.decided_at - world.policy.settle() - world.policy.probe_idle();
    let counts = |from: usize| {
        let refused: u64 = probes[from..].iter().map(|bucket| bucket.refused).sum();
        (calls_and_errors(&probes[from..]).0, refused)
    };
    let judged = (0..=probes.len()).rev().find(|from| {
        let (answered, refused) = counts(*from);
        let older = from.checked_sub(1).map(|before| &probes[before]);
        older.is_none_or(|older| older.start < since && answered + refused >= 2 * u64::from(world.policy.probe_calls()))
    });
    let (answered, refused) = counts(judged.unwrap());
    refused > answered
}

/// Whether no probe came for so long that a recovery may rest on the current level. After a failed probe it takes three
/// times as long. If all probes were refused, no recovery may.
pub fn is_idle(world: &World, state: &State, one: &Move<'_>) -> bool {
    let probes = probes(world, state, one);
    let all_refused = !probes.is_empty() && probes.iter().all(|bucket| bucket.successes + bucket.errors == 0);
    let failed = probes.last().is_some_and(|newest| newest.errors > 0);
    let believed = if failed { 3 } else { 1 };
    let since = one.committed.decided_at - world.policy.probe_idle() * believed;
    !all_refused && probes_from(world, one) <= since && probes.iter().all(|bucket| bucket.start <= since)
}
