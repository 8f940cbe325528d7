//! The times at which the state is read, and the routes of requests meanwhile. The tests control the time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_edge::connections::AgeClock;
use aws_smithy_async::time::TimeSource;
use breaker::Level;
use common::{TTL, Table, stored, stored_version};
use controller::{Source, StateCache, StoredLevel};
use futures::future::join_all;
use proptest::prelude::*;
use tokio::time::{Instant, advance};

/// The longest that a state is used without reading first.
const LONGEST: Duration = Duration::from_millis(1_200);
/// Maximum time by which a read delays a request.
const READ_LIMIT: Duration = Duration::from_millis(300);

fn cache(table: &Table) -> StateCache<&Table> {
    StateCache::new(table, TTL, Level::Maintenance)
}

/// Routes one request as the controller does, and gives the level that it was routed by.
async fn route(cache: &StateCache<&Table>) -> u8 {
    let routing = cache.routing().await;
    if routing.refresh_due {
        cache.refresh().await;
    }
    routing.current.level.number()
}

/// A cache whose state is old enough to be refreshed and young enough to be used.
async fn due(table: &Table) -> StateCache<&Table> {
    loop {
        let cache = cache(table);
        cache.prime().await;
        let mut routing = cache.routing().await;
        while routing.fresh {
            advance(Duration::from_millis(1)).await;
            routing = cache.routing().await;
        }
        // The lifetime is random: in one case of 400 it ends in the last step.
        if routing.refresh_due {
            return cache;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fresh_state_is_not_read_again() {
    let table = Table::at_level(2);
    let cache = cache(&table);
    for _ in 0..80 {
        assert_eq!(route(&cache).await, 2);
        advance(TTL / 101).await;
    }
    assert_eq!(table.reads(), 1);
}

/// With equal lifetimes, the environments of a fleet would read at the same time.
#[tokio::test(start_paused = true)]
async fn cache_lifetimes_vary_by_a_fifth() {
    let table = Table::at_level(1);
    let fleet: Vec<_> = (0..300).map(|_| cache(&table)).collect();
    for cache in &fleet {
        cache.prime().await;
    }
    let mut read_after = vec![None; fleet.len()];
    for milliseconds in (0..1_300).step_by(10) {
        for (cache, read_after) in fleet.iter().zip(&mut read_after) {
            if read_after.is_none() && !cache.routing().await.fresh {
                *read_after = Some(milliseconds);
            }
        }
        advance(Duration::from_millis(10)).await;
    }
    let mut read_after: Vec<_> = read_after.into_iter().flatten().collect();
    read_after.sort_unstable();
    assert_eq!(read_after.len(), fleet.len());
    assert!(*read_after.first().unwrap() >= 800 && *read_after.last().unwrap() <= 1_200);
    // Spread over all of the range: 300 draws leave none of its quarters empty.
    for quarter in [800, 900, 1_000, 1_100] {
        assert!(read_after.iter().any(|at| (quarter..=quarter + 100).contains(at)), "{quarter}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_level_arrives_within_the_time_to_live() {
    let table = Table::at_level(1);
    let fleet: Vec<_> = (0..100).map(|_| cache(&table)).collect();
    // Environments began at different times, and some are busy while others rest.
    for cache in &fleet {
        advance(Duration::from_millis(7)).await;
        cache.prime().await;
    }
    table.answers(Ok(stored(3)));
    for _ in 0..24 {
        for cache in fleet.iter().step_by(2) {
            route(cache).await;
        }
        advance(LONGEST / 24).await;
    }
    for cache in &fleet {
        assert_eq!(route(cache).await, 3);
    }
}

/// A frozen environment's state is hours old, even if the monotonic clock stood still.
#[tokio::test(start_paused = true)]
async fn a_thawed_environment_reads_before_it_routes() {
    let table = Table::at_level(1);
    let cache = cache(&table);
    assert_eq!(route(&cache).await, 1);
    table.answers(Ok(stored(3)));
    advance(Duration::from_hours(3)).await;
    assert_eq!(route(&cache).await, 3);
    assert_eq!(cache.routing().await.current.source, Source::Table);
}

#[derive(Clone, Debug)]
struct Wall(Arc<Mutex<SystemTime>>);

impl TimeSource for Wall {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_ages_while_the_monotonic_clock_stands_still() {
    let table = Table::at_level(1);
    let wall = Wall(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH)));
    let cache = cache(&table).with_clock(AgeClock::new(wall.clone()));
    assert_eq!(route(&cache).await, 1);
    table.answers(Ok(stored(3)));
    *wall.0.lock().unwrap() += Duration::from_hours(3);
    assert_eq!(route(&cache).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_busy_environment_reads_once_per_time_to_live() {
    let table = Table::at_level(1);
    let cache = cache(&table);
    cache.prime().await;
    for _ in 0..60_000 {
        assert_eq!(route(&cache).await, 1);
        advance(TTL / 1_000).await;
    }
    // A lifetime is 0.8 to 1.2 times to live, and the first read came before the first of them.
    assert!((50..=76).contains(&table.reads()), "{} reads in 60 times to live", table.reads());
}

#[tokio::test(start_paused = true)]
async fn a_refresh_delays_no_request_with_a_usable_state() {
    let table = Table::at_level(1);
    let cache = due(&table).await;
    let before = table.reads();
    table.answers(Ok(stored(2)));
    table.takes(Duration::from_millis(50));
    let begun = Instant::now();
    let refresh = async {
        cache.refresh().await;
        begun.elapsed()
    };
    let others = join_all((0..100).map(|_| async {
        let level = route(&cache).await;
        (level, begun.elapsed())
    }));
    let (refreshed, others) = tokio::join!(refresh, others);
    assert!(others.iter().all(|(level, waited)| (*level, *waited) == (1, Duration::ZERO)));
    assert_eq!((refreshed, table.reads() - before), (Duration::from_millis(50), 1));
    assert_eq!(route(&cache).await, 2);
}

#[tokio::test(start_paused = true)]
async fn requests_that_need_a_read_wait_for_the_one_that_runs() {
    let table = Table::at_level(1);
    let cache = cache(&table);
    cache.prime().await;
    table.answers(Ok(stored(3)));
    table.takes(Duration::from_millis(100));
    advance(LONGEST).await;
    let begun = Instant::now();
    let levels = join_all((0..100).map(|_| route(&cache))).await;
    assert!(levels.iter().all(|level| *level == 3));
    assert_eq!((begun.elapsed(), table.reads()), (Duration::from_millis(100), 2));
}

#[tokio::test(start_paused = true)]
async fn the_first_requests_wait_for_the_read_that_began_before_them() {
    let table = Table::at_level(2);
    table.takes(Duration::from_millis(200));
    let cache = cache(&table);
    let ((), levels) = tokio::join!(cache.prime(), join_all((0..10).map(|_| route(&cache))));
    assert!(levels.iter().all(|level| *level == 2));
    assert_eq!(table.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_at_most_300_milliseconds_for_the_table() {
    for known in [false, true] {
        let table = Table::at_level(2);
        let cache = cache(&table);
        if known {
            cache.prime().await;
            advance(LONGEST).await;
        }
        table.takes(Duration::from_hours(1));
        let begun = Instant::now();
        let expected = if known { 2 } else { 3 };
        assert!(join_all((0..10).map(|_| route(&cache))).await.iter().all(|level| *level == expected));
        assert_eq!(begun.elapsed(), READ_LIMIT);
        for _ in 0..10 {
            assert_eq!(route(&cache).await, expected);
        }
        assert_eq!(begun.elapsed(), READ_LIMIT);
    }
}

/// The first read ran before there was a request; its failure must not start a back-off for the request.
#[tokio::test(start_paused = true)]
async fn the_first_request_retries_a_failed_first_read() {
    let table = Table::at_level(1);
    table.fails();
    let cache = cache(&table);
    cache.prime().await;
    table.answers(Ok(stored(2)));
    assert_eq!(route(&cache).await, 2);
}

/// A single older read comes from a replica that lags. A second one means that an operator restored an old item.
#[tokio::test(start_paused = true)]
async fn a_lagging_replica_is_ignored_until_it_persists() {
    let (old, new) = (stored_version(3, 7), stored_version(1, 8));
    let table = Table::at_level(1);
    table.answers(Ok(new.clone()));
    let cache = cache(&table);
    assert_eq!(route(&cache).await, 1);
    for (answer, expected) in [(&old, 1), (&new, 1), (&old, 1), (&old, 3), (&new, 1)] {
        table.answers(Ok(answer.clone()));
        advance(LONGEST).await;
        assert_eq!(route(&cache).await, expected);
        assert_eq!(cache.routing().await.current.source, Source::Table);
    }
}

#[tokio::test(start_paused = true)]
async fn reads_become_rare_while_the_table_hangs() {
    let table = Table::at_level(2);
    let cache = cache(&table);
    cache.prime().await;
    table.takes(Duration::from_hours(1));
    let begun = Instant::now();
    let mut late = 0;
    while begun.elapsed() < Duration::from_mins(10) {
        let asked = Instant::now();
        assert_eq!(route(&cache).await, 2);
        late += u32::from(!asked.elapsed().is_zero());
        advance(Duration::from_millis(20)).await;
    }
    // Five seconds, less a fifth, plus the 300 ms of the read itself.
    assert!((90..=150).contains(&late), "{late} of 30,000 requests waited in 10 minutes");
    table.takes(Duration::ZERO);
    table.answers(Ok(stored(1)));
    advance(Duration::from_secs(6)).await;
    assert_eq!(route(&cache).await, 1);
    assert_eq!(cache.routing().await.current.source, Source::Table);
}

#[tokio::test(start_paused = true)]
async fn a_first_start_is_level_1_but_a_table_that_was_emptied_is_not() {
    let table = Table::new(Ok(StoredLevel::Nothing));
    let cache = cache(&table);
    assert_eq!(route(&cache).await, 1);
    assert_eq!(cache.routing().await.current.source, Source::FirstStart);
    for (now_stored, level) in
        [(StoredLevel::Nothing, 1), (stored(3), 3), (StoredLevel::Nothing, 3), (StoredLevel::Lost, 3)]
    {
        table.answers(Ok(now_stored));
        advance(Duration::from_secs(10)).await;
        assert_eq!(route(&cache).await, level);
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_table_is_logged_when_it_begins_and_ends() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let told = |level: &str| {
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(&format!("\"level\":\"{level}\""))).count()
    };
    let table = Table::at_level(2);
    let cache = cache(&table);
    for outage in 1..=2 {
        table.fails();
        for _ in 0..1_000 {
            advance(Duration::from_millis(100)).await;
            route(&cache).await;
        }
        assert_eq!((told("WARN"), told("INFO")), (outage, outage - 1));
        table.answers(Ok(stored(1)));
        for _ in 0..1_000 {
            advance(Duration::from_millis(100)).await;
            route(&cache).await;
        }
        assert_eq!((told("WARN"), told("INFO")), (outage, outage));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the table does, no request waits long or is routed by a level that the table never had. Once the table
    /// has worked for a while, its level is used.
    #[test]
    fn no_table_history_delays_a_request_or_keeps_a_level(
        steps in prop::collection::vec((0_u64..3_000, 0_u8..=6, 0_u64..500), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let table = Table::at_level(1);
            let cache = cache(&table);
            let mut said = vec![3];
            for (wait, does, delay) in steps {
                match does {
                    level @ 1..=3 => {
                        table.answers(Ok(stored(level)));
                        said.push(level);
                    }
                    4 => table.answers(Ok(StoredLevel::Lost)),
                    5 => table.answers(Ok(StoredLevel::Nothing)),
                    _ => table.fails(),
                }
                said.push(1);
                table.takes(Duration::from_millis(delay));
                advance(Duration::from_millis(wait)).await;
                let begun = Instant::now();
                let level = route(&cache).await;
                assert!(begun.elapsed() <= READ_LIMIT && said.contains(&level));
            }
            table.takes(Duration::ZERO);
            table.answers(Ok(stored(2)));
            advance(Duration::from_secs(6)).await;
            assert_eq!(route(&cache).await, 2);
        });
    }
}
