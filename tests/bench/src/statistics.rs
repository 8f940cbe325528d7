//! Percentiles and ratios.

use std::time::Duration;

/// Measured durations.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Adds one measurement.
    pub fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Returns the duration that `percent` of the measurements do not exceed (nearest rank), or `None` without
    /// measurements.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of measurements.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }
}

/// Returns the ratio of the first to the second; `None` if either was not measured.
#[must_use]
pub fn ratio(of: Option<Duration>, floor: Option<Duration>) -> Option<f64> {
    let floor = floor.filter(|floor| !floor.is_zero())?;
    Some(of?.as_secs_f64() / floor.as_secs_f64())
}

/// Returns the ratio of the first to the second.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
pub fn quotient(of: u64, by: u64) -> f64 {
    of as f64 / by as f64
}

/// Returns the rate a second.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
pub fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: impl IntoIterator<Item = u64>) -> Sample {
        Sample(milliseconds.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let hundred = sample((1..=100).rev());
        assert_eq!(hundred.percentile(50), Some(Duration::from_millis(50)));
        assert_eq!(hundred.percentile(99), Some(Duration::from_millis(99)));
        assert_eq!(sample([7, 3]).percentile(50), Some(Duration::from_millis(3)));
        assert_eq!(sample([7]).percentile(99), Some(Duration::from_millis(7)));
    }

    #[test]
    fn nothing_measured_has_no_percentile() {
        assert_eq!(Sample::default().percentile(50), None);
    }

    #[test]
    fn a_ratio_needs_both() {
        let (two, three) = (Duration::from_millis(2), Duration::from_millis(3));
        assert_eq!(ratio(Some(three), Some(two)), Some(1.5));
        for (of, floor) in [(None, Some(two)), (Some(two), None), (Some(two), Some(Duration::ZERO))] {
            assert_eq!(ratio(of, floor), None);
        }
    }
}
