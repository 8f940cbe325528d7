//! The template's parameters that a file decides.

use breaker::NUMBERS;
use serde_json::Value;

use crate::{Effective, Origin, Setting};

/// Keys and their parameters, except those of the policy, whose parameters are named as the environment variables.
const PARAMETERS: &[(&str, &str)] = &[
    ("deployment.project", "ProjectName"),
    ("deployment.architecture", "Architecture"),
    ("deployment.gradual", "GradualDeployment"),
    ("deployment.traffic_shift", "GradualDeploymentType"),
    ("deployment.log_level", "LogLevel"),
    ("api.authorization", "ApiAuthorization"),
    ("api.status_authorization", "StatusAuthorization"),
    ("api.jwt_issuer", "JwtIssuer"),
    ("api.jwt_audience", "JwtAudience"),
    ("api.requests_per_second", "ApiRateLimit"),
    ("api.burst", "ApiBurstLimit"),
    ("api.status_requests_per_second", "StatusRateLimit"),
    ("api.status_burst", "StatusBurstLimit"),
    ("services.full", "FullServiceFunctionArn"),
    ("services.degraded", "DegradedServiceFunctionArn"),
    ("services.maintenance", "MaintenanceServiceFunctionArn"),
    ("samples.fault_injection", "FaultInjection"),
    ("samples.full_failure_percent", "FullServiceFailureRate"),
    ("samples.degraded_failure_percent", "DegradedServiceFailureRate"),
    ("samples.maintenance_failure_percent", "MaintenanceServiceFailureRate"),
    ("request_path.service_timeout_milliseconds", "ServiceTimeoutMilliseconds"),
    ("request_path.full_timeout_milliseconds", "FullServiceTimeoutMilliseconds"),
    ("request_path.degraded_timeout_milliseconds", "DegradedServiceTimeoutMilliseconds"),
    ("request_path.maintenance_timeout_milliseconds", "MaintenanceServiceTimeoutMilliseconds"),
    ("request_path.fallback", "RequestFallback"),
    ("request_path.fallback_level", "FallbackLevel"),
    ("request_path.state_cache_milliseconds", "StateCacheTtlMilliseconds"),
    ("alerts.email", "AlertEmail"),
    ("alerts.runbook_url", "RunbookUrl"),
    ("alerts.level_alarm_period_seconds", "LevelAlarmPeriodSeconds"),
    ("alerts.oldest_alarm_seconds", "OldestAlarmSeconds"),
    ("alerts.stale_state_seconds", "StaleStateSeconds"),
    ("alerts.hold_ends_minutes", "HoldEndsMinutes"),
    ("alerts.brake_failures", "BrakeAlarmThreshold"),
    ("limits.controller_memory_megabytes", "ControllerMemoryMegabytes"),
    ("limits.service_memory_megabytes", "ServiceMemoryMegabytes"),
    ("limits.task_memory_megabytes", "TaskMemoryMegabytes"),
    ("limits.control_plane_concurrency", "ControlPlaneReservedConcurrency"),
    ("limits.full_concurrency", "FullServiceConcurrencyLimit"),
    ("limits.degraded_concurrency", "DegradedServiceConcurrencyLimit"),
    ("limits.maintenance_concurrency", "MaintenanceServiceConcurrencyLimit"),
    ("limits.record_retention_days", "RecordRetentionDays"),
    ("limits.log_retention_days", "LogRetentionDays"),
    ("limits.table_deletion_protection", "StateTableDeletionProtection"),
    ("limits.vpc_subnet_ids", "VpcSubnetIds"),
    ("limits.vpc_security_group_ids", "VpcSecurityGroupIds"),
    ("policy.preset", "PolicyPreset"),
    ("policy.mode", "Mode"),
    ("policy.recovery_evidence", "RecoveryEvidence"),
    ("policy.trip_when", "TripWhen"),
];

/// Parameters that take `enabled` and `disabled` where the file says true and false.
const SWITCHES: [&str; 2] = ["FaultInjection", "RequestFallback"];

impl Effective {
    /// Returns name and value of every parameter of the template that the file decides, in the order of the schema:
    /// what the file does not say has its default, and an empty threshold is the preset's.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        let value = |setting: &Setting, name: &str| match setting.origin {
            Origin::Preset | Origin::Default if is_override_of_preset(&setting.key) => String::new(),
            _ => written(name, &setting.value),
        };
        self.settings
            .iter()
            .filter_map(|setting| parameter_of(&setting.key).map(|name| (name.clone(), value(setting, &name))))
            .collect()
    }
}

/// Whether an empty parameter of this key means what the preset says.
fn is_override_of_preset(key: &str) -> bool {
    key.starts_with("policy.") && !matches!(key, "policy.preset" | "policy.mode")
}

/// Returns the parameter of a key; None for a key that is no setting.
pub(crate) fn parameter_of(key: &str) -> Option<String> {
    if let Some((_, parameter)) = PARAMETERS.iter().find(|(known, _)| *known == key) {
        return Some((*parameter).to_owned());
    }
    let key = key.strip_prefix("policy.")?;
    let number = NUMBERS.iter().find(|number| number.key == key)?;
    Some(number.name.split('_').map(capitalised).collect())
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_owned() + &rest.to_lowercase()
}

fn written(parameter: &str, value: &Value) -> String {
    match value {
        Value::Bool(flag) if SWITCHES.contains(&parameter) => if *flag { "enabled" } else { "disabled" }.to_owned(),
        // The file has percentages, the parameter a share.
        Value::Number(percent) if parameter.ends_with("FailureRate") => {
            format!("{}", percent.as_f64().unwrap_or_default() / 100.0)
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
