//! The settings of a deployment's file that functions read.

/// Keys of the settings that functions read from `BREAKER_CONFIG`, except the numbers of the policy, which
/// [`NUMBERS`](crate::NUMBERS) has.
pub const FUNCTION_KEYS: [&str; 19] = [
    "policy.preset",
    "policy.mode",
    "policy.recovery_evidence",
    "policy.trip_when",
    "api.base_path",
    "request_path.service_timeout_milliseconds",
    "request_path.full_timeout_milliseconds",
    "request_path.degraded_timeout_milliseconds",
    "request_path.maintenance_timeout_milliseconds",
    "request_path.read_timeout_milliseconds",
    "request_path.fallback",
    "request_path.too_many_requests_fail",
    "request_path.fallback_level",
    "request_path.state_cache_milliseconds",
    "samples.fault_injection",
    "samples.full_failure_percent",
    "samples.degraded_failure_percent",
    "samples.maintenance_failure_percent",
    "limits.record_retention_days",
];
