//! Whole histories of probes, given to the rules and to a plain reference implementation.
//!
//! The reference shares no code with the rules: it keeps every probe in a list and counts the whole list for each
//! decision.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::collections::BTreeSet;

use breaker::{
    Bucket, Cause, Evidence, EvidenceQuery, Level, Policy, PolicySettings, Probing, RecoveryCause, SystemState, decide,
};
use common::{at, bucket, schedule, state_at};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// The second at which probing begins.
const BEGIN: i64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Success,
    Failure,
    Refusal,
}

/// One probe.
#[derive(Clone, Copy, Debug)]
struct Seen {
    second: i64,
    answer: Answer,
}

/// The result of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    /// Probes prove the better level.
    Proven,
    /// There are enough good answers, but most probes are refused.
    Refused,
    /// Neither enough answers nor mostly refusals.
    Open,
    /// Probes are idle, so the current level's successes count.
    Idle,
}

fn count(probes: &[Seen], wanted: impl Fn(Answer) -> bool) -> i64 {
    i64::try_from(probes.iter().filter(|probe| wanted(probe.answer)).count()).unwrap()
}

/// The probes since the newest second after which too many of those before had failed.
fn series(probes: &[Seen], settings: &PolicySettings) -> Vec<Seen> {
    let mut series: Vec<Seen> = Vec::new();
    for (place, probe) in probes.iter().enumerate() {
        series.push(*probe);
        let second_is_over = probes.get(place + 1).is_none_or(|next| next.second > probe.second);
        let answers = count(&series, |answer| answer != Answer::Refusal);
        let failures = count(&series, |answer| answer == Answer::Failure);
        if second_is_over && failures * 100 >= answers.max(settings.probe_calls) * settings.failure_rate_percent {
            series.clear();
        }
    }
    series
}

/// Whether most of the newest probes are refused, in any series: of whole seconds, back to the idle time before
/// `settled`, and further back until there are twice as many as prove a level.
fn mostly_refused(probes: &[Seen], settings: &PolicySettings, settled: i64) -> bool {
    let seconds: BTreeSet<i64> = probes.iter().map(|probe| probe.second).collect();
    let mut judged: Vec<Seen> = Vec::new();
    for second in seconds.into_iter().rev() {
        let is_old = second < settled - settings.probe_idle_seconds;
        if is_old && count(&judged, |_| true) >= 2 * settings.probe_calls {
            break;
        }
        judged.extend(probes.iter().filter(|probe| probe.second == second));
    }
    let refused = count(&judged, |answer| answer == Answer::Refusal);
    refused > count(&judged, |_| true) - refused
}

fn finding(seen: &[Seen], settings: &PolicySettings, now: i64) -> Finding {
    let settled = now - settings.settle_seconds;
    let probes: Vec<Seen> = seen.iter().copied().filter(|probe| probe.second < settled).collect();
    let series = series(&probes, settings);
    let refused = mostly_refused(&probes, settings, settled);
    let last_answered = probes.iter().rfind(|probe| probe.answer != Answer::Refusal).map(|probe| probe.second);
    let failed = probes.iter().any(|probe| Some(probe.second) == last_answered && probe.answer == Answer::Failure);
    let believed = settings.probe_idle_seconds * if failed { 3 } else { 1 };
    if !refused && now - probes.last().map_or(BEGIN, |newest| newest.second) >= believed {
        return Finding::Idle;
    }
    let answers = count(&series, |answer| answer != Answer::Refusal);
    match (refused, answers >= settings.probe_calls) {
        (true, _) => Finding::Refused,
        (false, true) => Finding::Proven,
        (false, false) => Finding::Open,
    }
}

/// Returns the rules' result for the probes.
fn told(seen: &[Seen], settings: PolicySettings, now: i64) -> Finding {
    let policy = Policy::new(settings).unwrap();
    let from = at(BEGIN);
    let probing = Probing { from, percent: 100, percent_since: from, idle_since: None, refusing: None };
    let state = SystemState { probing: Some(probing), last_updated: from, ..state_at(Level::Degraded) };
    let query = EvidenceQuery::new(&state, &policy, at(now));
    assert_eq!(query.probed, Some(Level::Full));
    let seconds: BTreeSet<i64> = seen.iter().map(|probe| probe.second).collect();
    let buckets = seconds.into_iter().map(|second| {
        let of = |answer| seen.iter().filter(|probe| probe.second == second && probe.answer == answer).count() as u64;
        Bucket { refused: of(Answer::Refusal), ..bucket(second, of(Answer::Success), of(Answer::Failure)) }
    });
    let current = (BEGIN..now).map(|second| bucket(second, 1, 0)).collect();
    let evidence = Evidence::new(current).with_probes(buckets.collect());
    let decision = decide(&state, &policy, &schedule(), &evidence, at(now)).unwrap();
    let next = decision.next().cloned().unwrap_or_else(|| state.clone());
    assert_eq!(next.check(), Ok(()));
    let streak = matches!(decision.cause(), Cause::Recovery(RecoveryCause::Streak(_)));
    let probing = next.probing.unwrap_or(probing);
    match decision.to() {
        Level::Full if streak => Finding::Idle,
        Level::Full => Finding::Proven,
        _ if probing.refusing.is_some() => Finding::Refused,
        _ if probing.idle_since.is_some() => Finding::Idle,
        _ => Finding::Open,
    }
}

/// Pauses in seconds, and the kind and number of the answers after each.
type History = Vec<(i64, (Answer, usize))>;

fn any_answers() -> impl Strategy<Value = (Answer, usize)> {
    let answer = prop_oneof![4 => Just(Answer::Success), 1 => Just(Answer::Failure), 3 => Just(Answer::Refusal)];
    (answer, 1_usize..7)
}

/// Settings whose thresholds are sometimes met exactly, and probes with pauses in seconds.
fn any_case() -> impl Strategy<Value = (PolicySettings, History)> {
    let settings =
        (1_i64..8, 10_i64..60, 0_i64..4, 1_i64..25).prop_map(|(probe_calls, percent, settle, longer)| PolicySettings {
            probe_calls,
            failure_rate_percent: percent,
            settle_seconds: settle,
            probe_idle_seconds: settle + longer,
            cooldown_seconds: 0,
            slow_call_rate_percent: 0,
            ..PolicySettings::production()
        });
    let pause = prop_oneof![6 => 0_i64..3, 2 => 0_i64..12, 1 => 0_i64..80];
    (settings, vec((pause, any_answers()), 0..40))
}

fn compare(settings: PolicySettings, history: &[(i64, (Answer, usize))]) -> Result<BTreeSet<Finding>, TestCaseError> {
    let (mut seen, mut now, mut shown) = (Vec::new(), BEGIN, BTreeSet::new());
    for (pause, (answer, times)) in history {
        for _ in 0..*pause {
            now += 1;
            let expected = finding(&seen, &settings, now);
            prop_assert_eq!(told(&seen, settings, now), expected, "second {}: {:?}", now, seen);
            shown.insert(expected);
        }
        seen.extend((0..*times).map(|_| Seen { second: now, answer: *answer }));
    }
    Ok(shown)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_probes_lead_to_the_findings_of_the_reference((settings, history) in any_case()) {
        compare(settings, &history)?;
    }
}

#[test]
fn the_histories_show_every_finding() {
    let mut runner = TestRunner::deterministic();
    let mut shown = BTreeSet::new();
    for _ in 0..200 {
        let (settings, history) = any_case().new_tree(&mut runner).unwrap().current();
        shown.extend(compare(settings, &history).unwrap());
    }
    assert_eq!(shown.len(), 4, "{shown:?}");
}
