//! Embedded metric format: parses a log line into the metric data that it contains. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One or more values of one metric with one set of dimensions, measured at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedDatum {
    /// The metric's namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// The dimensions, by name.
    pub dimensions: BTreeMap<String, String>,
    /// Time of the measurement (UTC).
    pub at: Timestamp,
    /// The values; at least one.
    pub values: Vec<f64>,
    /// The unit's name in the API.
    pub unit: String,
    /// Storage resolution in seconds: 1 for high resolution, else 60.
    pub storage_resolution: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    /// A directive without sets of dimensions means the metric without dimensions.
    #[serde(default = "no_dimensions")]
    dimensions: Vec<Vec<String>>,
    #[serde(default)]
    metrics: Vec<MetricDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDefinition {
    name: String,
    #[serde(default = "no_unit")]
    unit: String,
    #[serde(default = "standard_resolution")]
    storage_resolution: i32,
}

fn no_dimensions() -> Vec<Vec<String>> {
    vec![Vec::new()]
}

fn no_unit() -> String {
    "None".to_owned()
}

fn standard_resolution() -> i32 {
    60
}

/// Returns the metric data of a log line, or an empty list if the line is not in embedded metric format.
///
/// A value or dimension that a directive names and the line lacks is left out. The rest of the line still counts, as on
/// AWS.
#[must_use]
pub fn parse(line: &str) -> Vec<EmbeddedDatum> {
    // Most lines contain no metrics, so they are not parsed.
    if !line.contains("CloudWatchMetrics") {
        return Vec::new();
    }
    let Ok(root) = serde_json::from_str::<Map<String, Value>>(line.trim()) else { return Vec::new() };
    let Some(metadata) = root.get("_aws").and_then(|metadata| Metadata::deserialize(metadata).ok()) else {
        return Vec::new();
    };
    let Ok(at) = Timestamp::from_millisecond(metadata.timestamp) else { return Vec::new() };
    metadata.cloud_watch_metrics.iter().flat_map(|directive| data(directive, &root, at)).collect()
}

fn data(directive: &Directive, root: &Map<String, Value>, at: Timestamp) -> Vec<EmbeddedDatum> {
    let sets: Vec<_> = directive.dimensions.iter().filter_map(|names| dimension_set(names, root)).collect();
    let metrics = directive.metrics.iter().filter_map(|metric| Some((metric, values(root.get(&metric.name)?)?)));
    metrics
        .flat_map(|(metric, values)| {
            sets.iter().map(move |dimensions| EmbeddedDatum {
                namespace: directive.namespace.clone(),
                name: metric.name.clone(),
                dimensions: dimensions.clone(),
                at,
                values: values.clone(),
                unit: metric.unit.clone(),
                storage_resolution: metric.storage_resolution,
            })
        })
        .collect()
}

fn dimension_set(names: &[String], root: &Map<String, Value>) -> Option<BTreeMap<String, String>> {
    names.iter().map(|name| Some((name.clone(), root.get(name)?.as_str()?.to_owned()))).collect()
}

fn values(member: &Value) -> Option<Vec<f64>> {
    let values = match member {
        Value::Array(members) => members.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?,
        single => vec![single.as_f64()?],
    };
    (!values.is_empty()).then_some(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(directives: &Value, members: &Value) -> String {
        let mut root = json!({"_aws": {"Timestamp": 1_789_048_000_123_i64, "CloudWatchMetrics": directives}});
        let object = root.as_object_mut().unwrap();
        object.extend(members.as_object().unwrap().clone());
        root.to_string()
    }

    fn told(data: &[EmbeddedDatum]) -> Vec<String> {
        data.iter()
            .map(|datum| format!("{}/{} {:?} {:?}", datum.namespace, datum.name, datum.dimensions, datum.values))
            .collect()
    }

    #[test]
    fn a_line_is_one_datum_for_each_metric() {
        let text = line(
            &json!([{"Namespace": "Bank", "Dimensions": [["Level"]], "Metrics": [
                {"Name": "Error", "Unit": "Count", "StorageResolution": 1}, {"Name": "Time"}]}]),
            &json!({"Level": "1", "Error": 1, "Time": 2.5}),
        );
        let data = parse(&text);
        assert_eq!(told(&data), [r#"Bank/Error {"Level": "1"} [1.0]"#, r#"Bank/Time {"Level": "1"} [2.5]"#]);
        assert_eq!(data[0].at, Timestamp::from_millisecond(1_789_048_000_123).unwrap());
        assert_eq!((data[0].unit.as_str(), data[0].storage_resolution), ("Count", 1));
        assert_eq!((data[1].unit.as_str(), data[1].storage_resolution), ("None", 60));
    }

    #[test]
    fn each_directive_and_each_set_of_dimensions_counts() {
        let text = line(
            &json!([
                {"Namespace": "A", "Dimensions": [["X", "Y"], ["X"], []], "Metrics": [{"Name": "m"}]},
                {"Namespace": "B", "Metrics": [{"Name": "n"}]}]),
            &json!({"X": "x", "Y": "y", "m": 1, "n": 2}),
        );
        let expected = [r#"A/m {"X": "x", "Y": "y"} [1.0]"#, r#"A/m {"X": "x"} [1.0]"#, "A/m {} [1.0]", "B/n {} [2.0]"];
        assert_eq!(told(&parse(&text)), expected);
    }

    #[test]
    fn an_array_is_several_values_and_an_empty_one_is_none() {
        let metrics = json!([{"Namespace": "A", "Dimensions": [[]], "Metrics": [{"Name": "m"}, {"Name": "n"}]}]);
        assert_eq!(told(&parse(&line(&metrics, &json!({"m": [1, 2.5], "n": []})))), ["A/m {} [1.0, 2.5]"]);
    }

    #[test]
    fn an_invalid_value_is_left_out_and_the_rest_counts() {
        let metrics = json!([{"Namespace": "A", "Dimensions": [[]],
            "Metrics": [{"Name": "m"}, {"Name": "n"}, {"Name": "o"}, {"Name": "p"}]}]);
        assert_eq!(told(&parse(&line(&metrics, &json!({"n": "7", "o": [1, "2"], "p": 4})))), ["A/p {} [4.0]"]);
    }

    #[test]
    fn a_set_that_names_an_absent_dimension_is_left_out() {
        let metrics =
            json!([{"Namespace": "A", "Dimensions": [["X"], ["X", "Gone"], ["Number"]], "Metrics": [{"Name": "m"}]}]);
        assert_eq!(told(&parse(&line(&metrics, &json!({"X": "x", "Number": 3, "m": 1})))), [r#"A/m {"X": "x"} [1.0]"#]);
    }

    #[test]
    fn other_lines_are_no_metrics() {
        for text in [
            "",
            "START RequestId: 1",
            r#"{"level":"INFO","message":"hello"}"#,
            r#"{"_aws":{"CloudWatchMetrics":[]}}"#,
            r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"A","Metrics":[{"Name":"m"}]}]},"m":1"#,
            r#"{"_aws":{"Timestamp":"now","CloudWatchMetrics":[]}}"#,
            r#"["CloudWatchMetrics"]"#,
            r#"{"message":"CloudWatchMetrics"}"#,
        ] {
            assert_eq!(parse(text), [], "{text}");
        }
    }
}
