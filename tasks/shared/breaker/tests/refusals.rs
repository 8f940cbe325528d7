//! A better level that refuses its probes: neither silence, nor failure, nor success.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use breaker::{
    Bucket, Cause, Decision, Evidence, Hold, Level, Policy, PolicySettings, Probing, Refusing, SystemState, Unproven,
    decide,
};
use common::{at, bucket, schedule, state_at};
use jiff::Timestamp;

/// The preset `production` with an idle time of 40 s and a cooldown of 5 s.
fn policy() -> Policy {
    let settings = PolicySettings { probe_idle_seconds: 40, cooldown_seconds: 5, ..PolicySettings::production() };
    Policy::new(settings).unwrap()
}

/// At level 2 since second 100, probing level 1 since second 105.
fn probing() -> SystemState {
    let probing = Probing { from: at(105), percent: 10, percent_since: at(105), idle_since: None, refusing: None };
    SystemState { probing: Some(probing), last_updated: at(100), ..state_at(Level::Degraded) }
}

/// Outcomes of the probes of one second.
#[derive(Clone, Copy, Default)]
struct Probes {
    successes: u64,
    failures: u64,
    refused: u64,
}

const ANSWERED: Probes = Probes { successes: 1, failures: 0, refused: 0 };
const FAILED: Probes = Probes { successes: 0, failures: 1, refused: 0 };
const REFUSED: Probes = Probes { successes: 0, failures: 0, refused: 1 };
const NONE: Probes = Probes { successes: 0, failures: 0, refused: 0 };

fn probed(second: i64, probes: Probes) -> Bucket {
    let Probes { successes, failures, refused } = probes;
    Bucket { refused, ..bucket(second, successes, failures) }
}

/// Replays the breaker second by second: the outcomes of the probes of level 1, and an evaluation every 15 s.
struct Replay {
    policy: Policy,
    state: SystemState,
    probes: Vec<Bucket>,
    now: i64,
}

impl Replay {
    fn new() -> Self {
        Self { policy: policy(), state: probing(), probes: Vec::new(), now: 105 }
    }

    /// Level 2 answers four requests a second well.
    fn evidence(&self) -> Evidence {
        Evidence::new((100..self.now).map(|second| bucket(second, 4, 0)).collect()).with_probes(self.probes.clone())
    }

    fn decide(&self) -> Decision {
        decide(&self.state, &self.policy, &schedule(), &self.evidence(), at(self.now)).unwrap()
    }

    /// Lets seconds pass, at most until the level recovers; returns whether it does.
    fn run(&mut self, seconds: i64, probes: impl Fn(i64) -> Probes) -> bool {
        let end = self.now + seconds;
        while self.now < end {
            let probes = probes(self.now);
            if (probes.successes, probes.failures, probes.refused) != (0, 0, 0) {
                self.probes.push(probed(self.now, probes));
            }
            self.now += 1;
            if self.now % 15 == 0 {
                let decision = self.decide();
                let to = decision.to();
                if let Some(next) = decision.into_next() {
                    assert_eq!(next.check(), Ok(()));
                    self.state = next;
                }
                if to == Level::Full {
                    return true;
                }
            }
        }
        false
    }

    fn refusing(&self) -> Option<Refusing> {
        self.state.probing.unwrap().refusing
    }
}

/// The refused probes and all of the newest ones, if the refusals are why the level stays.
fn refused_of_newest(decision: &Decision) -> Option<(u64, u64)> {
    match decision.cause() {
        Cause::Unproven(Unproven::ProbesAccepted { probes, newest }) => Some((probes.refused, newest)),
        _ => None,
    }
}

#[test]
fn a_level_that_refuses_everything_is_not_restored() {
    let mut replay = Replay::new();
    assert!(!replay.run(3_600, |_| REFUSED), "{}", replay.state.transition_reason);
    assert_eq!(replay.state.probing.unwrap().idle_since, None, "refusals are no silence");
    assert_eq!(refused_of_newest(&replay.decide()), Some((40, 40)));
    // The level recovers once it has answered as many probes as it refused within 40 s.
    assert!(!replay.run(19, |_| ANSWERED));
    assert!(replay.run(30, |_| ANSWERED));
    assert_eq!(replay.state.probing, None);
}

#[test]
fn people_are_alarmed_after_three_idle_times_of_refusals() {
    let mut replay = Replay::new();
    assert!(!replay.run(15 + 15, |_| REFUSED));
    let first = Refusing { since: at(120), alarm_from: at(240) };
    assert_eq!(replay.refusing(), Some(first), "found by the evaluation at 120");
    assert!(!replay.run(300, |_| REFUSED));
    assert_eq!(replay.refusing(), Some(first));
    let alarms = |second| replay.state.refusals_alarm(at(second));
    assert_eq!((alarms(239), alarms(240)), (false, true));
    // Refusals are no longer the majority, so their time starts anew.
    assert!(!replay.run(15, |second| if second % 3 == 0 { FAILED } else { Probes { successes: 6, ..REFUSED } }));
    assert!(!replay.run(15, |_| FAILED));
    assert_eq!(replay.refusing(), None);
    assert!(!replay.state.refusals_alarm(at(1_000)));
}

#[test]
fn failures_among_refusals_do_not_put_off_the_alarm() {
    // One failure among five probes, at each place. Every second failure drops a series.
    for place in 0..5 {
        let mut replay = Replay::new();
        assert!(!replay.run(15 + 15, |second| if second % 5 == place { FAILED } else { REFUSED }));
        let first = Refusing { since: at(120), alarm_from: at(240) };
        assert_eq!(replay.refusing(), Some(first), "place {place}");
        while replay.now < 300 {
            assert!(!replay.run(15, |second| if second % 5 == place { FAILED } else { REFUSED }));
            assert_eq!(replay.refusing(), Some(first), "place {place}, second {}", replay.now);
        }
        assert!(replay.state.refusals_alarm(at(240)));
    }
}

#[test]
fn as_many_refusals_as_answers_allow_a_recovery() {
    assert!(Replay::new().run(120, |second| if second % 2 == 0 { ANSWERED } else { REFUSED }), "as many as refusals");
    let mut most = Replay::new();
    assert!(!most.run(3_600, |second| if second % 5 < 2 { ANSWERED } else { REFUSED }), "60 % refused");
}

#[test]
fn one_client_with_unknown_ids_fails_no_series() {
    let client = Probes { successes: 19, failures: 0, refused: 1 };
    assert!(Replay::new().run(30, |_| client));
    // With failures just below the limit: the refusals add nothing to them.
    let failing = |second: i64| Probes { successes: 19, failures: u64::from(second % 2 == 0), refused: 9 };
    assert!(Replay::new().run(30, failing));
}

#[test]
fn refusals_at_the_end_of_a_series_count() {
    let mut replay = Replay::new();
    assert!(!replay.run(19, |_| ANSWERED), "19 answers");
    assert!(!replay.run(21, |_| REFUSED));
    assert!(!replay.run(300, |_| REFUSED), "the 19 answers are old, and everything is refused since");
    assert!(replay.run(60, |_| ANSWERED));
}

#[test]
fn answers_before_many_refusals_prove_nothing() {
    let mut replay = Replay::new();
    assert!(!replay.run(1_200, |second| if second % 5 < 2 { ANSWERED } else { REFUSED }));
    assert!(!replay.run(600, |_| REFUSED), "480 answers before");
}

#[test]
fn probes_are_never_idle_after_refusals() {
    let mut replay = Replay::new();
    assert!(!replay.run(60, |_| REFUSED));
    let refusing = replay.refusing();
    assert!(!replay.run(6 * 3_600, |_| NONE), "{}", replay.state.transition_reason);
    assert_eq!((replay.refusing(), replay.state.probing.unwrap().idle_since), (refusing, None));
    assert!(replay.state.refusals_alarm(at(replay.now)), "the alarm stays until the level answers");
    assert_eq!(refused_of_newest(&replay.decide()), Some((40, 40)));
    assert!(replay.run(60, |_| ANSWERED), "it answers");
    let mut answered = Replay::new();
    assert!(!answered.run(10, |_| ANSWERED));
    assert!(answered.run(50, |_| NONE), "after answers, one idle time is enough");
}

#[test]
fn a_refusal_in_a_quiet_night_waits_for_one_answer() {
    let mut replay = Replay::new();
    assert!(!replay.run(1, |_| REFUSED));
    assert!(!replay.run(600, |_| NONE));
    assert!(replay.state.refusals_alarm(at(replay.now)), "without another probe the level does not recover");
    assert!(!replay.run(15, |second| if second % 15 == 0 { ANSWERED } else { NONE }));
    assert!(
        replay.run(90, |_| NONE),
        "one refusal and one answer are no majority, so level 2's streak counts after an idle time"
    );
}

#[test]
fn a_refusal_says_nothing_about_whether_the_last_probe_failed() {
    let mut replay = Replay::new();
    assert!(!replay.run(1, |_| FAILED));
    assert!(!replay.run(1, |_| REFUSED));
    assert!(!replay.run(115, |_| NONE), "a failed probe counts for three idle times");
}

#[test]
fn a_level_that_refused_and_failed_can_be_proven() {
    let mut replay = Replay::new();
    assert!(!replay.run(30, |_| REFUSED));
    assert!(!replay.run(5, |_| FAILED));
    assert!(replay.run(45, |_| ANSWERED));
}

#[test]
fn refusals_in_a_minutes_bucket_count_as_those_in_seconds() {
    let minute = |refused| Bucket { period_seconds: 60, ..probed(120, Probes { successes: 30, failures: 0, refused }) };
    let to = |refused| {
        let evidence = Evidence::new(vec![bucket(190, 4, 0)]).with_probes(vec![minute(refused)]);
        let policy = Policy::new(PolicySettings::production()).unwrap();
        decide(&probing(), &policy, &schedule(), &evidence, at(200)).unwrap().to()
    };
    assert_eq!((to(30), to(31)), (Level::Full, Level::Degraded));
}

#[test]
fn refusals_show_how_much_of_the_traffic_is_retryable() {
    let percent = |refused| {
        let probes = vec![probed(160, Probes { refused, ..NONE })];
        let evidence = Evidence::new(vec![bucket(150, 600, 0)]).with_probes(probes);
        let state = SystemState { last_updated: at(199), ..probing() };
        let policy = Policy::new(PolicySettings::production()).unwrap();
        let next = decide(&state, &policy, &schedule(), &evidence, at(200)).unwrap().into_next();
        next.unwrap_or(state).probing.unwrap().percent
    };
    assert_eq!(percent(60), 10, "600 retryable requests a minute: 10 % are enough, as for answered probes");
    assert_eq!(percent(10), 40, "100 retryable requests a minute");
    assert_eq!(percent(0), 20, "no probe was seen: the share doubles");
}

#[test]
fn refusals_before_a_hold_ended_do_not_count_towards_the_alarm() {
    let refusing = Some(Refusing { since: at(120), alarm_from: at(240) });
    let until = |second| {
        let (reason, requested_by, expires_at) = ("drill".to_owned(), "alice".to_owned(), at(second));
        Some(Hold { level: Level::Degraded, reason, requested_by, expires_at, execution: None })
    };
    let state = |second| SystemState {
        probing: Some(Probing { refusing, ..probing().probing.unwrap() }),
        hold: until(second),
        last_updated: at(150),
        ..probing()
    };
    assert!(!state(300).refusals_alarm(at(299)), "nothing probes in a hold");
    let look = |now: Timestamp| {
        let evidence = Evidence::default().with_probes(vec![probed(310, REFUSED)]);
        decide(&state(300), &policy(), &schedule(), &evidence, now)
            .unwrap()
            .into_next()
            .unwrap()
            .probing
            .unwrap()
            .refusing
    };
    assert_eq!(look(at(330)), Some(Refusing { since: at(330), alarm_from: at(450) }));
}
