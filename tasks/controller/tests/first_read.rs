//! The first read of an environment: how long it may take, and how requests are routed without it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::time::Duration;

use breaker::Level;
use common::{TTL, Table};
use controller::StateCache;
use tokio::time::{Instant, advance};

fn cache(table: &Table) -> StateCache<&Table> {
    StateCache::new(table, TTL, Level::Maintenance)
}

async fn route(cache: &StateCache<&Table>) -> u8 {
    cache.routing().await.current.level.number()
}

/// The table hangs while an environment starts. The start has waited long enough, so its first request waits for no
/// read.
#[tokio::test(start_paused = true)]
async fn a_start_waits_for_its_first_read_and_its_request_for_none() {
    let table = Table::at_level(2);
    table.takes(Duration::from_hours(1));
    let cache = cache(&table);
    let begun = Instant::now();
    cache.prime().await;
    assert_eq!(route(&cache).await, 3);
    assert_eq!((begun.elapsed(), table.reads()), (Duration::from_millis(1_500), 1));
}

/// On a busy machine 13 of 3,000 callers got level 3, because the first reads of new environments took 600 ms.
#[tokio::test(start_paused = true)]
async fn a_start_waits_for_a_late_first_read() {
    let table = Table::at_level(1);
    table.takes(Duration::from_millis(1_400));
    let cache = cache(&table);
    cache.prime().await;
    assert_eq!(route(&cache).await, 1);
    assert_eq!(cache.routing().await.unknown_for, None);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_state_has_an_age() {
    let table = Table::at_level(1);
    table.fails();
    let cache = cache(&table);
    cache.prime().await;
    advance(Duration::from_mins(2)).await;
    assert_eq!(route(&cache).await, 3);
    assert_eq!(cache.routing().await.unknown_for, Some(Duration::from_mins(2)));
}
