//! The message that CloudWatch sends to a topic when an alarm changes state, in the same format.

use jiff::Timestamp;
use serde::Serialize;

use crate::definition::{AlarmDefinition, AlarmState};
use crate::series::{Metric, SeriesKey, Statistic};
use crate::watched::{MetricMath, Watched};

/// Maximum length of an SNS subject in characters.
const SUBJECT_LENGTH: usize = 100;

/// A state change that a message reports.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The state before.
    pub old: AlarmState,
    /// The state now.
    pub new: AlarmState,
    /// Reason of the change.
    pub reason: String,
    /// Time of the change (UTC).
    pub at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    alarm_name: &'a str,
    alarm_description: Option<&'a str>,
    #[serde(rename = "AWSAccountId")]
    account: &'a str,
    alarm_configuration_updated_timestamp: Option<String>,
    new_state_value: &'static str,
    new_state_reason: &'a str,
    state_change_time: String,
    region: &'a str,
    alarm_arn: &'a str,
    old_state_value: &'static str,
    #[serde(rename = "OKActions")]
    ok_actions: &'a [String],
    alarm_actions: &'a [String],
    insufficient_data_actions: &'a [String],
    trigger: Trigger<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Trigger<'a> {
    #[serde(flatten)]
    metric: Option<TriggerMetric<'a>>,
    period: u32,
    evaluation_periods: u32,
    datapoints_to_alarm: u32,
    comparison_operator: &'static str,
    threshold: f64,
    treat_missing_data: &'static str,
    evaluate_low_sample_count_percentile: &'static str,
    /// The queries of metric math, instead of a single metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<Query<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TriggerMetric<'a> {
    metric_name: &'a str,
    namespace: &'a str,
    statistic_type: &'static str,
    statistic: &'static str,
    unit: Option<&'a str>,
    dimensions: Vec<Dimension<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Query<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<&'a str>,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_stat: Option<MetricStat<'a>>,
    return_data: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat<'a> {
    metric: QueryMetric<'a>,
    period: u32,
    stat: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryMetric<'a> {
    dimensions: Vec<Dimension<'a>>,
    metric_name: &'a str,
    namespace: &'a str,
}

/// A dimension. Its keys are in lower case, unlike all other keys of the message.
#[derive(Serialize)]
struct Dimension<'a> {
    value: &'a str,
    name: &'a str,
}

/// Returns the message's subject: the state, the alarm and the region, truncated to the limit of SNS.
#[must_use]
pub fn subject(alarm: &AlarmDefinition, new: AlarmState) -> String {
    let text = format!("{new}: \"{}\" in {}", alarm.name, region_name(part(&alarm.arn, 3)));
    text.chars().take(SUBJECT_LENGTH).collect()
}

/// Returns the message's text.
///
/// # Errors
/// A number cannot be written as JSON.
pub fn message(alarm: &AlarmDefinition, change: &StateChange) -> serde_json::Result<String> {
    serde_json::to_string(&Message {
        alarm_name: &alarm.name,
        alarm_description: alarm.description.as_deref(),
        account: part(&alarm.arn, 4),
        alarm_configuration_updated_timestamp: alarm.configured_at.map(time),
        new_state_value: change.new.name(),
        new_state_reason: &change.reason,
        state_change_time: time(change.at),
        region: region_name(part(&alarm.arn, 3)),
        alarm_arn: &alarm.arn,
        old_state_value: change.old.name(),
        ok_actions: &alarm.actions.ok,
        alarm_actions: &alarm.actions.alarm,
        insufficient_data_actions: &alarm.actions.insufficient_data,
        trigger: trigger(alarm),
    })
}

fn trigger(alarm: &AlarmDefinition) -> Trigger<'_> {
    let (metric, metrics) = match &alarm.watched {
        Watched::Metric(series) => (Some(trigger_metric(series)), None),
        Watched::Math(math) => (None, Some(queries(math))),
    };
    Trigger {
        metric,
        period: alarm.watched.period_seconds(),
        evaluation_periods: alarm.evaluation_periods,
        datapoints_to_alarm: alarm.required(),
        comparison_operator: alarm.comparison.name(),
        threshold: alarm.threshold,
        treat_missing_data: alarm.missing_data.name(),
        evaluate_low_sample_count_percentile: "",
        metrics,
    }
}

fn trigger_metric(series: &SeriesKey) -> TriggerMetric<'_> {
    TriggerMetric {
        metric_name: &series.metric.name,
        namespace: &series.metric.namespace,
        statistic_type: "Statistic",
        statistic: capitals(series.statistic),
        unit: None,
        dimensions: dimensions(&series.metric),
    }
}

fn dimensions(metric: &Metric) -> Vec<Dimension<'_>> {
    metric.dimensions.iter().map(|(name, value)| Dimension { value, name }).collect()
}

fn queries(math: &MetricMath) -> Vec<Query<'_>> {
    let expression = Query { expression: Some(math.text()), id: math.id(), metric_stat: None, return_data: true };
    let operands = math.operands().iter().map(|(id, series)| Query {
        expression: None,
        id,
        metric_stat: Some(MetricStat {
            metric: QueryMetric {
                dimensions: dimensions(&series.metric),
                metric_name: &series.metric.name,
                namespace: &series.metric.namespace,
            },
            period: series.period_seconds,
            stat: series.statistic.name(),
        }),
        return_data: false,
    });
    std::iter::once(expression).chain(operands).collect()
}

/// Formats a time with milliseconds and an offset without a colon.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn part(arn: &str, index: usize) -> &str {
    arn.split(':').nth(index).unwrap_or_default()
}

fn capitals(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Sum => "SUM",
        Statistic::SampleCount => "SAMPLE_COUNT",
        Statistic::Average => "AVERAGE",
        Statistic::Minimum => "MINIMUM",
        Statistic::Maximum => "MAXIMUM",
    }
}

/// Returns the region's display name, or its code if the name is not listed here.
fn region_name(code: &str) -> &str {
    match code {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "sa-east-1" => "South America (Sao Paulo)",
        "eu-west-1" => "EU (Ireland)",
        "eu-west-2" => "EU (London)",
        "eu-west-3" => "EU (Paris)",
        "eu-central-1" => "EU (Frankfurt)",
        "eu-north-1" => "EU (Stockholm)",
        "eu-south-1" => "EU (Milan)",
        "ap-south-1" => "Asia Pacific (Mumbai)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::evaluation_tests::{alarm, math};

    fn change() -> StateChange {
        StateChange {
            old: AlarmState::Ok,
            new: AlarmState::Alarm,
            reason: "Threshold Crossed".to_owned(),
            at: "2026-09-10T14:06:12.5447Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_message_has_every_member_of_a_real_one() {
        let mut alarm = alarm();
        alarm.configured_at = Some("2026-09-01T00:00:00Z".parse().unwrap());
        let told: Value = serde_json::from_str(&message(&alarm, &change()).unwrap()).unwrap();
        assert_eq!(
            told,
            json!({
                "AlarmName": "level-1-error-rate",
                "AlarmDescription": null,
                "AWSAccountId": "000000000000",
                "AlarmConfigurationUpdatedTimestamp": "2026-09-01T00:00:00.000+0000",
                "NewStateValue": "ALARM",
                "NewStateReason": "Threshold Crossed",
                "StateChangeTime": "2026-09-10T14:06:12.544+0000",
                "Region": "US East (N. Virginia)",
                "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:level-1-error-rate",
                "OldStateValue": "OK",
                "OKActions": [],
                "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:alarms"],
                "InsufficientDataActions": [],
                "Trigger": {
                    "MetricName": "Error", "Namespace": "CircuitBreaker/Service",
                    "StatisticType": "Statistic", "Statistic": "SUM", "Unit": null,
                    "Dimensions": [{"value": "bank-dev", "name": "Deployment"}, {"value": "1", "name": "ServiceLevel"}],
                    "Period": 10, "EvaluationPeriods": 3, "DatapointsToAlarm": 3,
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 5.0,
                    "TreatMissingData": "missing", "EvaluateLowSampleCountPercentile": ""
                }
            })
        );
    }

    #[test]
    fn a_math_alarms_message_has_its_metrics_and_no_metric() {
        let alarm = AlarmDefinition { watched: Watched::Math(math()), ..alarm() };
        let told: Value = serde_json::from_str(&message(&alarm, &change()).unwrap()).unwrap();
        let operand = |id: &str, name: &str| {
            let dimensions =
                json!([{"value": "bank-dev", "name": "Deployment"}, {"value": "1", "name": "ServiceLevel"}]);
            let metric = json!({"Dimensions": dimensions, "MetricName": name, "Namespace": "CircuitBreaker/Service"});
            json!({"Id": id, "MetricStat": {"Metric": metric, "Period": 10, "Stat": "Sum"}, "ReturnData": false})
        };
        assert_eq!(
            told["Trigger"],
            json!({
                "Period": 10, "EvaluationPeriods": 3, "DatapointsToAlarm": 3,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 5.0,
                "TreatMissingData": "missing", "EvaluateLowSampleCountPercentile": "",
                "Metrics": [
                    {"Expression": math().text(), "Id": "hint", "ReturnData": true},
                    operand("errors", "Error"),
                    operand("successes", "Success"),
                ]
            })
        );
    }

    #[test]
    fn the_subject_names_alarm_and_region_and_fits() {
        let mut alarm = alarm();
        assert_eq!(subject(&alarm, AlarmState::Alarm), r#"ALARM: "level-1-error-rate" in US East (N. Virginia)"#);
        alarm.name = "é".repeat(200);
        assert_eq!(subject(&alarm, AlarmState::Ok).chars().count(), 100);
    }
}
