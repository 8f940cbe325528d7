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

    /// The duration that `percent` of the measurements do not exceed (nearest rank); nothing without
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

    /// How many measurements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: impl IntoIterator<Item = u64>) -> Sample {
        Sample(milliseconds.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_percentile_is_the_smallest_measurement_that_so_many_do_not_exceed() {
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
}
