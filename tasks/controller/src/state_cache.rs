//! The state as this environment last read it.
//!
//! A request never fails because of the state: what was read last serves on while the table does not
//! answer or holds nonsense, and with nothing ever read the fallback level does.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use breaker::{Level, SystemState};
use platform::state_store::{StateReader, Stored};
use serde::Serialize;

/// Where a level comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// From the table, fresh.
    Table,
    /// No state was written yet: level 1.
    FirstStart,
    /// From the table, read before it stopped answering.
    LastKnown,
    /// Nothing was ever read.
    Fallback,
}

/// What requests are routed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The level.
    pub level: Level,
    /// The whole state, where there is one.
    pub state: Option<SystemState>,
    /// Where it comes from.
    pub source: Source,
}

/// Reads the state at most once in a time to live.
#[derive(Debug)]
pub struct StateCache<R> {
    reader: R,
    ttl: Duration,
    fallback: Level,
    last: Mutex<Option<(Instant, Current)>>,
}

impl<R: StateReader> StateCache<R> {
    /// A cache before `reader` that reads again after `ttl`.
    #[must_use]
    pub fn new(reader: R, ttl: Duration, fallback: Level) -> Self {
        Self { reader, ttl, fallback, last: Mutex::new(None) }
    }

    /// What to route by at `now`.
    pub async fn current(&self, now: Instant) -> Current {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = match last {
            Some((read_at, current)) if now.duration_since(read_at) < self.ttl => return current,
            Some((_, current)) => Some(current),
            None => None,
        };
        let current = match self.reader.read().await {
            Ok(Stored::State(state)) => {
                Current { level: state.current_level, state: Some(*state), source: Source::Table }
            }
            Ok(Stored::Nothing) => Current { level: Level::Full, state: None, source: Source::FirstStart },
            Ok(Stored::Newer(newer)) => Current { level: newer.current_level, state: None, source: Source::Table },
            Ok(Stored::Unreadable(problem)) => self.without_state(known, &problem),
            Ok(Stored::Lost) => self.without_state(known, "the state item is gone, but there is a history"),
            Err(error) => self.without_state(known, &error.to_string()),
        };
        // A failed read is not repeated within the time to live either, or each request would wait for it.
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, current.clone()));
        current
    }

    fn without_state(&self, known: Option<Current>, problem: &str) -> Current {
        let current = match known {
            Some(Current { source: Source::Fallback, .. }) | None => {
                Current { level: self.fallback, state: None, source: Source::Fallback }
            }
            Some(known) => Current { source: Source::LastKnown, ..known },
        };
        tracing::warn!(
            error.message = problem,
            level.current = current.level.number(),
            state.source = ?current.source,
            "routing without a fresh state"
        );
        current
    }
}
