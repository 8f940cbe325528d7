//! Makes the report of a run that has ended.

use breaker::{DRAWS, Level, PerLevel};
use jiff::Timestamp;

use crate::contender::Contender;
use crate::control::ControlPlane;
use crate::report::{Point, Report, percent};
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::time::seconds;
use crate::world::World;

/// A run that has ended.
pub struct EndedRun<'a> {
    pub scenario: &'a Scenario,
    pub contender: &'a Contender,
    pub seed: u64,
    pub world: &'a World<'a>,
    pub start: Timestamp,
    /// None if the contender has no breaker.
    pub control: Option<&'a ControlPlane<'a>>,
}

/// The time at each level, in seconds.
#[derive(Default)]
struct Stays {
    at_level: PerLevel<f64>,
    unnecessary: f64,
    unnecessary_ramp: f64,
}

impl Stays {
    fn new(run: &EndedRun<'_>) -> Self {
        let EndedRun { scenario, world, start, control, .. } = *run;
        let mut stays = Self::default();
        for second in 0..scenario.seconds() {
            let at = start + seconds(f64::from(second) + 0.5);
            let state = control.and_then(|control| control.state_at(at));
            let level = state.map_or(Level::Full, |state| state.current_level);
            *stays.at_level.of_mut(level) += 1.0;
            if !world.is_healthy(second) {
                continue;
            }
            if level > Level::Full {
                stays.unnecessary += 1.0;
            } else if let Some(ramp) = state.and_then(|state| state.active_ramp(at)) {
                stays.unnecessary_ramp += 1.0 - f64::from(ramp.share(at)) / f64::from(DRAWS);
            }
        }
        stays
    }
}

impl EndedRun<'_> {
    /// Returns the report of the run, whose requests are counted in `tally`.
    pub fn report(&self, mut tally: Tally) -> Report {
        let Self { scenario, contender, seed, world, control, .. } = *self;
        for point in &mut tally.timeline {
            point.healthy = world.is_healthy(point.second);
        }
        let sum = |of: fn(&Point) -> u64| tally.timeline.iter().map(of).sum::<u64>();
        let (requests, failed) = (sum(|point| point.requests), sum(|point| point.failed));
        let (declined, refused) = (sum(|point| point.declined), sum(|point| point.refused));
        let stays = Stays::new(self);
        let moves = control.map(|control| control.moves.clone()).unwrap_or_default();
        let overrides = contender.policy.map(|policy| policy.settings().overrides()).unwrap_or_default();
        Report {
            policy: contender.name.clone(),
            overrides: overrides.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            requests_per_second: scenario.requests_per_second,
            seed,
            seconds: scenario.seconds(),
            requests,
            answered: requests - failed - declined - refused,
            failed,
            declined,
            refused,
            failed_percent: percent(failed, requests),
            declined_percent: percent(declined, requests),
            p99_wait_milliseconds: tally.p99_wait(),
            p99_read_wait_milliseconds: tally.p99_read_wait(),
            transitions: u32::try_from(moves.len()).unwrap_or(u32::MAX),
            seconds_at_level: stays.at_level,
            unnecessary_degradation_seconds: stays.unnecessary,
            unnecessary_ramp_seconds: stays.unnecessary_ramp,
            probes: tally.probes,
            failed_probes: tally.failed_probes,
            refused_probes: tally.refused_probes,
            looks: control.map_or(0, |control| control.looks),
            moves,
            timeline: tally.timeline,
        }
    }
}
