//! The automatic moves, and the outcomes before them, computed without the code under test.

use breaker::{Bucket, Level};
use jiff::Timestamp;

use crate::world::{Committed, State, World};

/// An automatic move, and what is known of the time before.
pub struct Move<'a> {
    pub committed: &'a Committed,
    pub from: Level,
    pub to: Level,
    /// Time from which on outcomes count: the last write that reset the counts, or the end of a later hold.
    pub counts_began: Timestamp,
    /// End of the last operator's hold.
    pub held_until: Option<Timestamp>,
    /// Failures of the last move that may be counted again.
    pub carried: u64,
    /// Time of the last move.
    pub moved_at: Timestamp,
    /// End of the ramp, if the last move was an automatic recovery.
    pub ramp_until: Option<Timestamp>,
}

/// Returns the outcomes at `level` from `since` up to the decision.
pub fn happened(world: &World, state: &State, level: Level, since: Timestamp, one: &Move<'_>) -> Vec<Bucket> {
    let counted = |bucket: &Bucket| since <= bucket.start && bucket.start <= one.committed.decided_at;
    let at_level = state.outcomes.iter().filter(|(_, burst)| burst.level == level);
    at_level.map(|outcome| world.bucket(*outcome)).filter(counted).collect()
}

pub fn calls_and_errors(buckets: &[Bucket]) -> (u64, u64) {
    let errors: u64 = buckets.iter().map(|bucket| bucket.errors).sum();
    (errors + buckets.iter().map(|bucket| bucket.successes).sum::<u64>(), errors)
}
