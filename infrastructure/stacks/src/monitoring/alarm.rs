//! An alarm, and its `CloudFormation` resource.

use serde::Serialize;
use serde_json::{Value, json};

use crate::names::Names;

/// The topic that an alarm notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// The topic of the level alarms, which leads to the queue, the alarm processor and the state machine.
    LevelAlarms,
    /// The topic that people subscribe to.
    Alerts,
}

impl Topic {
    /// Returns the topic's ARN, which follows from its name.
    fn arn(self, names: &Names) -> Value {
        let name = match self {
            Self::LevelAlarms => "circuit-breaker-alarms",
            Self::Alerts => "circuit-breaker-alerts",
        };
        arn("sns", &names.resource(name))
    }
}

/// Returns the ARN of a resource of this account and region, which `CloudFormation` fills in.
pub(super) fn arn(service: &str, resource: &str) -> Value {
    json!({ "Fn::Sub": arn_text(service, resource) })
}

/// Returns the ARN of a resource with placeholders for partition, account and region.
pub(super) fn arn_text(service: &str, resource: &str) -> String {
    format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")
}

/// One dimension of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension {
    pub(super) name: &'static str,
    pub(super) value: Value,
}

impl Dimension {
    pub(super) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into() }
    }
}

/// A metric with all its dimensions: to `CloudWatch` the same name with one dimension more or less is another metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metric {
    pub(super) namespace: &'static str,
    #[serde(rename = "MetricName")]
    pub(super) name: &'static str,
    pub(super) dimensions: Vec<Dimension>,
}

/// The metric or expression that an alarm watches.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Watched {
    /// One metric.
    #[serde(rename_all = "PascalCase")]
    Metric {
        #[serde(flatten)]
        metric: Metric,
        statistic: &'static str,
        /// Length of a period in seconds.
        period: u32,
    },
    /// Metric math: an expression and the metrics that it reads.
    #[serde(rename_all = "PascalCase")]
    Math { metrics: Vec<Value> },
}

/// The comparison with the threshold by which a value breaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Comparison {
    #[serde(rename = "GreaterThanOrEqualToThreshold")]
    AtLeast,
    #[serde(rename = "GreaterThanThreshold")]
    Above,
    #[serde(rename = "LessThanThreshold")]
    Below,
    #[serde(rename = "LessThanOrEqualToThreshold")]
    AtMost,
}

/// How an alarm treats a period without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum MissingData {
    NotBreaching,
    Breaching,
}

/// "M out of N": the alarm goes off if at least `datapoints_to_alarm` of the newest `evaluation_periods` breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Periods {
    pub(super) datapoints_to_alarm: u32,
    pub(super) evaluation_periods: u32,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alarm {
    /// The name without the project and the environment, for example `level-1-error-rate`.
    pub(super) name: String,
    /// The alarm's meaning, the remedy and the link to the runbook.
    pub(super) description: String,
    pub(super) watched: Watched,
    pub(super) periods: Periods,
    pub(super) threshold: u32,
    pub(super) comparison: Comparison,
    pub(super) missing_data: MissingData,
    pub(super) topic: Topic,
    /// Whether the topic also gets a message when the alarm returns to OK.
    pub(super) says_ok: bool,
}

/// The alarm's properties under the names that `CloudFormation` gives them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Properties<'a> {
    alarm_name: String,
    alarm_description: &'a str,
    #[serde(flatten)]
    watched: &'a Watched,
    #[serde(flatten)]
    periods: Periods,
    threshold: u32,
    comparison_operator: Comparison,
    treat_missing_data: MissingData,
    alarm_actions: [Value; 1],
    #[serde(rename = "OKActions", skip_serializing_if = "Option::is_none")]
    ok_actions: Option<[Value; 1]>,
}

impl Alarm {
    /// Returns the logical name of the resource: `level-1-error-rate` is `Level1ErrorRateAlarm`.
    pub(super) fn logical_name(&self) -> String {
        let words = self.name.split('-').map(capitalised);
        words.chain(["Alarm".to_owned()]).collect()
    }

    /// Returns the alarm's `CloudFormation` resource.
    pub(super) fn resource(&self, names: &Names) -> Value {
        let topic = || [self.topic.arn(names)];
        let properties = Properties {
            alarm_name: names.resource(&self.name),
            alarm_description: &self.description,
            watched: &self.watched,
            periods: self.periods,
            threshold: self.threshold,
            comparison_operator: self.comparison,
            treat_missing_data: self.missing_data,
            alarm_actions: topic(),
            ok_actions: self.says_ok.then(topic),
        };
        json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": properties })
    }
}

/// Returns the description of an alarm.
pub(super) fn description(advice: &str, runbook: &str, anchor: &str) -> String {
    format!("{advice} Runbook: {runbook}#{anchor}")
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
