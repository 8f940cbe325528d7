//! The control plane: schedule, alarms, evaluations, and the state that they write.

use std::collections::BTreeMap;

use breaker::{
    AlarmHint, AlarmRequest, Decision, Evidence, EvidenceQuery, Level, Outcome, Policy, SECONDS_OF_LOOKS,
    ScheduleRequest, SystemState, TransitionRequest, decide, looks_again,
};
use jiff::{SignedDuration, Timestamp};

use crate::alarms::{Alarm, alarms};
use crate::metrics::Metrics;
use crate::report::Move;
use crate::scenario::{ControlPlane as Timing, Scenario};
use crate::time::seconds;

/// One evaluation, with everything that it used.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// The state that was read.
    pub state: &'a SystemState,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The request that asked for it.
    pub request: &'a TransitionRequest,
    /// The evidence that was read from the metrics.
    pub evidence: &'a Evidence,
    /// Time of the evaluation (UTC).
    pub now: Timestamp,
    /// The decision.
    pub decision: &'a Decision,
}

/// An event that is due.
#[derive(Clone, Debug)]
enum Due {
    /// The alarms evaluate the period that ends at this Unix second.
    Alarms(i64),
    Schedule,
    /// An execution evaluates again.
    LookAgain(Execution),
    /// An alarm's message is processed: the alarm by its place.
    Alarm(usize),
}

/// An execution of the state machine.
#[derive(Clone, Debug)]
struct Execution {
    request: TransitionRequest,
    /// Number of evaluations that are left.
    looks: u8,
    /// Start of the first evaluation; None before it.
    begun: Option<Timestamp>,
}

impl Execution {
    fn new(request: TransitionRequest) -> Self {
        Self { looks: request.looks(), request, begun: None }
    }
}

/// The control plane with its state.
pub struct ControlPlane<'a> {
    pub policy: Policy,
    timing: Timing,
    alarms: Vec<Alarm>,
    /// The events by time, and by number if two are due at once.
    due: BTreeMap<(Timestamp, u64), Due>,
    numbers: u64,
    /// One execution runs at a time; a second one would lose the race and evaluate again.
    free_at: Timestamp,
    /// The states, each with the time from which the table shows it, oldest first.
    pub states: Vec<(Timestamp, SystemState)>,
    pub moves: Vec<Move>,
    pub looks: u64,
    start: Timestamp,
    watch: &'a mut dyn FnMut(&Evaluation<'_>),
}

impl<'a> ControlPlane<'a> {
    /// Returns a control plane that has just been deployed. The schedule's first evaluation comes after the share
    /// `first_look` of its period.
    pub fn new(
        policy: Policy,
        scenario: &Scenario,
        start: Timestamp,
        first_look: f64,
        watch: &'a mut dyn FnMut(&Evaluation<'_>),
    ) -> Self {
        let timing = scenario.control_plane;
        let mut control = Self {
            policy,
            timing,
            alarms: alarms(&policy),
            due: BTreeMap::new(),
            numbers: 0,
            free_at: start,
            states: vec![(start, SystemState::initial(&policy, start))],
            moves: Vec::new(),
            looks: 0,
            start,
            watch,
        };
        let first_look = seconds(first_look * f64::from(timing.schedule_seconds));
        control.plan(start + first_look, Due::Schedule);
        let period = i64::from(timing.alarm_period_seconds);
        let first_period = (start.as_second().div_euclid(period) + 1) * period;
        control.plan_alarms(first_period);
        control
    }

    /// Processes everything that is due until `now`.
    pub fn advance(&mut self, now: Timestamp, metrics: &Metrics) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), due) = entry.remove_entry();
            match due {
                Due::Schedule => {
                    self.plan(at + SignedDuration::from_secs(self.timing.schedule_seconds.into()), Due::Schedule);
                    let request = ScheduleRequest { looks: Some(self.timing.looks), ..ScheduleRequest::default() };
                    self.execute(Execution::new(TransitionRequest::Schedule(request)), at, metrics);
                }
                Due::LookAgain(execution) => self.execute(execution, at, metrics),
                Due::Alarms(until) => self.evaluate_alarms(at, until, metrics),
                Due::Alarm(place) => {
                    let alarm = self.alarms.get(place).map(|alarm| AlarmHint::new(alarm.name(), None, Some(at)));
                    let Some(Ok(alarm)) = alarm else { continue };
                    let request = TransitionRequest::Alarm(AlarmRequest { alarm, dry_run: false });
                    self.execute(Execution::new(request), at, metrics);
                }
            }
        }
    }

    /// Returns the state that the table shows at `now`.
    pub fn state_at(&self, now: Timestamp) -> Option<&SystemState> {
        self.states.iter().rev().find(|(from, _)| *from <= now).or_else(|| self.states.first()).map(|(_, state)| state)
    }

    fn evaluate_alarms(&mut self, now: Timestamp, until: i64, metrics: &Metrics) {
        let period = i64::from(self.timing.alarm_period_seconds);
        self.plan_alarms(until + period);
        let gone_off: Vec<_> = self
            .alarms
            .iter_mut()
            .enumerate()
            .filter_map(|(place, alarm)| alarm.goes_off(metrics, until, period).then_some(place))
            .collect();
        for place in gone_off {
            self.plan(now, Due::Alarm(place));
        }
    }

    fn plan_alarms(&mut self, until: i64) {
        let end = Timestamp::from_second(until).unwrap_or(Timestamp::MAX);
        self.plan(end + seconds(self.timing.alarm_delay_seconds), Due::Alarms(until));
    }

    fn plan(&mut self, at: Timestamp, due: Due) {
        self.due.insert((at, self.numbers), due);
        self.numbers += 1;
    }

    /// Evaluates, and plans the execution's next evaluation as the state machine does.
    fn execute(&mut self, execution: Execution, at: Timestamp, metrics: &Metrics) {
        let Execution { request, looks, begun } = execution;
        let begun = begun.unwrap_or_else(|| at.max(self.free_at));
        if !self.look(&request, at, metrics) {
            return;
        }
        let again = self.free_at + SignedDuration::from_secs(request.seconds_between_looks().into());
        if looks > 1 && again.duration_since(begun) < SignedDuration::from_secs(SECONDS_OF_LOOKS.into()) {
            self.plan(again, Due::LookAgain(Execution { request, looks: looks - 1, begun: Some(begun) }));
        }
    }

    /// Evaluates. Returns whether the execution is to evaluate again.
    fn look(&mut self, request: &TransitionRequest, at: Timestamp, metrics: &Metrics) -> bool {
        let now = at.max(self.free_at);
        let Some((_, state)) = self.states.last() else { return false };
        let query = EvidenceQuery::new(state, &self.policy, now);
        let visible = now - seconds(self.timing.metric_delay_seconds);
        let read = |level: Level| metrics.buckets(level, &query.ranges, visible);
        let evidence = Evidence::new(read(query.level)).with_probes(query.probed.map(read).unwrap_or_default());
        // Only operators' commands can be refused.
        let Ok(decision) = decide(state, &self.policy, request, &evidence, now) else { return false };
        (self.watch)(&Evaluation {
            state,
            policy: &self.policy,
            request,
            evidence: &evidence,
            now,
            decision: &decision,
        });
        let again = looks_again(request, &decision, decision.next().unwrap_or(state), &self.policy, now);
        self.looks += 1;
        let written = now + seconds(self.timing.execution_seconds);
        self.free_at = written;
        if decision.outcome() == Outcome::Transition {
            self.moves.push(Move {
                second: written.duration_since(self.start).as_secs_f64(),
                from: decision.from(),
                to: decision.to(),
                reason: decision.cause().to_string(),
                cause: decision.cause(),
            });
        }
        if let Some(next) = decision.into_next() {
            self.states.push((written, next));
        }
        again
    }
}
