//! The table of hints.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use breaker::{HintExpression, HintedRule, OutcomeMetric, PeriodSums, Policy, PolicySettings, hints};

fn table(settings: PolicySettings) -> Vec<String> {
    let hints = hints(&Policy::new(settings).unwrap());
    hints.iter().map(|hint| format!("{hint}: {}", hint.expression)).collect()
}

#[test]
fn classic_hints_at_any_failure_and_any_success() {
    let expected = [
        "level-1-error-rate: Error",
        "level-2-error-rate: Error",
        "level-3-recovery: Success",
        "level-2-recovery: Success",
    ];
    assert_eq!(table(PolicySettings::classic()), expected);
}

#[test]
fn production_hints_by_metric_math() {
    let calls = "(FILL(errors, 0) + FILL(successes, 0))";
    let rules = [
        ("failure-rate", format!("IF((FILL(errors, 0) >= 1) AND (100 * FILL(errors, 0) >= 10 * {calls}), 1, 0)")),
        (
            "consecutive-failures",
            format!("IF((FILL(errors, 0) >= 1) AND (100 * FILL(errors, 0) >= 100 * {calls}), 1, 0)"),
        ),
        ("slow-calls", format!("IF((FILL(slow, 0) >= 1) AND (100 * FILL(slow, 0) >= 50 * {calls}), 1, 0)")),
    ];
    let mut expected: Vec<_> = [1, 2]
        .iter()
        .flat_map(|level| rules.iter().map(move |(rule, text)| format!("level-{level}-{rule}: {text}")))
        .collect();
    expected.extend(["level-3-recovery: Success".to_owned(), "level-2-recovery: Success".to_owned()]);
    assert_eq!(table(PolicySettings::production()), expected);
}

#[test]
fn a_rule_that_is_off_has_no_hint() {
    for settings in [
        PolicySettings { slow_call_milliseconds: 0, ..PolicySettings::production() },
        PolicySettings { slow_call_rate_percent: 0, ..PolicySettings::production() },
    ] {
        let hints = hints(&Policy::new(settings).unwrap());
        assert!(!hints.iter().any(|hint| hint.rule == HintedRule::SlowCalls));
        assert_eq!(hints.len(), 6);
    }
}

#[test]
fn a_share_needs_its_percentage_and_one_failure() {
    let share = HintExpression::Share { part: OutcomeMetric::Error, percent: 10 };
    let breaches = |successes, errors| share.breaches(PeriodSums { successes, errors, slow_calls: 0 });
    assert!(breaches(9, 1) && breaches(0, 1) && breaches(u64::MAX - 1, u64::MAX));
    assert!(!breaches(10, 1) && !breaches(0, 0));
}
