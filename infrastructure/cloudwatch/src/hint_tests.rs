//! Tests of the level alarms' metric math: parses the deployed text and evaluates it.

use breaker::{Hint, HintedRule, Level, OutcomeMetric, PeriodSums, Policy, PolicySettings, hints};
use jiff::Timestamp;

use crate::definition::*;
use crate::evaluation::*;
use crate::evaluation_tests::{alarm, math, series};
use crate::math::Formula;
use crate::series::*;
use crate::watched::{MetricMath, Watched};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn production() -> Policy {
    Policy::new(PolicySettings::production()).unwrap()
}

fn hint(rule: HintedRule) -> Hint {
    hints(&production()).into_iter().find(|hint| (hint.rule, hint.level) == (rule, Level::Full)).unwrap()
}

/// Returns the alarm of a hint, as it is deployed.
fn deployed(rule: HintedRule) -> AlarmDefinition {
    let expression = hint(rule).expression;
    let operands = expression.metrics().iter().map(|metric| (metric.id().to_owned(), series(metric.name())));
    let math = MetricMath::new("hint", &expression.to_string(), operands.collect()).unwrap();
    AlarmDefinition {
        watched: Watched::Math(math),
        datapoints_to_alarm: Some(1),
        threshold: 1.0,
        missing_data: MissingData::NotBreaching,
        ..alarm()
    }
}

fn readings(points: &[(OutcomeMetric, i64, f64)]) -> Readings {
    let mut readings = Readings::new();
    for (metric, second, value) in points {
        let point = Datapoint { at: at(*second), value: *value };
        readings.entry(series(metric.name())).or_default().push(point);
    }
    readings
}

fn state(alarm: &AlarmDefinition, readings: &Readings, second: i64) -> AlarmState {
    evaluate(alarm, readings, AlarmState::Ok, at(second), EvaluationSettings::LOCAL).state
}

#[test]
fn the_text_of_a_hint_says_what_the_table_says() {
    for hint in hints(&production()).into_iter().filter(|hint| hint.rule != HintedRule::Recovery) {
        let formula = Formula::parse(&hint.expression.to_string()).unwrap();
        for number in 0..6_u64.pow(3) {
            let count = |place: u32| [0, 1, 2, 9, 90, 1_000][usize::try_from(number / 6_u64.pow(place) % 6).unwrap()];
            let sums = PeriodSums { successes: count(0), errors: count(1), slow_calls: count(2) };
            // The services emit no metric for a zero.
            let value = |id: &str| {
                let count = match id {
                    "successes" => sums.successes,
                    "errors" => sums.errors,
                    _ => sums.slow_calls,
                };
                (count > 0).then(|| f64::from(u32::try_from(count).unwrap()))
            };
            let expected = if hint.expression.breaches(sums) { 1.0 } else { 0.0 };
            assert_eq!(formula.value(&value), Some(expected), "{hint}: {sums:?}");
        }
    }
}

#[test]
fn without_any_success_the_failure_rate_is_100_percent() {
    let failing = readings(&[(OutcomeMetric::Error, 3, 4.0)]);
    for rule in [HintedRule::FailureRate, HintedRule::ConsecutiveFailures] {
        assert_eq!(state(&deployed(rule), &failing, 4), AlarmState::Alarm, "{rule}");
        assert_eq!(state(&deployed(rule), &Readings::new(), 4), AlarmState::Ok, "{rule}");
    }
}

#[test]
fn a_sum_without_fill_is_missing() {
    let text = "IF(errors >= 0.1 * (errors + successes), 1, 0)";
    let unfilled = MetricMath::new("hint", text, math().operands().clone()).unwrap();
    let alarm = AlarmDefinition { watched: Watched::Math(unfilled), ..deployed(HintedRule::FailureRate) };
    let failing = [(OutcomeMetric::Error, 3, 4.0)];
    assert_eq!(state(&alarm, &readings(&failing), 4), AlarmState::Ok, "a level that fails every call raises no alarm");
    let both = [failing[0], (OutcomeMetric::Success, 3, 1.0)];
    assert_eq!(state(&alarm, &readings(&both), 4), AlarmState::Alarm);
}

/// The successes of a period arrive first; its errors arrive after the next period has begun.
#[test]
fn a_period_that_arrives_in_parts_is_judged_again() {
    let first = [(OutcomeMetric::Success, 3, 90.0), (OutcomeMetric::Error, 3, 1.0)];
    let second =
        [(OutcomeMetric::Success, 3, 90.0), (OutcomeMetric::Error, 3, 30.0), (OutcomeMetric::Success, 13, 9.0)];
    let alarm = deployed(HintedRule::FailureRate);
    assert_eq!(state(&alarm, &readings(&first), 9), AlarmState::Ok);
    assert_eq!(state(&alarm, &readings(&second), 14), AlarmState::Alarm);
    let one_of_one = AlarmDefinition { evaluation_periods: 1, ..alarm };
    assert_eq!(state(&one_of_one, &readings(&second), 14), AlarmState::Ok, "1 of 1 never sees the late part");
}

#[test]
fn a_breach_holds_for_three_periods() {
    let once = readings(&[(OutcomeMetric::Error, 3, 4.0)]);
    let alarm = deployed(HintedRule::FailureRate);
    for (second, expected) in [(3, AlarmState::Alarm), (29, AlarmState::Alarm), (30, AlarmState::Ok)] {
        assert_eq!(state(&alarm, &once, second), expected, "{second}");
    }
}

#[test]
fn math_that_cloudwatch_would_refuse_is_refused() {
    let operands = |count: usize| (0..count).map(|number| (format!("m{number}"), series("Error"))).collect();
    for (text, count, problem) in [
        ("FILL(m0, 0)", 11, "it reads 11 metrics, and 10 are allowed"),
        ("1 + 1", 0, "it reads no metric: 1 + 1"),
        ("FILL(m7, 0)", 2, "it has no metric m7: FILL(m7, 0)"),
    ] {
        assert_eq!(MetricMath::new("hint", text, operands(count)).unwrap_err().to_string(), problem);
    }
    let mut mixed = math().operands().clone();
    mixed.insert("errors".to_owned(), SeriesKey { period_seconds: 60, ..series("Error") });
    let error = MetricMath::new("hint", math().text(), mixed).unwrap_err().to_string();
    assert_eq!(error, "its metrics have different periods");
}
