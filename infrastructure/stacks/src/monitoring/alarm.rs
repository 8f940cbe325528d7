//! An alarm, and its resource in `CloudFormation`'s words.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Names;

/// Who is told when the alarm goes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// The state machine, by way of the queue and the alarm processor.
    LevelAlarms,
    /// People.
    Alerts,
}

impl Topic {
    /// Returns the ARN, which the topic's name decides.
    fn arn(self, names: &Names) -> Value {
        let name = match self {
            Self::LevelAlarms => "circuit-breaker-alarms",
            Self::Alerts => "circuit-breaker-alerts",
        };
        arn("sns", &names.resource(name))
    }
}

/// Returns the ARN of a resource of this account and region.
pub(super) fn arn(service: &str, resource: &str) -> Value {
    json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}") })
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

/// A metric with all its dimensions: one more or one less is another metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metric {
    pub(super) namespace: &'static str,
    #[serde(rename = "MetricName")]
    pub(super) name: &'static str,
    pub(super) dimensions: Vec<Dimension>,
}

/// What an alarm watches.
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

/// When a value breaches.
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

/// What a period without data is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum MissingData {
    NotBreaching,
    Breaching,
}

/// "M out of N": the alarm goes off if so many of the newest periods breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Periods {
    pub(super) datapoints_to_alarm: u32,
    pub(super) evaluation_periods: u32,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alarm {
    /// The name without what names the deployment, for example `level-1-error-rate`.
    pub(super) name: String,
    /// What it means and what to do, and where the runbook says more.
    pub(super) description: String,
    pub(super) watched: Watched,
    pub(super) periods: Periods,
    pub(super) threshold: u32,
    pub(super) comparison: Comparison,
    pub(super) missing_data: MissingData,
    pub(super) topic: Topic,
    /// Whether it says when it is over.
    pub(super) says_ok: bool,
}

/// The properties as `CloudFormation` spells them.
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

    /// Returns the resource.
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
