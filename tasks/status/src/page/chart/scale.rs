//! Scales: from times and counts to whole pixels.

use jiff::Timestamp;

/// A time axis.
#[derive(Clone, Copy, Debug)]
pub struct TimeScale {
    from: i64,
    until: i64,
    left: i64,
    right: i64,
}

impl TimeScale {
    /// Returns the scale that draws `from` at `left` and `until` at `right`.
    pub fn new(from: Timestamp, until: Timestamp, left: i64, right: i64) -> Self {
        Self { from: from.as_second(), until: until.as_second().max(from.as_second() + 1), left, right }
    }

    /// Returns the place of `at`; a time outside the axis is drawn at its end.
    pub fn x(&self, at: Timestamp) -> i64 {
        let at = at.as_second().clamp(self.from, self.until);
        self.left + (at - self.from) * (self.right - self.left) / (self.until - self.from)
    }

    /// Returns whether `at` is on the axis.
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.from..=self.until).contains(&at.as_second())
    }

    /// Returns the whole multiples of `step_minutes` on the axis.
    pub fn ticks(&self, step_minutes: i64) -> impl Iterator<Item = Timestamp> {
        let step = step_minutes.max(1) * 60;
        let first = self.from.div_euclid(step) + i64::from(self.from.rem_euclid(step) > 0);
        let last = self.until.div_euclid(step);
        (first..=last).filter_map(move |tick| Timestamp::from_second(tick * step).ok())
    }
}

/// An axis of counts, from 0 at the bottom.
#[derive(Clone, Copy, Debug)]
pub struct CountScale {
    max: u64,
    top: i64,
    bottom: i64,
}

impl CountScale {
    /// Returns the scale that draws 0 at `bottom` and `max` at `top`.
    pub const fn new(max: u64, top: i64, bottom: i64) -> Self {
        Self { max, top, bottom }
    }

    /// Returns the place of `count`; one above the maximum is drawn at the top.
    pub fn y(&self, count: u64) -> i64 {
        let height = u64::try_from(self.bottom - self.top).unwrap_or_default();
        let part = count.min(self.max).saturating_mul(height).checked_div(self.max).unwrap_or_default();
        self.bottom - i64::try_from(part).unwrap_or_default()
    }
}

/// Returns the smallest of 5, 6, 8, 10, 15, 20, 30, 40, 50, 60 and so on that is not below `count`.
pub fn nice_maximum(count: u64) -> u64 {
    let mut decade: u64 = 1;
    loop {
        for step in [5, 6, 8, 10, 15, 20, 30, 40] {
            let maximum = decade.saturating_mul(step);
            if maximum >= count {
                return maximum;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn times_lie_between_the_ends_of_the_axis() {
        let scale = TimeScale::new(at(0), at(3_600), 40, 940);
        assert_eq!([-5, 0, 1_800, 3_600, 9_999].map(|second| scale.x(at(second))), [40, 40, 490, 940, 940]);
        assert!(scale.contains(at(3_600)) && !scale.contains(at(3_601)));
    }

    #[test]
    fn ticks_are_whole_multiples() {
        let scale = TimeScale::new(at(130), at(1_300), 0, 100);
        assert_eq!(scale.ticks(10).collect::<Vec<_>>(), [at(600), at(1_200)]);
        assert_eq!(TimeScale::new(at(600), at(1_200), 0, 100).ticks(10).count(), 2);
    }

    #[test]
    fn counts_grow_upwards_and_stop_at_the_top() {
        let scale = CountScale::new(10, 20, 120);
        assert_eq!([0, 5, 10, 11].map(|count| scale.y(count)), [120, 70, 20, 20]);
        assert_eq!(CountScale::new(0, 20, 120).y(7), 120);
    }

    proptest! {
        #[test]
        fn the_maximum_is_nice_and_not_too_large(count in 0_u64..10_000_000) {
            let maximum = nice_maximum(count);
            prop_assert!(maximum >= count.max(5) && maximum <= count.saturating_mul(3) / 2 + 5);
        }
    }
}
