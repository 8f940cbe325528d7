use std::collections::BTreeMap;

use breaker::Level;
use serde_json::Value;

use super::*;

type Log = EmbeddedMetricLog<Vec<u8>>;

const START: i64 = 1_700_000_000_000;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(START + milliseconds).unwrap()
}

fn log() -> Log {
    EmbeddedMetricLog::new(Vec::new())
}

/// The lines that were written since the last call.
fn text(log: &Log) -> String {
    String::from_utf8(std::mem::take(&mut *log.output.lock().unwrap())).unwrap()
}

fn lines(log: &Log) -> Vec<Value> {
    text(log).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn service(level: Level, metrics: Vec<Metric>) -> MetricSet {
    MetricSet::of_service("bank-dev", level, metrics)
}

fn success(milliseconds: f64) -> MetricSet {
    service(Level::Full, vec![Metric::milliseconds("ResponseTime", milliseconds), Metric::count("Success", 1)])
}

fn failure() -> MetricSet {
    service(Level::Full, vec![Metric::milliseconds("ResponseTime", 5.0), Metric::count("Error", 1)])
}

/// The sums of a metric by the second of its lines, from the start.
fn sums(lines: &[Value], name: &str) -> BTreeMap<i64, i64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let second = (line["_aws"]["Timestamp"].as_i64().unwrap() - START).div_euclid(1_000);
        if let Some(value) = line[name].as_i64() {
            *sums.entry(second).or_default() += value;
        }
    }
    sums
}

#[test]
fn a_line_is_metadata_dimensions_and_values() {
    let log = log();
    log.record(
        at(123),
        &service(Level::Degraded, vec![Metric::count("Success", 1), Metric::milliseconds("ResponseTime", 12.5)]),
    );
    let expected = concat!(
        r#"{"_aws":{"Timestamp":1700000000123,"CloudWatchMetrics":[{"#,
        r#""Dimensions":[["Deployment","ServiceLevel","ServiceType"]],"Metrics":["#,
        r#"{"Name":"Success","Unit":"Count","StorageResolution":1},"#,
        r#"{"Name":"ResponseTime","Unit":"Milliseconds","StorageResolution":1}],"#,
        r#""Namespace":"CircuitBreaker/Service"}]},"#,
        r#""Deployment":"bank-dev","ServiceLevel":"2","ServiceType":"degraded","#,
        r#""Success":1,"ResponseTime":12.5}"#,
        "\n"
    );
    assert_eq!(text(&log), expected);
}

#[test]
fn earlier_lines_do_not_change_a_line() {
    let log = log();
    for set in [
        success(1.0),
        success(2.0),
        service(Level::Degraded, vec![Metric::milliseconds("ResponseTime", 3.0), Metric::count("Success", 1)]),
        service(Level::Full, vec![Metric::seconds("ResponseTime", 1.0)]),
        failure(),
        MetricSet::of_deployment("CircuitBreaker/Service", "bank-dev", vec![Metric::milliseconds("ResponseTime", 1.0)]),
        MetricSet::of_deployment("CircuitBreaker/Other", "bank-dev", vec![Metric::milliseconds("ResponseTime", 1.0)]),
    ] {
        let fresh = self::log();
        log.record(at(0), &set);
        fresh.record(at(0), &set);
        assert_eq!(text(&log), text(&fresh));
    }
    // The metrics of all levels share their metadata.
    assert_eq!(log.directives.lock().unwrap().len(), 5);
}

#[test]
fn an_environment_with_little_traffic_writes_each_request() {
    let log = log();
    for n in 0..3 {
        log.request(at(n * 1_000));
        log.record_soon(at(n * 1_000 + 100), &success(100.0));
        let lines = lines(&log);
        assert_eq!((lines.len(), &lines[0]["ResponseTime"]), (1, &100.into()));
        assert_eq!(lines[0]["_aws"]["Timestamp"], START + n * 1_000 + 100, "the outcome's own time");
    }
}

#[test]
fn a_busy_environment_writes_one_line_a_second() {
    let log = log();
    for n in 0..20 {
        log.request(at(n * 100));
        log.record_soon(at(n * 100 + 50), &success(f64::from(u32::try_from(n).unwrap()) + 0.5));
    }
    let lines = lines(&log);
    // The first request found an idle environment, and the second second is not over.
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["Success"], lines[1]["ResponseTime"].as_array().unwrap().len()), (&9.into(), 9));
    assert_eq!(lines[1]["_aws"]["Timestamp"], START);
    assert!(log.write_if_over(at(1_999)).is_some() && text(&log).is_empty());
    assert_eq!(log.write_if_over(at(2_000)), None);
    assert_eq!(sums(&self::lines(&log), "Success"), BTreeMap::from([(1, 10)]));
}

#[test]
fn a_failure_is_written_at_once_with_all_that_is_pending() {
    let log = log();
    for n in 0..5 {
        log.request(at(n * 100));
        log.record_soon(at(n * 100), &success(1.0));
    }
    assert_eq!(lines(&log).len(), 1);
    log.request(at(600));
    log.record(at(650), &failure());
    let lines = lines(&log);
    assert_eq!((lines.len(), &lines[0]["Success"], &lines[0]["Error"]), (1, &4.into(), &1.into()));
    assert_eq!(lines[0]["ResponseTime"].as_array().unwrap().len(), 5);
}

/// Every outcome is counted in its own second, whenever it is written.
#[test]
fn pending_outcomes_keep_their_second() {
    let log = log();
    for (request, outcome) in [(0, 10), (900, 950), (990, 1_010), (1_500, 1_600), (1_700, 2_300), (2_900, 2_950)] {
        log.request(at(request));
        log.record_soon(at(outcome), &success(1.0));
    }
    // After a pause: the environment was frozen.
    log.request(at(60_000));
    assert_eq!(sums(&lines(&log), "Success"), BTreeMap::from([(0, 2), (1, 2), (2, 2)]));
}

#[test]
fn a_line_has_at_most_a_hundred_values() {
    let log = log();
    for n in 0..251 {
        log.request(at(n));
        log.record_soon(at(n), &success(1.5));
    }
    log.write_pending();
    let lengths: Vec<_> = lines(&log).iter().map(|line| line["ResponseTime"].as_array().map_or(1, Vec::len)).collect();
    assert_eq!(lengths, [1, 100, 100, 50]);
}

#[test]
fn levels_are_not_mixed_and_other_values_are_added_up_by_kind() {
    let log = log();
    log.request(at(0));
    log.request(at(10));
    let controller = |level, age| {
        let metrics = vec![Metric::level("CurrentLevel", level), Metric::seconds("StateAgeSeconds", age)];
        MetricSet::of_deployment("CircuitBreaker/Controller", "bank-dev", metrics)
    };
    log.record_soon(at(20), &success(1.0));
    log.record_soon(at(20), &controller(Level::Full, 7.5));
    log.record_soon(at(30), &service(Level::Degraded, vec![Metric::count("Success", 1)]));
    log.record_soon(at(30), &controller(Level::Degraded, 0.5));
    log.write_pending();
    let lines = lines(&log);
    let told: Vec<_> = lines.iter().map(|line| (&line["ServiceLevel"], &line["Success"])).collect();
    assert_eq!(told, [(&"1".into(), &1.into()), (&Value::Null, &Value::Null), (&"2".into(), &1.into())]);
    assert_eq!((&lines[1]["CurrentLevel"], &lines[1]["StateAgeSeconds"]), (&2.into(), &7.5.into()));
}

#[tokio::test(start_paused = true)]
async fn pending_metrics_are_written_when_their_second_is_over() {
    let log = log();
    let now = Timestamp::now();
    log.request(now);
    log.request(now);
    log.record_soon(now - jiff::SignedDuration::from_secs(1), &success(1.0));
    drop(tokio::time::timeout(Duration::from_secs(5), log.write_each_second()).await);
    assert_eq!(lines(&log).len(), 1);
}
