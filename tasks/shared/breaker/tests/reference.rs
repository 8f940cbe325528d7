//! Whole histories, given to the rules and to a plain reference implementation.
//!
//! The reference shares no code with the rules: it keeps every outcome in a list, counts in whole milliseconds, and
//! counts the whole list for each decision.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use breaker::{Bucket, Evidence, EvidenceQuery, Level, Policy, PolicySettings, SystemState, TransitionRequest, decide};
use common::{at, force, release, schedule};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// An outcome of one request.
struct Seen {
    second: i64,
    level: u8,
    success: bool,
}

/// The reference implementation.
struct Reference {
    settings: PolicySettings,
    seen: Vec<Seen>,
    level: u8,
    moves: u64,
    /// Outcomes of seconds that begin earlier do not count.
    counts_from: i64,
    carried: i64,
    moved_at: i64,
    /// The end of the last hold, if nothing has ended or replaced it.
    held_until: Option<i64>,
    relapses: u32,
    /// Time of the last move, if it was a recovery.
    recovered_at: Option<i64>,
}

impl Reference {
    const fn new(settings: PolicySettings) -> Self {
        Self {
            settings,
            seen: Vec::new(),
            level: 1,
            moves: 0,
            counts_from: -1000 * settings.window_seconds,
            carried: 0,
            moved_at: 0,
            held_until: None,
            relapses: 0,
            recovered_at: None,
        }
    }

    fn is_held(&self, now: i64) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    fn counts_from(&self, now: i64) -> i64 {
        match self.held_until {
            Some(until) if until <= now => self.counts_from.max(until),
            _ => self.counts_from,
        }
    }

    fn counted(&self, now: i64) -> impl Iterator<Item = &Seen> {
        let from = self.counts_from(now);
        self.seen.iter().filter(move |one| one.level == self.level && one.second * 1000 >= from)
    }

    /// Returns the second in which an outcome is read, or its minute if the outcome is older than 30 minutes and than
    /// the window. A minute that began before outcomes count is not read.
    fn read_at(&self, one: &Seen, now: i64) -> Option<i64> {
        let by_the_second =
            if self.settings.window_seconds == 0 { 170 * 60 } else { self.settings.window_seconds.max(30 * 60) };
        let minutes_end = (now / 1000 - by_the_second).div_euclid(60) * 60;
        if one.second >= minutes_end {
            return Some(one.second);
        }
        let minute = one.second.div_euclid(60) * 60;
        (minute * 1000 >= self.counts_from(now)).then_some(minute)
    }

    fn failures(&self, now: i64) -> i64 {
        let window = self.settings.window_seconds * 1000;
        let in_window = |one: &&Seen| window == 0 || one.second * 1000 >= now - window;
        let errors = self.counted(now).filter(|one| !one.success).filter(in_window).count();
        let carry_lapsed = window != 0 && now - self.moved_at >= window;
        i64::try_from(errors).unwrap() + if carry_lapsed { 0 } else { self.carried }
    }

    fn streak(&self, now: i64) -> i64 {
        let settled = now - self.settings.settle_seconds * 1000;
        let is_settled = |one: &&Seen| (one.second + 1) * 1000 <= settled;
        let read = |one: &Seen| Some(Seen { second: self.read_at(one, now)?, ..*one });
        let outcomes: Vec<_> = self.counted(now).filter(is_settled).filter_map(read).collect();
        let of = |second, success| {
            let same = outcomes.iter().filter(|one| one.second == second && one.success == success);
            i64::try_from(same.count()).unwrap()
        };
        let Some(newest) = outcomes.iter().map(|one| one.second).max() else { return 0 };
        let last_bad = outcomes.iter().filter(|one| !one.success).map(|one| one.second).max();
        let after = outcomes.iter().filter(|one| one.success && last_bad.is_none_or(|bad| one.second > bad));
        let at_the_end = i64::try_from(after.count()).unwrap();
        let (good, pieces) = (of(newest, true), of(newest, false) + 1);
        let within_newest = good / pieces + i64::from(good % pieces > 0);
        at_the_end.max(within_newest)
    }

    fn cooldown(&self) -> i64 {
        let (base, longest) = (self.settings.cooldown_seconds, self.settings.longest_cooldown_seconds);
        let mut cooldown = base;
        for _ in 0..self.relapses {
            cooldown = if longest == 0 { base } else { longest.min(cooldown * 2) };
        }
        cooldown * 1000
    }

    fn move_to(&mut self, level: u8, carried: i64, now: i64) {
        self.level = level;
        self.moves += 1;
        self.moved_at = now;
        self.start_anew(carried, now);
    }

    const fn start_anew(&mut self, carried: i64, now: i64) {
        self.counts_from = now;
        self.carried = carried;
        self.held_until = None;
    }

    fn evaluate(&mut self, now: i64) {
        if self.is_held(now) {
            return;
        }
        let PolicySettings { level_1_failures, level_2_failures, .. } = self.settings;
        let failures = self.failures(now);
        match self.level {
            1 if failures >= level_1_failures => return self.fall(2, level_1_failures, now),
            2 if failures >= level_2_failures => return self.fall(3, 0, now),
            _ => {}
        }
        let wanted = match self.level {
            2 => self.settings.level_2_successes,
            3 => self.settings.level_3_successes,
            _ => return,
        };
        if self.streak(now) >= wanted && now - self.moved_at >= self.cooldown() {
            self.recovered_at = Some(now);
            self.move_to(self.level - 1, 0, now);
        }
    }

    fn fall(&mut self, level: u8, carried: i64, now: i64) {
        let relapse_window = self.settings.relapse_window_seconds * 1000;
        if relapse_window > 0 && self.recovered_at.is_some_and(|recovered| now - recovered <= relapse_window) {
            self.relapses += 1;
        } else if now - self.moved_at >= self.settings.calm_seconds * 1000 {
            self.relapses = 0;
        }
        self.recovered_at = None;
        self.move_to(level, carried, now);
    }

    fn force(&mut self, level: u8, hold_minutes: Option<u32>, now: i64) {
        if level != self.level {
            self.relapses = 0;
            self.recovered_at = None;
            self.move_to(level, 0, now);
        } else if hold_minutes.is_some() || self.is_held(now) {
            self.start_anew(0, now);
        }
        if let Some(minutes) = hold_minutes {
            self.held_until = Some(now + i64::from(minutes) * 60_000);
        }
    }

    fn release(&mut self, now: i64) {
        if self.is_held(now) {
            self.start_anew(0, now);
        }
    }
}

/// An event of a history.
#[derive(Clone, Debug)]
enum Event {
    /// Successes and errors in this second, at the current level or at one that requests still use.
    Outcomes(Option<u8>, u64, u64),
    Evaluation,
    Force(u8, Option<u32>),
    Release,
}

/// The rules with the same history.
struct Rules {
    policy: Policy,
    state: SystemState,
    buckets: BTreeMap<(Level, i64), (u64, u64)>,
}

impl Rules {
    fn evidence(&self, now: Timestamp) -> Evidence {
        let query = EvidenceQuery::new(&self.state, &self.policy, now);
        let mut read = BTreeMap::new();
        for range in &query.ranges {
            let of_level = self.buckets.iter().filter(|((level, _), _)| *level == query.level);
            for ((_, second), (successes, errors)) in of_level {
                let start = at(second - second.rem_euclid(range.period_seconds.into()));
                if (range.start..range.end).contains(&start) {
                    let bucket = read.entry(start).or_insert_with(|| Bucket::empty(start, range.period_seconds));
                    bucket.successes += successes;
                    bucket.errors += errors;
                }
            }
        }
        Evidence::new(read.into_values().collect())
    }

    fn ask(&mut self, request: &TransitionRequest, now: i64) {
        let now = at(0) + SignedDuration::from_millis(now);
        let evidence = if request.is_command() { Evidence::default() } else { self.evidence(now) };
        let decision = decide(&self.state, &self.policy, request, &evidence, now).unwrap();
        if let Some(next) = decision.into_next() {
            self.state = next;
        }
    }
}

/// A move of a history: levels from and to, and whether the cooldown was doubled.
type Shown = BTreeSet<(u8, u8, bool)>;

/// Gives a history to the rules and to the reference. They must agree after each event.
fn compare(settings: PolicySettings, history: &[(i64, Event)]) -> Result<Shown, TestCaseError> {
    let policy = Policy::new(settings).unwrap();
    let state = SystemState { version: 1, ..SystemState::initial(&policy, at(0)) };
    let mut rules = Rules { policy, state, buckets: BTreeMap::new() };
    let mut reference = Reference::new(settings);
    let mut shown = Shown::new();
    let mut now = 0;
    for (place, (pause, event)) in history.iter().enumerate() {
        now += pause;
        let before = reference.level;
        match event {
            Event::Outcomes(level, successes, errors) => {
                let (second, level) = (now / 1000, level.unwrap_or(reference.level));
                let one = |success| Seen { second, level, success };
                reference.seen.extend((0..*successes).map(|_| one(true)));
                reference.seen.extend((0..*errors).map(|_| one(false)));
                let bucket = rules.buckets.entry((level.try_into().unwrap(), second)).or_default();
                *bucket = (bucket.0 + successes, bucket.1 + errors);
            }
            Event::Evaluation => {
                reference.evaluate(now);
                rules.ask(&schedule(), now);
                shown.insert((before, reference.level, reference.cooldown() > settings.cooldown_seconds * 1000));
            }
            Event::Force(level, hold_minutes) => {
                reference.force(*level, *hold_minutes, now);
                rules.ask(&force(*level, *hold_minutes), now);
            }
            Event::Release => {
                reference.release(now);
                rules.ask(&release(), now);
            }
        }
        let told = (rules.state.current_level.number(), rules.state.epoch);
        prop_assert_eq!(told, (reference.level, reference.moves), "event {}, {} ms: {:?}", place, now, event);
    }
    Ok(shown)
}

fn any_event() -> impl Strategy<Value = Event> {
    let level = prop_oneof![6 => Just(None), 1 => (1_u8..=3).prop_map(Some)];
    let counts = prop_oneof![3 => (0_u64..7, Just(0)), 2 => (Just(0), 0_u64..7), 1 => (0_u64..9, 0_u64..4)];
    let hold = prop_oneof![2 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    prop_oneof![
        10 => (level, counts).prop_map(|(level, (successes, errors))| Event::Outcomes(level, successes, errors)),
        8 => Just(Event::Evaluation),
        1 => (1_u8..=3, hold).prop_map(|(level, hold)| Event::Force(level, hold)),
        1 => Just(Event::Release),
    ]
}

/// Fewer than 70 events, up to 140 s apart, so that some outcomes are older than 30 minutes and read by the minute.
fn any_history(pause: impl Strategy<Value = i64>) -> impl Strategy<Value = Vec<(i64, Event)>> {
    vec((pause, any_event()), 1..70)
}

/// Pauses in milliseconds.
fn any_pause() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0_i64), 6 => 1_i64..4_000, 4 => 0_i64..30_000, 2 => 0_i64..140_000]
}

/// Zero, which means off, or a number of the range.
fn off_or(range: RangeInclusive<i64>) -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0_i64), 3 => range]
}

/// Settings whose times are at most a multiple of some seconds.
fn any_settings(scale: i64) -> impl Strategy<Value = PolicySettings> {
    let thresholds = (1_i64..5, 1_i64..5, 1_i64..4, 1_i64..5);
    let up_to = |most| off_or(1..=most * scale);
    let times = (up_to(8), up_to(4), up_to(12), up_to(6), up_to(9), 0..=scale);
    (thresholds, times).prop_map(|((falls, falls_more, from_3, from_2), times)| {
        let (window_seconds, cooldown_seconds, longer, relapse_window_seconds, calm_seconds, settle_seconds) = times;
        PolicySettings {
            level_1_failures: falls,
            level_2_failures: falls + falls_more,
            level_3_successes: from_3,
            level_2_successes: from_2,
            window_seconds,
            cooldown_seconds,
            longest_cooldown_seconds: if longer == 0 { 0 } else { cooldown_seconds + longer },
            relapse_window_seconds,
            calm_seconds,
            settle_seconds,
            ..PolicySettings::default()
        }
    })
}

/// The default settings, others at any times, and small ones at whole seconds, so that every limit is sometimes met
/// exactly.
fn any_case() -> impl Strategy<Value = (PolicySettings, Vec<(i64, Event)>)> {
    let whole_seconds = || (0_i64..4).prop_map(|seconds| seconds * 1000);
    prop_oneof![
        1 => (Just(PolicySettings::default()), any_history(any_pause())),
        2 => (any_settings(10), any_history(any_pause())),
        3 => (any_settings(1), any_history(whole_seconds())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_history_leads_to_the_levels_of_the_reference((settings, history) in any_case()) {
        compare(settings, &history)?;
    }
}

#[test]
fn the_histories_show_every_move() {
    let mut runner = TestRunner::deterministic();
    let mut shown = Shown::new();
    for _ in 0..2_000 {
        let (settings, history) = any_case().new_tree(&mut runner).unwrap().current();
        shown.extend(compare(settings, &history).unwrap());
    }
    for (from, to) in [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 2), (2, 1)] {
        for longer in [false, true] {
            assert!(shown.contains(&(from, to, longer)), "from {from} to {to}, longer cooldown: {longer}");
        }
    }
}
