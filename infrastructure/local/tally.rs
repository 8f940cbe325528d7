//! Counts the requests and failures that pass the local gateway, by the current level.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};

/// Header in which the controller names the current level.
const LEVEL: &str = "x-circuit-breaker-level";
/// Header that the controller sets if a service failed and a fallback answered.
const FALLBACK: &str = "x-fallback-from";
/// Text in the body of an answer that declines by design.
const DECLINED: &[u8] = b"\"error\":\"declined\"";
/// Paths of the breaker itself.
const OWN_PATHS: [&str; 2] = ["/circuit-breaker", "/openapi.json"];

/// Requests of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All requests.
    pub requests: u64,
    /// Requests that were answered 5xx and not declined by design.
    pub failures: u64,
    /// Requests that one service failed and a fallback answered.
    pub fallbacks: u64,
    /// Requests that the level declined by design.
    pub declined: u64,
}

/// Requests by level. The key `-` is for answers without a level.
pub type Counts = BTreeMap<String, Count>;

/// A counter of answers.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    /// Counts an answer of the bank. Answers of the breaker itself are ignored.
    pub fn add(&self, path: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
        if OWN_PATHS.contains(&path) {
            return;
        }
        let declined =
            status == StatusCode::SERVICE_UNAVAILABLE && body.windows(DECLINED.len()).any(|text| text == DECLINED);
        let level = headers.get(LEVEL).and_then(|level| level.to_str().ok()).unwrap_or("-");
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(level.to_owned()).or_default();
        count.requests += 1;
        count.failures += u64::from(status.is_server_error() && !declined);
        count.fallbacks += u64::from(headers.contains_key(FALLBACK));
        count.declined += u64::from(declined);
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The recent requests per second, by level.
#[derive(Debug, Default)]
pub struct Rates {
    seen: VecDeque<(Instant, Counts)>,
}

impl Rates {
    /// Length of the time over which the rates are averaged.
    const SPAN: Duration = Duration::from_secs(10);

    /// Adds the counts up to `now`, and returns the requests per second of each level.
    pub fn update(&mut self, now: Instant, counts: Counts) -> BTreeMap<String, f64> {
        self.seen.push_back((now, counts.clone()));
        while self.seen.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= Self::SPAN) {
            self.seen.pop_front();
        }
        let Some((begin, before)) = self.seen.front() else { return BTreeMap::new() };
        let seconds = now.duration_since(*begin).as_secs_f64();
        let rate = |(level, count): (String, Count)| {
            let earlier = before.get(&level).map_or(0, |count| count.requests);
            #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
            let lately = count.requests.saturating_sub(earlier) as f64;
            (level, if seconds > 0.0 { lately / seconds } else { 0.0 })
        };
        counts.into_iter().map(rate).collect()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_5xx_not_by_design_count_as_failures() {
        let tally = Tally::default();
        let mut headers = HeaderMap::new();
        tally.add("/nowhere", StatusCode::NOT_FOUND, &headers, b"");
        headers.insert(LEVEL, HeaderValue::from_static("2"));
        tally.add("/account/1", StatusCode::OK, &headers, b"{\"error\":\"declined\"}");
        tally.add("/account/1", StatusCode::BAD_REQUEST, &headers, b"");
        tally.add("/account/1", StatusCode::SERVICE_UNAVAILABLE, &headers, b"{\"error\":\"unavailable\"}");
        tally.add("/transfer", StatusCode::SERVICE_UNAVAILABLE, &headers, b"{\"error\":\"declined\",\"level\":2}");
        tally.add("/circuit-breaker", StatusCode::OK, &headers, b"");
        headers.insert(FALLBACK, HeaderValue::from_static("degraded-service; status-500"));
        tally.add("/account/1", StatusCode::OK, &headers, b"");
        let expected = [
            ("-", Count { requests: 1, ..Count::default() }),
            ("2", Count { requests: 5, failures: 1, fallbacks: 1, declined: 1 }),
        ];
        assert_eq!(tally.counts(), expected.map(|(level, count)| (level.to_owned(), count)).into());
    }

    #[test]
    fn a_rate_covers_only_the_last_seconds() {
        let mut rates = Rates::default();
        let begin = Instant::now();
        let at = |seconds, requests| {
            let counts = Counts::from([("1".to_owned(), Count { requests, ..Count::default() })]);
            (begin + Duration::from_secs(seconds), counts)
        };
        for (seconds, requests, expected) in [(0, 0, 0.0), (5, 100, 20.0), (10, 100, 10.0), (20, 100, 0.0)] {
            let (now, counts) = at(seconds, requests);
            let rate = rates.update(now, counts)["1"];
            assert!((rate - expected).abs() < 1e-9, "after {seconds} s: {rate}");
        }
    }
}
