//! Counts the requests of a run.

use breaker::Level;

use crate::report::Point;
use crate::request::Request;
use crate::world::Outcome;

/// Maximum number of points of a timeline, as many as a chart can show.
const POINTS: u32 = 240;
/// Maximum wait that is counted to the millisecond: three timeouts of maximum length, one after the other.
const LONGEST_WAIT: usize = 42_000;

/// Counts requests.
#[derive(Debug)]
pub struct Tally {
    /// Waits of the requests that are not retryable, by millisecond.
    waits: Vec<u64>,
    /// Waits of the retryable requests, by millisecond.
    read_waits: Vec<u64>,
    seconds_a_point: u32,
    /// The results of the requests over time. Whether level 1 was healthy is not filled in.
    pub timeline: Vec<Point>,
    /// Probes sent.
    pub probes: u64,
    /// Probes that failed.
    pub failed_probes: u64,
    /// Probes that were refused (4xx).
    pub refused_probes: u64,
}

impl Tally {
    pub fn new(seconds: u32) -> Self {
        let seconds_a_point = seconds.div_ceil(POINTS).max(1);
        let points = seconds.div_ceil(seconds_a_point);
        let timeline = (0..points).map(|point| Point { second: point * seconds_a_point, ..Point::default() }).collect();
        let (waits, read_waits) = (vec![0; LONGEST_WAIT], vec![0; LONGEST_WAIT]);
        Self { waits, read_waits, seconds_a_point, timeline, probes: 0, failed_probes: 0, refused_probes: 0 }
    }

    /// Counts the answer to a request, after a wait in milliseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "waits are short and not negative")]
    pub fn request(&mut self, request: &Request, outcome: Outcome, waited: f64, level: Level) {
        let wait = (waited as usize).min(LONGEST_WAIT - 1);
        let waits = if request.retryable { &mut self.read_waits } else { &mut self.waits };
        if let Some(count) = waits.get_mut(wait) {
            *count += 1;
        }
        let point = usize::try_from(request.at / 1_000 / i64::from(self.seconds_a_point)).unwrap_or(usize::MAX);
        let Some(point) = self.timeline.get_mut(point) else { return };
        point.requests += 1;
        point.failed += u64::from(outcome == Outcome::Failed);
        point.declined += u64::from(outcome == Outcome::Declined);
        point.refused += u64::from(outcome == Outcome::Refused);
        point.degraded += u64::from(level > Level::Full);
    }

    /// Counts the outcome of a probe.
    pub const fn probe(&mut self, outcome: Outcome) {
        self.probes += 1;
        match outcome {
            Outcome::Failed => self.failed_probes += 1,
            Outcome::Refused => self.refused_probes += 1,
            Outcome::Answered | Outcome::Declined => {}
        }
    }

    /// Returns the wait that one in a hundred requests exceeds, in milliseconds.
    pub fn p99_wait(&self) -> u32 {
        let all = self.waits.iter().zip(&self.read_waits).map(|(others, reads)| others + reads);
        p99(&all.collect::<Vec<_>>())
    }

    /// Returns the wait that one in a hundred retryable requests exceeds, in milliseconds.
    pub fn p99_read_wait(&self) -> u32 {
        p99(&self.read_waits)
    }
}

/// Returns the wait that one in a hundred requests exceeds. `waits` are numbers of requests by millisecond.
fn p99(waits: &[u64]) -> u32 {
    let all: u64 = waits.iter().sum();
    let mut left = all - all / 100;
    let found = waits.iter().position(|count| {
        left = left.saturating_sub(*count);
        left == 0
    });
    u32::try_from(found.unwrap_or(0)).unwrap_or(u32::MAX)
}
