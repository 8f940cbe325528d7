//! The metrics of a request and of the calls that it makes.

use std::time::Duration;

use aws_edge::metrics::{Metric, MetricSet, namespace};
use breaker::{Level, OutcomeCounts};

use crate::milliseconds;
use crate::state_cache::{Routing, Source};

/// Returns the metrics of a request that took `taken`. `read_errors` is the number of failed reads of the state since
/// the last request.
pub fn of_request(deployment: &str, routing: &Routing, read_errors: u32, taken: Duration) -> MetricSet {
    let current = &routing.current;
    let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let mut metrics = vec![
        Metric::count("Invocation", 1),
        Metric::level("CurrentLevel", current.level),
        Metric::milliseconds("ResponseTime", milliseconds(taken)),
    ];
    if let Some(state) = &current.state {
        metrics.push(Metric::number("FailureCount", number(state.failure_count)));
        metrics.push(Metric::number("SuccessCount", number(state.success_count)));
    }
    // Log lines are billed by the byte, and the age of a fresh state is not needed.
    if let Some(age) = current.age.or(routing.unknown_for).filter(|_| !routing.fresh) {
        metrics.push(Metric::seconds("StateAgeSeconds", milliseconds(age).round() / 1_000.0));
    }
    if current.source == Source::Fallback {
        metrics.push(Metric::count("StateUnknown", 1));
    }
    if read_errors > 0 {
        metrics.push(Metric::count("StateReadErrors", read_errors));
    }
    MetricSet::of_deployment(namespace::CONTROLLER, deployment, metrics)
}

/// The kind of a call's answer, beside its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerKind {
    /// Neither of the others.
    #[default]
    Ordinary,
    /// The fallback's answer, after a level that failed.
    Fallback,
    /// The level declined by design.
    Declined,
}

/// Returns the metrics of a call that took `taken`. A slow call has one metric more. A refused probe has a metric of
/// its own, because without one it would look as if the better level had not been probed.
pub fn of_call(deployment: &str, level: Level, counts: OutcomeCounts, kind: AnswerKind, taken: Duration) -> MetricSet {
    let OutcomeCounts { successes, errors, slow_calls, refused } = counts;
    let mut metrics = vec![Metric::milliseconds("ResponseTime", milliseconds(taken))];
    let counted = [("Success", successes), ("Error", errors), ("ProbeRefused", refused), ("SlowCall", slow_calls)];
    for (name, count) in counted {
        if count > 0 {
            metrics.push(Metric::count(name, u32::try_from(count).unwrap_or(u32::MAX)));
        }
    }
    match kind {
        AnswerKind::Ordinary => {}
        AnswerKind::Fallback => metrics.push(Metric::count("Fallback", 1)),
        AnswerKind::Declined => metrics.push(Metric::count("Declined", 1)),
    }
    MetricSet::of_service(deployment, level, metrics)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use aws_edge::embedded_metrics::EmbeddedMetricLog;
    use aws_edge::metrics::MetricLog;
    use breaker::{Policy, Preset, SystemState};
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::state_cache::Current;

    const DEPLOYMENT: &str = "bank-circuit-breaker-prod";
    /// Time between two requests of a busy environment: 8.7 requests a second, of 115 ms each.
    const BUSY_GAP_MICROS: u32 = 114_943;
    const MINUTE_MICROS: u32 = 60_000_000;

    #[derive(Clone, Default)]
    struct Bytes(Arc<Mutex<usize>>);

    impl Write for Bytes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            *self.0.lock().unwrap() += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn routing(fresh: bool) -> Routing {
        let state = SystemState::initial(&Policy::from(Preset::Production), Timestamp::UNIX_EPOCH);
        let age = Some(Duration::from_millis(1_043));
        let current = Current { level: Level::Full, state: Some(Arc::new(state)), source: Source::Table, age };
        Routing { current, refresh_due: !fresh, fresh, unknown_for: None }
    }

    /// Returns the bytes that a request writes on average, with `gap_micros` between two requests.
    fn bytes_a_request(gap_micros: u32) -> usize {
        let (start, bytes) = (Timestamp::from_second(1_700_000_000).unwrap(), Bytes::default());
        let log = EmbeddedMetricLog::new(bytes.clone());
        let requests = MINUTE_MICROS / gap_micros;
        let mut next_read = 0;
        for n in 0..requests {
            let begun = n * gap_micros;
            let at = |micros: u32| start + SignedDuration::from_micros(micros.into());
            let fresh = begun < next_read;
            if !fresh {
                next_read = begun + 1_000_000;
            }
            log.request(at(begun));
            let taken = Duration::from_micros(u64::from(95_000 + n * 7_919 % 10_000));
            let counts = OutcomeCounts { successes: 1, ..OutcomeCounts::default() };
            let ended = at(begun + 100_000);
            log.record_soon(ended, &of_call(DEPLOYMENT, Level::Full, counts, AnswerKind::default(), taken));
            let whole = taken + Duration::from_micros(411);
            log.record_soon(ended, &of_request(DEPLOYMENT, &routing(fresh), 0, whole));
        }
        log.write_pending();
        let bytes = *bytes.0.lock().unwrap();
        bytes / usize::try_from(requests).unwrap()
    }

    /// The figures of the cost page. Before outcomes were added up, a request wrote 1,027 bytes.
    #[test]
    fn a_busy_environment_writes_a_fifth_of_the_bytes() {
        let (busy, alone) = (bytes_a_request(BUSY_GAP_MICROS), bytes_a_request(2_000_000));
        println!("{busy} bytes a request at 8.7 requests a second, {alone} at one in two seconds");
        assert!(busy * 5 <= 1_027 && busy * 5 <= alone, "{busy} bytes, {alone} alone");
    }

    #[test]
    fn an_unknown_state_is_counted_and_has_an_age() {
        let current = Current { level: Level::Maintenance, state: None, source: Source::Fallback, age: None };
        let unknown_for = Some(Duration::from_secs(90));
        let routing = Routing { current, refresh_due: false, fresh: false, unknown_for };
        let set = of_request(DEPLOYMENT, &routing, 1, Duration::ZERO);
        let value = |name| set.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        assert_eq!((value("StateUnknown"), value("StateAgeSeconds")), (Some(1.0), Some(90.0)));
    }
}
