//! The evaluator against the tables of `CloudWatch`'s documentation.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::alarm::{
    Actions, AlarmDefinition, AlarmState, Comparison, Datapoint, EvaluationSettings, Metric, MissingData, Readings,
    SeriesKey, Statistic, evaluate, range_start,
};

/// Three of three periods of ten seconds, at least five.
pub(super) fn alarm() -> AlarmDefinition {
    let dimensions = [("Deployment", "bank-dev"), ("ServiceLevel", "1")];
    AlarmDefinition {
        name: "level-1-error-rate".to_owned(),
        arn: "arn:aws:cloudwatch:us-east-1:000000000000:alarm:level-1-error-rate".to_owned(),
        description: None,
        series: SeriesKey {
            metric: Metric {
                namespace: "CircuitBreaker/Service".to_owned(),
                name: "Error".to_owned(),
                dimensions: dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            },
            statistic: Statistic::Sum,
            period_seconds: 10,
        },
        evaluation_periods: 3,
        datapoints_to_alarm: None,
        threshold: 5.0,
        comparison: Comparison::GreaterThanOrEqualToThreshold,
        missing_data: MissingData::Missing,
        actions: Actions {
            enabled: true,
            alarm: vec!["arn:aws:sns:us-east-1:000000000000:alarms".to_owned()],
            ok: vec![],
            insufficient_data: vec![],
        },
        configured_at: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Readings of `0 - X` in the documentation's notation (fine, missing, breaching), newest last and
/// in the period before the one of second 50.
fn readings(alarm: &AlarmDefinition, row: &str) -> Readings {
    let value = |symbol| match symbol {
        "0" => Some(0.0),
        "X" => Some(9.0),
        _ => None,
    };
    let points = (0..)
        .zip(row.split(' '))
        .filter_map(|(index, symbol)| value(symbol).map(|value| Datapoint { at: at(index * 10), value }));
    Readings::from([(alarm.series.clone(), points.collect())])
}

/// The states under missing, ignore, breaching and notBreaching, as one letter each.
fn states(m: u32, row: &str, previous: AlarmState) -> String {
    let treatments = [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
    let letter = |missing_data| {
        let alarm = AlarmDefinition { datapoints_to_alarm: Some(m), missing_data, ..alarm() };
        match evaluate(&alarm, &readings(&alarm, row), previous, at(55), EvaluationSettings::CLOUD).state {
            AlarmState::Ok => 'o',
            AlarmState::Alarm => 'A',
            AlarmState::InsufficientData => 'i',
        }
    };
    treatments.into_iter().map(letter).collect()
}

/// Checks rows of a documented table; `k` is the state kept.
fn check(m: u32, rows: &[(&str, &str)]) {
    for (row, expected) in rows {
        for (previous, kept) in [(AlarmState::Ok, "o"), (AlarmState::Alarm, "A"), (AlarmState::InsufficientData, "i")] {
            assert_eq!(states(m, row, previous), expected.replace('k', kept), "{m} of 3: {row}");
        }
    }
}

#[test]
fn three_of_three_is_as_documented() {
    check(
        3,
        &[
            ("0 - X - X", "oooo"),
            ("- - - - 0", "oooo"),
            ("- - - - -", "ikAo"),
            ("0 X X - X", "AAAA"),
            ("- - X - -", "AkAo"),
        ],
    );
}

#[test]
fn two_of_three_is_as_documented() {
    check(
        2,
        &[
            ("0 - X - X", "AAAA"),
            ("0 0 X 0 X", "AAAA"),
            ("0 - X - -", "ooAo"),
            ("- - - - 0", "ooAo"),
            ("- - - X -", "AkAo"),
        ],
    );
}

#[test]
fn other_dimensions_are_another_metric() {
    let alarm = AlarmDefinition { evaluation_periods: 1, missing_data: MissingData::NotBreaching, ..alarm() };
    let mut other = alarm.clone();
    other.series.metric.dimensions = BTreeMap::from([("Deployment".to_owned(), "other-dev".to_owned())]);
    let readings = readings(&other, "X X X X X");
    let state = |alarm| evaluate(alarm, &readings, AlarmState::Ok, at(55), EvaluationSettings::CLOUD).state;
    assert_eq!((state(&alarm), state(&other)), (AlarmState::Ok, AlarmState::Alarm));
}

#[test]
fn the_running_period_counts_locally_and_not_in_the_cloud() {
    let alarm = AlarmDefinition { evaluation_periods: 1, missing_data: MissingData::NotBreaching, ..alarm() };
    let readings = readings(&alarm, "- - - - 0 X");
    let state = |settings| evaluate(&alarm, &readings, AlarmState::Ok, at(55), settings).state;
    assert_eq!(state(EvaluationSettings::LOCAL), AlarmState::Alarm);
    assert_eq!(state(EvaluationSettings::CLOUD), AlarmState::Ok);
}

#[test]
fn periods_are_aligned_to_the_clock() {
    let start = |second| range_start(&alarm(), at(second), EvaluationSettings::CLOUD);
    assert_eq!(start(59), at(0));
    assert_eq!(start(50), at(0));
    assert_eq!(start(60), at(10));
}
