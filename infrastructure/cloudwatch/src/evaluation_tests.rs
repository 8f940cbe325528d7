use jiff::Timestamp;

use crate::definition::*;
use crate::evaluation::*;
use crate::series::*;
use crate::watched::{MetricMath, Watched};

/// A time in the middle of a period, so that a missing rounding fails the tests.
const NOW: i64 = 1_000_003;
const PERIOD: u32 = 10;
const ALL: [MissingData; 4] =
    [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
const STATES: [AlarmState; 3] = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Returns the series of sums over 10 s of one metric of level 1.
pub(crate) fn series(name: &str) -> SeriesKey {
    let dimensions = [("Deployment", "bank-dev"), ("ServiceLevel", "1")];
    let dimensions = dimensions.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let metric = Metric { namespace: "CircuitBreaker/Service".to_owned(), name: name.to_owned(), dimensions };
    SeriesKey { metric, statistic: Statistic::Sum, period_seconds: PERIOD }
}

/// Returns metric math that is true if half of the calls failed.
pub(crate) fn math() -> MetricMath {
    let text = "IF(2 * FILL(errors, 0) >= FILL(errors, 0) + FILL(successes, 0), 1, 0)";
    let operands = [("errors", "Error"), ("successes", "Success")];
    let operands = operands.into_iter().map(|(id, name)| (id.to_owned(), series(name))).collect();
    MetricMath::new("hint", text, operands).unwrap()
}

/// Returns an alarm that goes off if three of three periods of 10 s have 5 or more.
pub(crate) fn alarm() -> AlarmDefinition {
    AlarmDefinition {
        name: "level-1-error-rate".to_owned(),
        arn: "arn:aws:cloudwatch:us-east-1:000000000000:alarm:level-1-error-rate".to_owned(),
        description: None,
        watched: Watched::Metric(series("Error")),
        evaluation_periods: 3,
        datapoints_to_alarm: None,
        threshold: 5.0,
        comparison: Comparison::GreaterThanOrEqualToThreshold,
        missing_data: MissingData::Missing,
        actions: Actions {
            enabled: true,
            alarm: vec!["arn:aws:sns:us-east-1:000000000000:alarms".to_owned()],
            ..Actions::default()
        },
        configured_at: None,
    }
}

/// Returns the datapoints of a row of the documentation, newest last and in the current period: `0` is within the
/// threshold, `X` beyond it, `-` is missing.
fn readings(row: &str) -> Readings {
    let slots: Vec<&str> = row.split(' ').collect();
    let point = |(index, slot): (usize, &&str)| {
        let back = i64::try_from(slots.len() - 1 - index).unwrap();
        let start = 1_000_000 - back * i64::from(PERIOD);
        let value = match *slot {
            "0" => 1.0,
            "X" => 8.0,
            _ => return None,
        };
        Some(Datapoint { at: at(start), value })
    };
    Readings::from([(series("Error"), slots.iter().enumerate().filter_map(point).collect())])
}

fn verdict(alarm: &AlarmDefinition, row: &str, previous: AlarmState) -> AlarmState {
    evaluate(alarm, &readings(row), previous, at(NOW), EvaluationSettings::LOCAL).state
}

/// Checks a table of the documentation. `None` is "retain current state". The columns are in the order of `ALL`.
fn check(required: u32, table: &[(&str, [Option<AlarmState>; 4])]) {
    for (row, expected) in table {
        for (missing_data, expected) in ALL.into_iter().zip(expected) {
            let alarm = AlarmDefinition { missing_data, datapoints_to_alarm: Some(required), ..alarm() };
            for previous in STATES {
                let expected = expected.unwrap_or(previous);
                assert_eq!(verdict(&alarm, row, previous), expected, "{row} {missing_data:?} from {previous}");
            }
        }
    }
}

const OK: Option<AlarmState> = Some(AlarmState::Ok);
const ALARM: Option<AlarmState> = Some(AlarmState::Alarm);
const INSUFFICIENT: Option<AlarmState> = Some(AlarmState::InsufficientData);
const RETAIN: Option<AlarmState> = None;

#[test]
fn three_out_of_three_is_as_documented() {
    check(
        3,
        &[
            ("0 - X - X", [OK, OK, OK, OK]),
            ("0 - - - -", [OK, OK, OK, OK]),
            ("- - - - -", [INSUFFICIENT, RETAIN, ALARM, OK]),
            ("0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
            ("- - X - -", [ALARM, RETAIN, ALARM, OK]),
        ],
    );
}

#[test]
fn two_out_of_three_is_as_documented() {
    check(
        2,
        &[
            ("0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
            ("0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
            ("0 - X - -", [OK, OK, ALARM, OK]),
            ("- - - - 0", [OK, OK, ALARM, OK]),
            ("- - - X -", [ALARM, RETAIN, ALARM, OK]),
        ],
    );
}

/// Rows that an older edition of the same documentation had.
#[test]
fn a_breach_that_is_too_young_is_not_yet_an_alarm() {
    check(3, &[("- - - - X", [INSUFFICIENT, RETAIN, ALARM, OK]), ("X - - - -", [ALARM, RETAIN, ALARM, OK])]);
    check(2, &[("- - - - X", [INSUFFICIENT, RETAIN, ALARM, OK])]);
}

#[test]
fn only_the_exact_metric_statistic_and_period_count() {
    let alarm = AlarmDefinition { evaluation_periods: 1, missing_data: MissingData::NotBreaching, ..alarm() };
    let point = vec![Datapoint { at: at(NOW), value: 9.0 }];
    let judged = |key: SeriesKey| {
        let readings = Readings::from([(key, point.clone())]);
        evaluate(&alarm, &readings, AlarmState::Ok, at(NOW), EvaluationSettings::LOCAL).state
    };
    assert_eq!(judged(series("Error")), AlarmState::Alarm);
    let changes: [fn(&mut SeriesKey); 5] = [
        |key| drop(key.metric.dimensions.insert("Deployment".to_owned(), "other".to_owned())),
        |key| drop(key.metric.dimensions.remove("ServiceLevel")),
        |key| drop(key.metric.dimensions.insert("More".to_owned(), "1".to_owned())),
        |key| key.statistic = Statistic::Average,
        |key| key.period_seconds = 60,
    ];
    for change in changes {
        let mut key = series("Error");
        change(&mut key);
        assert_eq!(judged(key.clone()), AlarmState::Ok, "{key:?}");
    }
}

#[test]
fn each_operator_knows_its_side_of_the_threshold() {
    let sides = |comparison: Comparison| [4.0, 5.0, 6.0].map(|value| comparison.breaches(value, 5.0));
    assert_eq!(sides(Comparison::GreaterThanOrEqualToThreshold), [false, true, true]);
    assert_eq!(sides(Comparison::GreaterThanThreshold), [false, false, true]);
    assert_eq!(sides(Comparison::LessThanOrEqualToThreshold), [true, true, false]);
    assert_eq!(sides(Comparison::LessThanThreshold), [true, false, false]);
}

#[test]
fn periods_are_aligned_and_the_running_one_counts_locally() {
    let alarm = AlarmDefinition { evaluation_periods: 1, missing_data: MissingData::NotBreaching, ..alarm() };
    let running = readings("X");
    let state = |now, settings| evaluate(&alarm, &running, AlarmState::Ok, at(now), settings).state;
    assert_eq!(state(1_000_000, EvaluationSettings::LOCAL), AlarmState::Alarm);
    assert_eq!(state(1_000_009, EvaluationSettings::CLOUD), AlarmState::Ok);
    assert_eq!(state(1_000_010, EvaluationSettings::CLOUD), AlarmState::Alarm);
    assert_eq!(range_start(&alarm, at(1_000_009), EvaluationSettings::LOCAL), at(999_980));
    assert_eq!(range_start(&alarm, at(1_000_009), EvaluationSettings::CLOUD), at(999_970));
}

#[test]
fn an_old_breach_counts_until_it_leaves_the_range() {
    let alarm = AlarmDefinition { evaluation_periods: 1, missing_data: MissingData::NotBreaching, ..alarm() };
    let once = readings("X");
    let state = |now| evaluate(&alarm, &once, AlarmState::Alarm, at(now), EvaluationSettings::LOCAL).state;
    assert_eq!(state(1_000_029), AlarmState::Alarm);
    assert_eq!(state(1_000_030), AlarmState::Ok);
}

#[test]
fn the_reason_tells_the_datapoints() {
    let one = AlarmDefinition { evaluation_periods: 1, ..alarm() };
    let quiet = AlarmDefinition { missing_data: MissingData::NotBreaching, ..one.clone() };
    let reason = |alarm: &AlarmDefinition, row| {
        evaluate(alarm, &readings(row), AlarmState::Ok, at(NOW), EvaluationSettings::LOCAL).reason
    };
    for (alarm, row, expected) in [
        (
            &one,
            "X",
            "Threshold Crossed: 1 datapoint [8.0 (12/01/70 13:46:40)] was greater than or equal to the threshold (5.0).",
        ),
        (
            &one,
            "0",
            "Threshold Crossed: 1 datapoint [1.0 (12/01/70 13:46:40)] was not greater than or equal to the threshold (5.0).",
        ),
        (
            &quiet,
            "-",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].",
        ),
        (&one, "-", "Insufficient Data: 1 datapoint was unknown."),
    ] {
        assert_eq!(reason(alarm, row), expected);
    }
}

/// Tries all 243 rows: with at least N datapoints, the setting for missing data has no effect.
#[test]
fn missing_data_matters_only_when_there_is_too_little() {
    for number in 0..3_usize.pow(5) {
        let slots: Vec<&str> = (0..5).map(|place| ["0", "X", "-"][number / 3_usize.pow(place) % 3]).collect();
        if slots.iter().filter(|slot| **slot != "-").count() < 3 {
            continue;
        }
        for required in 1..=3 {
            let row = slots.join(" ");
            let states = ALL.map(|missing_data| {
                let alarm = AlarmDefinition { missing_data, datapoints_to_alarm: Some(required), ..alarm() };
                verdict(&alarm, &row, AlarmState::InsufficientData)
            });
            assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "{row} {required} {states:?}");
        }
    }
}
