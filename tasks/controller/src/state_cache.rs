//! The state as this environment last read it.
//!
//! A request never fails because of the state: what was read last serves on, for as long as it takes, while
//! the table does not answer or holds nonsense, and with nothing ever read the fallback level does.
//!
//! # When the table is read
//!
//! Lambda gives an environment one request at a time and freezes it between them. A refresh in the background
//! would be frozen in the middle and wake up minutes later to a dead connection, so every read is made within
//! a request and has ended when its answer leaves. By the age of the state, in times to live (TTL):
//!
//! | age | the request is routed | the table is read |
//! |---|---|---|
//! | below the lifetime, 0.8 to 1.2 TTL by chance | at once | not at all |
//! | from there to 1.2 TTL | at once | beside the invocation of the service, which takes longer as a rule |
//! | 1.2 TTL and more | by what the read finds | first |
//!
//! So a busy environment reads once in a TTL and no request waits for it, and a forced level reaches every
//! environment, an idle one too, within 1.2 TTL: the lifetime is drawn anew after each read, so that the
//! environments of a fleet do not read in step. One read runs at a time. Where an environment does have more
//! requests at once, those that may still use their state do not wait for it.
//!
//! # When the table does not answer
//!
//! A read costs a request 300 ms at most, and the first one of an environment, which may wait for two, 600 ms. After
//! one that failed no request pays again until a back-off has passed: 250 ms, doubled by each further failure up to
//! 5 s, ± 20 %. Meanwhile the last known level serves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use breaker::{Level, SystemState};
use platform::connections::AgeClock;
use platform::state_store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::state_reader::{LevelReader, StoredLevel};

/// What a read may cost a request, however the reader behaves.
const READ_LIMIT: Duration = Duration::from_millis(300);
/// How often a starting environment tries to read the state before there is a request.
const PRIMING_TRIES: usize = 2;
/// How far the lifetime of a state and the back-off stray from their setting, either way.
const JITTER: f64 = 0.2;
/// The back-off after the first failure.
const FIRST_BACK_OFF: Duration = Duration::from_millis(250);
/// The back-off at its longest.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);

/// Where a level comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// From the table, not longer ago than the time to live and its jitter.
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
    /// The whole state, where there is one that this version understands.
    pub state: Option<Arc<SystemState>>,
    /// Where it comes from.
    pub source: Source,
    /// How long ago it was read; absent where nothing ever was.
    pub age: Option<Duration>,
}

/// What to route one request by, and what it has to do for the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// What to route by.
    pub current: Current,
    /// Whether the request should call [`StateCache::refresh`] beside what else it waits for.
    pub refresh_due: bool,
    /// Whether the state was used without a thought of the table. Otherwise its age is worth recording.
    pub fresh: bool,
}

/// What was read last.
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
    /// Reads that failed in a row, on behalf of a request.
    failures: u32,
    /// No read before this.
    rest_until: Option<Instant>,
    /// Whether people were warned.
    in_trouble: bool,
    /// Failed reads that no metric tells of yet.
    unrecorded_errors: u32,
    /// Whether the newest read found an older state than the one that is known.
    found_older: bool,
}

/// What a request has to do about the state.
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
    /// Tells ages and rests. The deadline of a read is the runtime's, whose timer ends it.
    clock: AgeClock,
    memory: Mutex<Memory>,
    /// Held by the one read that runs.
    flight: tokio::sync::Mutex<()>,
}

impl<R: LevelReader> StateCache<R> {
    /// A cache before `reader` that reads again after `ttl`, give or take a fifth.
    #[must_use]
    pub fn new(reader: R, ttl: Duration, fallback: Level) -> Self {
        let (clock, memory, flight) = (AgeClock::monotonic(), Mutex::default(), tokio::sync::Mutex::new(()));
        Self { reader, ttl, fallback, clock, memory, flight }
    }

    /// Takes the age of the state from `clock`, because a monotonic clock may stand still while Lambda freezes the
    /// environment: an old state would then look fresh.
    #[must_use]
    pub fn with_clock(self, clock: AgeClock) -> Self {
        Self { clock, ..self }
    }

    /// Reads before there is a request that would have to wait for it, twice at most: the first call of an
    /// environment sets up more than a call may take later. What fails at once puts no request off: the first one
    /// tries again. It has waited long enough for a table that does not answer at all, and goes on without.
    pub async fn prime(&self) {
        for tries in 1..=PRIMING_TRIES {
            let _flight = self.flight.lock().await;
            let now = Instant::now();
            if self.need(self.clock.now()) != Need::ReadFirst {
                return;
            }
            self.read(now + READ_LIMIT, None).await;
            let hangs = now.elapsed() >= READ_LIMIT;
            if hangs && tries == PRIMING_TRIES {
                self.memory().rest_until = Some(self.clock.now() + jittered(FIRST_BACK_OFF));
            }
        }
    }

    /// What to route a request by; reads first where the state is too old to be used.
    pub async fn routing(&self) -> Routing {
        let now = self.clock.now();
        match self.need(now) {
            Need::Nothing => Routing { current: self.current(now), refresh_due: false, fresh: true },
            Need::RefreshBeside => Routing { current: self.current(now), refresh_due: true, fresh: false },
            Need::Rest => Routing { current: self.current(now), refresh_due: false, fresh: false },
            Need::ReadFirst => {
                self.read_first(Instant::now() + READ_LIMIT).await;
                Routing { current: self.current(self.clock.now()), refresh_due: false, fresh: false }
            }
        }
    }

    /// Reads the table, unless another request is doing so. Takes 300 ms at most.
    pub async fn refresh(&self) {
        if let Ok(_flight) = self.flight.try_lock() {
            self.read(Instant::now() + READ_LIMIT, Some(self.next_back_off())).await;
        }
    }

    /// How many reads failed since this was last asked.
    pub fn take_read_errors(&self) -> u32 {
        std::mem::take(&mut self.memory().unrecorded_errors)
    }

    async fn read_first(&self, by: Instant) {
        let known_to_fail = self.memory().failures > 0;
        let flight = if known_to_fail {
            // Whoever reads already finds out for all; the others need not wait for what failed a moment ago.
            self.flight.try_lock().ok()
        } else {
            timeout_at(by, self.flight.lock()).await.ok()
        };
        // Whoever read meanwhile has read for this request too.
        if flight.is_some() && self.need(self.clock.now()) == Need::ReadFirst {
            self.read(by, Some(self.next_back_off())).await;
        }
    }

    async fn read(&self, by: Instant, back_off: Option<Duration>) {
        let answer = timeout_at(by, self.reader.read())
            .await
            .unwrap_or_else(|_| Err(StoreError("the state table does not answer in time".to_owned())));
        let now = self.clock.now();
        let mut memory = self.memory();
        let read = match answer {
            Ok(StoredLevel::Known(level, state)) => Ok(Known { level, state, source: Source::Table, read_at: now }),
            // Where a state was seen before, the whole table was lost, not a bank started for the first time.
            Ok(StoredLevel::Nothing) if memory.known.as_ref().is_none_or(|known| known.source != Source::Table) => {
                Ok(Known { level: Level::Full, state: None, source: Source::FirstStart, read_at: now })
            }
            Ok(StoredLevel::Nothing) => Err("the state item and its history are gone".to_owned()),
            Ok(StoredLevel::Lost) => Err("the state item is gone, but there is a history".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(older) if !memory.found_older && memory.known.as_ref().is_some_and(|known| older.is_before(known)) => {
                // A read may meet a replica that lags: the next one will not. If it does, an older state was put
                // back, and every environment has to go by that.
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
                        "the state cannot be read; routing goes on without it, and this is not said again"
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

    /// How old a state may be to be used without reading first: the longest lifetime there is.
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
