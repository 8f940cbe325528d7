use jiff::SignedDuration;
use serde_json::json;

use super::*;

fn at(second: i64) -> Timestamp {
    "2026-09-10T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

fn count(carried: u64) -> FailureCount {
    FailureCount { level: Level::Degraded, errors: 6, carried, window_seconds: Some(300), threshold: 10 }
}

fn rate(in_ramp: bool) -> CallRate {
    CallRate {
        level: Level::Full,
        window_seconds: 50,
        in_ramp,
        counted: 5,
        calls: 40,
        percent: 12,
        threshold_percent: 10,
        minimum_calls: 25,
    }
}

fn fall(trip: TripCause) -> Cause {
    Cause::Fall(Fall { trip, relapse_cooldown_seconds: None })
}

fn streak(instead_of_probes: Option<StreakInstead>) -> Streak {
    Streak { level: Level::Degraded, successes: 7, threshold: 5, instead_of_probes }
}

fn probes(refused: u64) -> ProbeCounts {
    ProbeCounts { level: Level::Full, calls: 20, failed: 1, refused, minimum_calls: 20, below_percent: 10 }
}

fn command(effect: CommandEffect) -> Cause {
    Cause::Command(OperatorCommand { effect, requested_by: "alice".to_owned(), reason: "a drill".to_owned() })
}

fn prevented(prevented: Prevented) -> Cause {
    let cause = AutomaticMove::Recovery(RecoveryCause::Streak(streak(None)));
    Cause::Prevented(PreventedMove { prevented, to: Level::Full, cause })
}

/// A cause, its text and its data.
type Example = (Cause, &'static str, Value);

/// Every cause.
fn examples() -> Vec<Example> {
    [falls(), recoveries(), stays(), commands(), ineffective()].concat()
}

fn falls() -> Vec<Example> {
    let level = Level::Degraded;
    vec![
        (Cause::FirstStart, "First start", json!({"kind": "firstStart"})),
        (
            fall(TripCause::FailureCount(count(0))),
            "6 failures at level 2 within 300 s (threshold 10)",
            json!({"kind": "fall", "trip": {
                "rule": "failureCount", "level": 2, "errors": 6, "carried": 0, "windowSeconds": 300, "threshold": 10
            }}),
        ),
        (
            fall(TripCause::FailureCount(FailureCount { window_seconds: None, ..count(5) })),
            "11 failures in total (6 at level 2, 5 carried from level 1; threshold 10)",
            json!({"kind": "fall", "trip": {
                "rule": "failureCount", "level": 2, "errors": 6, "carried": 5, "threshold": 10
            }}),
        ),
        (
            fall(TripCause::FailureRate(rate(false))),
            "failure rate 12 % at level 1 within 50 s (5 of 40 calls; threshold 10 % of at least 25)",
            json!({"kind": "fall", "trip": {
                "rule": "failureRate", "level": 1, "windowSeconds": 50, "inRamp": false, "counted": 5, "calls": 40,
                "percent": 12, "thresholdPercent": 10, "minimumCalls": 25
            }}),
        ),
        (
            fall(TripCause::CountAndRate { count: count(0), rate: rate(true) }),
            "6 failures at level 2 within 300 s (threshold 10), and failure rate 12 % at level 1 within 50 s during \
             the ramp (5 of 40 calls; threshold 10 % of at least 25)",
            json!({"kind": "fall", "trip": {
                "rule": "countAndRate",
                "count": {"level": 2, "errors": 6, "carried": 0, "windowSeconds": 300, "threshold": 10},
                "rate": {
                    "level": 1, "windowSeconds": 50, "inRamp": true, "counted": 5, "calls": 40, "percent": 12,
                    "thresholdPercent": 10, "minimumCalls": 25
                }
            }}),
        ),
        (
            Cause::Fall(Fall {
                trip: TripCause::ConsecutiveFailures(ConsecutiveFailures { level, failures: 11, threshold: 10 }),
                relapse_cooldown_seconds: Some(120),
            }),
            "11 consecutive failures at level 2 (threshold 10); soon after a recovery, so the next one waits 120 s",
            json!({"kind": "fall", "relapseCooldownSeconds": 120, "trip": {
                "rule": "consecutiveFailures", "level": 2, "failures": 11, "threshold": 10
            }}),
        ),
        (
            fall(TripCause::SlowCalls(SlowCalls { slow_milliseconds: 3_000, rate: rate(false) })),
            "rate of calls of 3000 ms or longer 12 % at level 1 within 50 s (5 of 40 calls; threshold 10 % of at \
             least 25)",
            json!({"kind": "fall", "trip": {
                "rule": "slowCalls", "slowMilliseconds": 3_000, "rate": {
                    "level": 1, "windowSeconds": 50, "inRamp": false, "counted": 5, "calls": 40, "percent": 12,
                    "thresholdPercent": 10, "minimumCalls": 25
                }
            }}),
        ),
    ]
}

fn recoveries() -> Vec<Example> {
    let level = Level::Degraded;
    vec![
        (
            Cause::Recovery(RecoveryCause::Streak(streak(None))),
            "7 consecutive successes at level 2 (threshold 5)",
            json!({"kind": "recovery", "evidence": "streak", "level": 2, "successes": 7, "threshold": 5}),
        ),
        (
            Cause::Recovery(RecoveryCause::Streak(streak(Some(StreakInstead::NoProbeSeen { seconds: 300 })))),
            "7 consecutive successes at level 2 (threshold 5), because no probe was seen for 300 s",
            json!({"kind": "recovery", "evidence": "streak", "level": 2, "successes": 7, "threshold": 5,
                "insteadOfProbes": {"because": "noProbeSeen", "seconds": 300}}),
        ),
        (
            Cause::Recovery(RecoveryCause::Probes(probes(0))),
            "20 probes of level 1 of which 1 failed (threshold 20 with less than 10 %)",
            json!({"kind": "recovery", "evidence": "probes", "level": 1, "calls": 20, "failed": 1, "refused": 0,
                "minimumCalls": 20, "belowPercent": 10}),
        ),
        (
            prevented(Prevented::Hold { level, until: at(60) }),
            "held at level 2 until 2026-09-10T14:01:00Z; would have gone to level 1: 7 consecutive successes at level \
             2 (threshold 5)",
            json!({"kind": "prevented", "to": 1,
                "prevented": {"by": "hold", "level": 2, "until": "2026-09-10T14:01:00Z"},
                "cause": {"kind": "recovery", "evidence": "streak", "level": 2, "successes": 7, "threshold": 5}}),
        ),
        (
            prevented(Prevented::ObserveOnly),
            "observing only; would have gone to level 1: 7 consecutive successes at level 2 (threshold 5)",
            json!({"kind": "prevented", "to": 1, "prevented": {"by": "observeOnly"},
                "cause": {"kind": "recovery", "evidence": "streak", "level": 2, "successes": 7, "threshold": 5}}),
        ),
        (
            prevented(Prevented::Cooldown { seconds_left: 3 }),
            "no reason to move: 7 consecutive successes at level 2 (threshold 5), but the cooldown lasts another 3 s",
            json!({"kind": "prevented", "to": 1, "prevented": {"by": "cooldown", "secondsLeft": 3},
                "cause": {"kind": "recovery", "evidence": "streak", "level": 2, "successes": 7, "threshold": 5}}),
        ),
        (
            prevented(Prevented::Ramp { seconds_left: 3 }),
            "no reason to move: 7 consecutive successes at level 2 (threshold 5), but the ramp lasts another 3 s",
            json!({"kind": "prevented", "to": 1, "prevented": {"by": "ramp", "secondsLeft": 3},
                "cause": {"kind": "recovery", "evidence": "streak", "level": 2, "successes": 7, "threshold": 5}}),
        ),
    ]
}

fn stays() -> Vec<Example> {
    let level = Level::Degraded;
    vec![
        (
            Cause::Calm(Calm::FailureCount(count(0))),
            "no reason to move: 6 failures at level 2 within 300 s (threshold 10)",
            json!({"kind": "calm", "rule": "failureCount", "level": 2, "errors": 6, "carried": 0,
                "windowSeconds": 300, "threshold": 10}),
        ),
        (
            Cause::Calm(Calm::RecentFailures(RecentFailures { level, failed: 1, calls: 40, window_seconds: 50 })),
            "no reason to move: 1 of 40 calls failed at level 2 within 50 s",
            json!({"kind": "calm", "rule": "recentFailures", "level": 2, "failed": 1, "calls": 40,
                "windowSeconds": 50}),
        ),
        (
            Cause::Unproven(Unproven::Streak(streak(Some(StreakInstead::ObserveOnly)))),
            "no reason to move: 7 consecutive successes at level 2 (threshold 5), because nothing probes while \
             automation only observes",
            json!({"kind": "unproven", "lacks": "streak", "level": 2, "successes": 7, "threshold": 5,
                "insteadOfProbes": {"because": "observeOnly"}}),
        ),
        (
            Cause::Unproven(Unproven::Probes(probes(2))),
            "no reason to move: 20 probes of level 1 of which 1 failed (threshold 20 with less than 10 %), and 2 were \
             refused",
            json!({"kind": "unproven", "lacks": "probes", "level": 1, "calls": 20, "failed": 1, "refused": 2,
                "minimumCalls": 20, "belowPercent": 10}),
        ),
        (
            Cause::Unproven(Unproven::ProbesAccepted { probes: probes(40), newest: 60 }),
            "no reason to move: 20 probes of level 1 of which 1 failed (threshold 20 with less than 10 %), but level 1 \
             refused 40 of the newest 60 probes (4xx): check its authorization and its routing, or force level 1 if \
             they are right to be refused",
            json!({"kind": "unproven", "lacks": "probesAccepted", "newest": 60, "probes": {
                "level": 1, "calls": 20, "failed": 1, "refused": 40, "minimumCalls": 20, "belowPercent": 10
            }}),
        ),
        (
            Cause::Unproven(Unproven::Calls { level, seconds_without_probe: 300 }),
            "no reason to move: no call of level 2 was seen lately, because no probe was seen for 300 s",
            json!({"kind": "unproven", "lacks": "calls", "level": 2, "secondsWithoutProbe": 300}),
        ),
        (
            Cause::Unproven(Unproven::Probing { level: Level::Full }),
            "no reason to move: probes of level 1 have yet to begin",
            json!({"kind": "unproven", "lacks": "probing", "level": 1}),
        ),
        (
            Cause::Unproven(Unproven::ProbingInHold { level: Level::Full }),
            "no reason to move: nothing probes level 1 in a hold",
            json!({"kind": "unproven", "lacks": "probingInHold", "level": 1}),
        ),
    ]
}

fn commands() -> Vec<Example> {
    let level = Level::Degraded;
    vec![
        (
            command(CommandEffect::Moved { from: Level::Full, to: level }),
            "forced from level 1 to level 2 by alice: a drill",
            json!({"kind": "command", "requestedBy": "alice", "reason": "a drill",
                "effect": {"kind": "moved", "from": 1, "to": 2}}),
        ),
        (
            command(CommandEffect::Held { level, until: at(60) }),
            "already at level 2, held until 2026-09-10T14:01:00Z, by alice: a drill",
            json!({"kind": "command", "requestedBy": "alice", "reason": "a drill",
                "effect": {"kind": "held", "level": 2, "until": "2026-09-10T14:01:00Z"}}),
        ),
        (
            command(CommandEffect::RampEnded { level }),
            "already at level 2, with all requests at once, by alice: a drill",
            json!({"kind": "command", "requestedBy": "alice", "reason": "a drill",
                "effect": {"kind": "rampEnded", "level": 2}}),
        ),
        (
            command(CommandEffect::HoldEnded { level }),
            "already at level 2, not held any more, by alice: a drill",
            json!({"kind": "command", "requestedBy": "alice", "reason": "a drill",
                "effect": {"kind": "holdEnded", "level": 2}}),
        ),
        (
            command(CommandEffect::FirstWrite { level }),
            "already at level 2, written for the first time, by alice: a drill",
            json!({"kind": "command", "requestedBy": "alice", "reason": "a drill",
                "effect": {"kind": "firstWrite", "level": 2}}),
        ),
        (
            command(CommandEffect::Released { level }),
            "hold of level 2 ended by alice: a drill",
            json!({"kind": "command", "requestedBy": "alice", "reason": "a drill",
                "effect": {"kind": "released", "level": 2}}),
        ),
        (
            Cause::Repair(Repair {
                last_known: level,
                level: Level::Full,
                requested_by: "alice".to_owned(),
                reason: "a drill".to_owned(),
            }),
            "repaired at level 1 (last known level 2) by alice: a drill",
            json!({"kind": "repair", "lastKnown": 2, "level": 1, "requestedBy": "alice", "reason": "a drill"}),
        ),
    ]
}

fn ineffective() -> Vec<Example> {
    let level = Level::Degraded;
    vec![
        (
            Cause::NoEffect(NoEffect::AlreadyThere { level }),
            "already at level 2",
            json!({"kind": "noEffect", "because": "alreadyThere", "level": 2}),
        ),
        (
            Cause::NoEffect(NoEffect::NoHold { level }),
            "no hold to end at level 2",
            json!({"kind": "noEffect", "because": "noHold", "level": 2}),
        ),
        (
            Cause::NoEffect(NoEffect::CarriedOut { level, at: at(0), reason: "forced".to_owned() }),
            "an execution of this name has carried out its command already, at 2026-09-10T14:00:00Z (forced); another \
             command needs another name",
            json!({"kind": "noEffect", "because": "carriedOut", "level": 2, "at": "2026-09-10T14:00:00Z",
                "reason": "forced"}),
        ),
    ]
}

#[test]
fn each_cause_has_its_text() {
    for (cause, text, _) in examples() {
        assert_eq!(cause.to_string(), text);
    }
}

#[test]
fn each_cause_is_data_and_is_read_back() {
    for (cause, _, data) in examples() {
        assert_eq!(serde_json::to_value(&cause).unwrap(), data);
        assert_eq!(serde_json::from_value::<RecordedCause>(data).unwrap(), cause.into());
    }
}

#[test]
fn an_unknown_cause_is_kept_unchanged() {
    let known = examples().remove(1).2;
    let mut list = known.clone();
    list["trip"] = json!(["failureCount", 2, 6, 0, 300, 10]);
    for unknown in [
        json!({"kind": "fall", "trip": {"rule": "sequentialTest", "level": 1, "logLikelihoodRatio": 4.61}}),
        json!({"kind": "drill", "by": ["alice", null]}),
        json!(["fall"]),
        json!("fall"),
        list,
    ] {
        let read: RecordedCause = serde_json::from_value(unknown.clone()).unwrap();
        assert_eq!(read, RecordedCause::Unknown(unknown.clone()));
        assert_eq!(serde_json::to_value(read).unwrap(), unknown);
    }
}

#[test]
fn a_member_of_a_newer_release_does_not_hide_the_cause() {
    let (cause, _, mut data) = examples().remove(1);
    data["trip"]["newer"] = json!(1);
    assert_eq!(serde_json::from_value::<RecordedCause>(data).unwrap(), cause.into());
}
