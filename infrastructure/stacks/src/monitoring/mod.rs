//! The monitoring stack: level alarms, alarms for people and the dashboard, in JSON.
//!
//! The template has no parameters: everything in it follows from the file of the deployment. It refers to the resources
//! of the main stack by their names. It imports only the API's identifier, because AWS chooses that one.

mod alarm;
mod dashboard;
mod level_alarms;
mod people;

use deployment_file::Effective;
use serde_json::{Map, Value, json};

use self::alarm::Alarm;
use crate::names::Names;

/// Returns the template of the monitoring stack.
pub(crate) fn template(deployment: &Effective, names: &Names) -> String {
    let alarms: Vec<Alarm> =
        level_alarms::alarms(deployment, names).into_iter().chain(people::alarms(deployment, names)).collect();
    let mut resources: Map<String, Value> =
        alarms.iter().map(|alarm| (alarm.logical_name(), alarm.resource(names))).collect();
    resources.insert("Dashboard".to_owned(), dashboard::resource(deployment, names, &alarms));
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Monitoring of the bank circuit breaker: level alarms, alarms for people, dashboard. \
                        The command renders it from the file of the deployment.",
        "Resources": resources,
    });
    format!("{template:#}\n")
}
