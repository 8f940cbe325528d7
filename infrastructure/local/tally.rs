//! Requests and failures by the level that was current, counted where they pass.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};

/// What the controller says of each answer: the level that was current.
const LEVEL: &str = "x-circuit-breaker-level";

/// Requests of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub requests: u64,
    /// Those that were answered 5xx.
    pub failures: u64,
}

/// Requests by level; `-` stands for answers that no level gave.
pub type Counts = BTreeMap<String, Count>;

/// Counts answers.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    /// Counts an answer.
    pub fn add(&self, status: StatusCode, headers: &HeaderMap) {
        let level = headers.get(LEVEL).and_then(|level| level.to_str().ok()).unwrap_or("-");
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(level.to_owned()).or_default();
        count.requests += 1;
        count.failures += u64::from(status.is_server_error());
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How many requests a second there were lately, by level.
#[derive(Debug, Default)]
pub struct Rates {
    seen: VecDeque<(Instant, Counts)>,
}

impl Rates {
    /// What "lately" is.
    const SPAN: Duration = Duration::from_secs(10);

    /// Takes in what was counted up to `now`, and returns the requests a second of each level.
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
    fn answers_count_for_the_level_that_they_name_and_only_5xx_as_failures() {
        let tally = Tally::default();
        let mut headers = HeaderMap::new();
        tally.add(StatusCode::NOT_FOUND, &headers);
        headers.insert(LEVEL, HeaderValue::from_static("2"));
        tally.add(StatusCode::OK, &headers);
        tally.add(StatusCode::BAD_REQUEST, &headers);
        tally.add(StatusCode::SERVICE_UNAVAILABLE, &headers);
        let expected = [("-", Count { requests: 1, failures: 0 }), ("2", Count { requests: 3, failures: 1 })];
        assert_eq!(tally.counts(), expected.map(|(level, count)| (level.to_owned(), count)).into());
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds_and_not_of_all_time() {
        let mut rates = Rates::default();
        let begin = Instant::now();
        let at = |seconds, requests| {
            let counts = Counts::from([("1".to_owned(), Count { requests, failures: 0 })]);
            (begin + Duration::from_secs(seconds), counts)
        };
        for (seconds, requests, expected) in [(0, 0, 0.0), (5, 100, 20.0), (10, 100, 10.0), (20, 100, 0.0)] {
            let (now, counts) = at(seconds, requests);
            let rate = rates.update(now, counts)["1"];
            assert!((rate - expected).abs() < 1e-9, "after {seconds} s: {rate}");
        }
    }
}
