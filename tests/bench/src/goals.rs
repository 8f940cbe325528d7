//! The goals: what the Lambdas may take, as a multiple of the floor of the same run.

use std::fmt::{self, Display};

/// Time from `exec` to the call for the first event, times the floor's.
pub const START: f64 = 2.5;
/// Peak memory, times the floor's.
pub const MEMORY: f64 = 3.0;
/// Time of a warm request without its service, times the floor's whole time.
pub const OWN_TIME: f64 = 1.5;
/// Size of the deployment package, in MB.
pub const PACKAGE_MEGABYTES: f64 = 4.0;
/// Invocations of services for one routed request.
pub const INVOCATIONS: f64 = 1.0;
/// Reads of the state by one environment in a second. The cache is valid for a second ± 20 % at random, so there may be
/// slightly more than one read a second.
pub const READS_A_SECOND: f64 = 1.1;

/// The goals that were missed.
#[derive(Debug, Default)]
pub struct Missed(Vec<String>);

impl Missed {
    /// Records a missed goal if `measured` is above `goal` or was not measured.
    pub fn unless_at_most(&mut self, goal: f64, who: &str, what: &str, measured: Option<f64>) {
        match measured {
            Some(measured) if measured <= goal => {}
            Some(measured) => self.0.push(format!("{who}: {what} {measured:.2}, goal {goal}")),
            None => self.0.push(format!("{who}: {what} not measured, goal {goal}")),
        }
    }

    /// Whether a goal was missed.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("Every goal is met.");
        }
        write!(f, "Goals missed:")?;
        self.0.iter().try_for_each(|missed| write!(f, "\n- {missed}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(measured: Option<f64>) -> Missed {
        let mut missed = Missed::default();
        missed.unless_at_most(START, "controller", "start × floor", measured);
        missed
    }

    #[test]
    fn a_goal_is_met_up_to_its_figure() {
        assert!(!at(Some(START)).any());
        assert_eq!(at(Some(START)).to_string(), "Every goal is met.");
    }

    #[test]
    fn a_missed_goal_is_named_with_what_was_measured() {
        assert_eq!(at(Some(3.321)).to_string(), "Goals missed:\n- controller: start × floor 3.32, goal 2.5");
    }

    #[test]
    fn a_goal_that_was_not_measured_is_missed() {
        assert!(at(None).any());
        assert!(at(Some(f64::NAN)).any());
    }
}
