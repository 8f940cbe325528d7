//! The parameters of the data stack and of the main stack.

use std::collections::BTreeMap;

use deployment_file::{Alerts, Api, Deployment, Effective, Limits, Services};
use serde::Serialize;
use serde_json::Value;

use crate::code::Code;
use crate::names::Names;

/// Parameters as pairs of name and value.
type Parameters = Vec<(&'static str, String)>;

/// Returns the parameters of the data stack.
pub(crate) fn of_data(deployment: &Effective, names: &Names) -> BTreeMap<String, String> {
    let protection = ("StateTableDeletionProtection", deployment.file.limits.table_deletion_protection.to_string());
    owned(naming(names).into_iter().chain([protection]))
}

/// Returns the parameters of the main stack, except the release's identifier.
pub(crate) fn of_main(deployment: &Effective, names: &Names, code: &Code) -> BTreeMap<String, String> {
    let file = &deployment.file;
    let functions = ("BreakerConfig", deployment.breaker_config());
    let parts = [
        naming(names),
        uploaded(code),
        of_deployment(&file.deployment),
        of_services(&file.services),
        of_api(&file.api),
        of_alerts(&file.alerts),
        of_limits(&file.limits),
    ];
    owned(parts.into_iter().flatten().chain([functions]))
}

fn owned(parameters: impl Iterator<Item = (&'static str, String)>) -> BTreeMap<String, String> {
    parameters.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn naming(names: &Names) -> Parameters {
    vec![("ProjectName", names.project.clone()), ("Environment", names.environment.clone())]
}

fn uploaded(code: &Code) -> Parameters {
    vec![
        ("CodeBucket", code.bucket.clone()),
        ("CodeKeys", code.keys()),
        ("StateMachineKey", code.state_machine.clone()),
    ]
}

fn of_deployment(deployment: &Deployment) -> Parameters {
    vec![
        ("Architecture", word(deployment.architecture)),
        ("LogLevel", word(deployment.log_level)),
        ("GradualDeployment", deployment.gradual.to_string()),
        ("GradualDeploymentType", word(deployment.traffic_shift)),
    ]
}

fn of_services(services: &Services) -> Parameters {
    let own = |arn: &Option<String>| arn.clone().unwrap_or_default();
    vec![
        ("FullServiceFunctionArn", own(&services.full)),
        ("DegradedServiceFunctionArn", own(&services.degraded)),
        ("MaintenanceServiceFunctionArn", own(&services.maintenance)),
    ]
}

fn of_api(api: &Api) -> Parameters {
    let limits = [api.requests_per_second, api.burst, api.status_requests_per_second, api.status_burst];
    vec![
        ("ApiAuthorization", word(api.authorization)),
        ("StatusAuthorization", word(api.status_authorization)),
        ("JwtIssuer", api.jwt_issuer.clone().unwrap_or_default()),
        ("JwtAudience", api.jwt_audience.join(",")),
        ("ApiLimits", list(&limits)),
        ("Cors", api.cors.to_string()),
    ]
}

fn of_alerts(alerts: &Alerts) -> Parameters {
    vec![
        ("AlertEmail", alerts.email.clone().unwrap_or_default()),
        ("RunbookUrl", alerts.runbook_url.clone()),
        ("BrakeAlarm", list(&[alerts.level_alarm_period_seconds, alerts.brake_failures])),
    ]
}

fn of_limits(limits: &Limits) -> Parameters {
    let concurrency = [
        limits.control_plane_concurrency,
        limits.full_concurrency,
        limits.degraded_concurrency,
        limits.maintenance_concurrency,
    ];
    let memory = [limits.controller_memory_megabytes, limits.service_memory_megabytes, limits.task_memory_megabytes];
    vec![
        ("MemoryMegabytes", list(&memory)),
        ("ConcurrencyLimits", list(&concurrency)),
        ("LogRetentionDays", limits.log_retention_days.to_string()),
        ("VpcSubnetIds", limits.vpc_subnet_ids.join(",")),
        ("VpcSecurityGroupIds", limits.vpc_security_group_ids.join(",")),
    ]
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Returns the word for a value, which is the same in the deployment's file and in the template.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}
