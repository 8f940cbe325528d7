//! The state as this environment last read it.
//!
//! A request never fails because of the state. While the table does not answer or the state is corrupt, requests are
//! routed by the last state that was read, however old it is. If no state was ever read, they go to the fallback level.
//!
//! # When the table is read
//!
//! Lambda gives an environment one request at a time and freezes it between them. A refresh in the background
//! would be frozen in the middle and go on minutes later with a dead connection, so every read is made within
//! a request and has ended when its answer leaves. The age of the state decides, in times to live (TTL):
//!
//! | age | the request is routed | the table is read |
//! |---|---|---|
//! | below the lifetime, 0.8 to 1.2 TTL by chance | at once | not at all |
//! | from there to 1.2 TTL | at once | beside the invocation of the service, which usually takes longer |
//! | 1.2 TTL and more | by the state that is read | first |
//!
//! So a busy environment reads once in a TTL and no request waits for it, and a forced level reaches every
//! environment, an idle one too, within 1.2 TTL: the lifetime is drawn anew after each read, so that the
//! environments of a fleet do not read at the same time. One read runs at a time. If an environment has several
//! requests at once, those that may still use their state do not wait for the read.
//!
//! # When the table does not answer
//!
//! A read delays a request by at most 300 ms. The first read of an environment may take 1.5 s: it opens the connection,
//! and until a state is read callers get the fallback level even if the level is 1. After a failed read no request
//! reads again before a back-off is over: 250 ms, doubled by each further failure up to 5 s, ± 20 %. Until then
//! requests go to the last known level.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_edge::clients::FIRST_READ_TIMEOUTS;
use aws_edge::connections::AgeClock;
use aws_edge::stores::state::StoreError;
use breaker::{Level, SystemState};
use tokio::time::{Instant, timeout_at};

use crate::state_reader::{LevelReader, StoredLevel};

/// Maximum time by which a read delays a request, whatever the reader does.
const READ_LIMIT: Duration = Duration::from_millis(300);
/// Number of reads that a starting environment tries before its first request.
const PRIMING_TRIES: usize = 2;
/// Maximum time that a starting environment waits for them. It is below the time that the first request waits for the
/// start (`aws_edge::runtime`).
const PRIMING_LIMIT: Duration = FIRST_READ_TIMEOUTS.operation;
/// Jitter of a state's lifetime and of the back-off, as a share of the setting.
const JITTER: f64 = 0.2;
/// The back-off after the first failure.
const FIRST_BACK_OFF: Duration = Duration::from_millis(250);
/// Maximum of the back-off.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);

/// The source of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Read from the table, and not older than the time to live and its jitter.
    Table,
    /// The table is empty: level 1.
    FirstStart,
    /// Read from the table before it stopped answering.
    LastKnown,
    /// No state was ever read: the fallback level.
    Fallback,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::FirstStart => "firstStart",
            Self::LastKnown => "lastKnown",
            Self::Fallback => "fallback",
        })
    }
}

/// The level or state that requests are routed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The level.
    pub level: Level,
    /// The whole state, if this version understands it.
    pub state: Option<Arc<SystemState>>,
    /// The source of the level.
    pub source: Source,
    /// Time since the state was read; `None` if none ever was.
    pub age: Option<Duration>,
}

/// The route of one request, and whether the request must refresh the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// The level or state to route by.
    pub current: Current,
    /// Whether the request should call [`StateCache::refresh`] while it waits for the service.
    pub refresh_due: bool,
    /// Whether the state was fresh. The age of a state that was not fresh is recorded.
    pub fresh: bool,
    /// Time since this environment started, if it has never read a state.
    pub unknown_for: Option<Duration>,
}

/// The last state that was read.
#[derive(Clone, Debug)]
struct Known {
    level: Level,
    state: Option<Arc<SystemState>>,
    source: Source,
    read_at: Instant,
}

impl Known {
    fn is_before(&self, other: &Self) -> bool {
        let version = |known: &Self| known.state.as_ref().map(|state| state.version);
        version(self).zip(version(other)).is_some_and(|(this, that)| this < that)
    }
}

#[derive(Debug, Default)]
struct Memory {
    known: Option<Known>,
    /// How long `known` is fresh.
    lifetime: Duration,
    /// Consecutive failed reads that requests made.
    failures: u32,
    /// Earliest time of the next read.
    rest_until: Option<Instant>,
    /// Whether a warning about failed reads was logged.
    in_trouble: bool,
    /// Failed reads that are not in a metric yet.
    unrecorded_errors: u32,
    /// Whether the newest read found an older state than the known one.
    found_older: bool,
}

/// What a request must do before or while it is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    RefreshBeside,
    ReadFirst,
    Rest,
}

/// Reads the state at most once in a time to live, on average.
#[derive(Debug)]
pub struct StateCache<R> {
    reader: R,
    ttl: Duration,
    fallback: Level,
    /// The clock for ages and back-offs. The deadline of a read uses the runtime's timer.
    clock: AgeClock,
    started: Instant,
    memory: Mutex<Memory>,
    /// Lock of the one read that runs.
    flight: tokio::sync::Mutex<()>,
}

impl<R: LevelReader> StateCache<R> {
    /// Returns a cache in front of `reader` that reads again after `ttl` ± 20 %.
    #[must_use]
    pub fn new(reader: R, ttl: Duration, fallback: Level) -> Self {
        let (clock, memory, flight) = (AgeClock::monotonic(), Mutex::default(), tokio::sync::Mutex::new(()));
        Self { reader, ttl, fallback, started: clock.now(), clock, memory, flight }
    }

    /// Measures the age of the state by `clock`. A monotonic clock may stand still while Lambda freezes the
    /// environment, and an old state would look fresh.
    #[must_use]
    pub fn with_clock(self, clock: AgeClock) -> Self {
        Self { started: clock.now(), clock, ..self }
    }

    /// Reads the state before the first request, at most twice and for 1.5 s together. If the reads fail fast, the
    /// first request tries again. If the table does not answer at all, the first request does not wait any longer and
    /// goes to the fallback level.
    pub async fn prime(&self) {
        self.prime_by(&self.reader).await;
    }

    /// Reads the state before the first request as [`Self::prime`] does, with a reader that may take longer.
    pub async fn prime_by(&self, reader: &impl LevelReader) {
        let by = Instant::now() + PRIMING_LIMIT;
        for _ in 0..PRIMING_TRIES {
            let _flight = self.flight.lock().await;
            if self.need(self.clock.now()) != Need::ReadFirst {
                return;
            }
            self.read(reader, by, None).await;
            if Instant::now() >= by {
                self.memory().rest_until = Some(self.clock.now() + jittered(FIRST_BACK_OFF));
            }
        }
    }

    /// Returns the level or state to route a request by. Reads the table first if the known state is too old.
    pub async fn routing(&self) -> Routing {
        let now = self.clock.now();
        let need = self.need(now);
        if need == Need::ReadFirst {
            self.read_first(Instant::now() + READ_LIMIT).await;
        }
        let now = if need == Need::ReadFirst { self.clock.now() } else { now };
        let current = self.current(now);
        let unknown_for = (current.source == Source::Fallback).then(|| now.saturating_duration_since(self.started));
        Routing { current, refresh_due: need == Need::RefreshBeside, fresh: need == Need::Nothing, unknown_for }
    }

    /// Reads the table unless another request is reading it. Takes at most 300 ms.
    pub async fn refresh(&self) {
        if let Ok(_flight) = self.flight.try_lock() {
            self.read(&self.reader, Instant::now() + READ_LIMIT, Some(self.next_back_off())).await;
        }
    }

    /// Returns the number of failed reads since the last call.
    pub fn take_read_errors(&self) -> u32 {
        std::mem::take(&mut self.memory().unrecorded_errors)
    }

    async fn read_first(&self, by: Instant) {
        let known_to_fail = self.memory().failures > 0;
        let flight = if known_to_fail {
            // The last read failed. If another request is reading already, this one does not wait for it.
            self.flight.try_lock().ok()
        } else {
            timeout_at(by, self.flight.lock()).await.ok()
        };
        // Another request may have read the state while this one waited.
        if flight.is_some() && self.need(self.clock.now()) == Need::ReadFirst {
            self.read(&self.reader, by, Some(self.next_back_off())).await;
        }
    }

    async fn read(&self, reader: &impl LevelReader, by: Instant, back_off: Option<Duration>) {
        let answer = timeout_at(by, reader.read()).await.unwrap_or_else(|_| Err(StoreError::TimedOut));
        let now = self.clock.now();
        let mut memory = self.memory();
        let read = match answer {
            Ok(StoredLevel::Known(level, state)) => Ok(Known { level, state, source: Source::Table, read_at: now }),
            // A state was read before, so an empty table means a missing state and not a first start.
            Ok(StoredLevel::Nothing) if memory.known.as_ref().is_none_or(|known| known.source != Source::Table) => {
                Ok(Known { level: Level::Full, state: None, source: Source::FirstStart, read_at: now })
            }
            Ok(StoredLevel::Nothing) => Err("the state item and its history are missing".to_owned()),
            Ok(StoredLevel::Lost) => Err("the state item is missing, but there is a history".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(older) if !memory.found_older && memory.known.as_ref().is_some_and(|known| older.is_before(known)) => {
                // An older state may come from a replica that lags. If the next read finds it too, an operator
                // restored it, and every environment must follow.
                memory.found_older = true;
                memory.lifetime = jittered(self.ttl);
                if let Some(known) = &mut memory.known {
                    known.read_at = now;
                }
            }
            Ok(known) => {
                let was_in_trouble = memory.in_trouble;
                let unrecorded_errors = memory.unrecorded_errors;
                let lifetime = jittered(self.ttl);
                *memory = Memory { known: Some(known), lifetime, unrecorded_errors, ..Memory::default() };
                drop(memory);
                if was_in_trouble {
                    tracing::info!("the state can be read again");
                }
            }
            Err(problem) => {
                let was_in_trouble = std::mem::replace(&mut memory.in_trouble, true);
                memory.unrecorded_errors = memory.unrecorded_errors.saturating_add(1);
                if let Some(back_off) = back_off {
                    memory.failures = memory.failures.saturating_add(1);
                    memory.rest_until = Some(now + back_off);
                }
                drop(memory);
                if !was_in_trouble {
                    let current = self.current(now);
                    tracing::warn!(
                        error.message = problem,
                        level.current = current.level.number(),
                        state.source = ?current.source,
                        "the state cannot be read; further failures are not logged"
                    );
                }
            }
        }
    }

    fn need(&self, now: Instant) -> Need {
        let memory = self.memory();
        let age = memory.known.as_ref().map(|known| now.duration_since(known.read_at));
        match age {
            Some(age) if age < memory.lifetime => Need::Nothing,
            _ if memory.rest_until.is_some_and(|until| now < until) => Need::Rest,
            Some(age) if age < self.usable_for() => Need::RefreshBeside,
            _ => Need::ReadFirst,
        }
    }

    fn current(&self, now: Instant) -> Current {
        let memory = self.memory();
        let Some(known) = &memory.known else {
            return Current { level: self.fallback, state: None, source: Source::Fallback, age: None };
        };
        let age = now.duration_since(known.read_at);
        let source = if memory.in_trouble && age >= self.usable_for() { Source::LastKnown } else { known.source };
        Current { level: known.level, state: known.state.clone(), source, age: Some(age) }
    }

    /// Maximum age of a state that is used without reading first: the longest lifetime with jitter.
    fn usable_for(&self) -> Duration {
        self.ttl.mul_f64(1.0 + JITTER)
    }

    fn next_back_off(&self) -> Duration {
        let doublings = self.memory().failures.min(8);
        jittered(FIRST_BACK_OFF.saturating_mul(2_u32.pow(doublings)).min(LONGEST_BACK_OFF))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}
