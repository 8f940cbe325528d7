//! The type of the file. An editor shows its comments beside each key.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::policy::PolicySection;

/// Pattern of the ARN of a Lambda function, of a version or of an alias.
const FUNCTION_ARN: &str = r"^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$";
const FUNCTION_ARN_IN_WORDS: &str = "the ARN of a Lambda function, of a version or of an alias";

/// A deployment: one file for each environment. Every key has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeploymentFile {
    /// Names, account, region and traffic shift of the deployment.
    pub deployment: Deployment,
    /// Who may call the API, and how often.
    pub api: Api,
    /// Your own service Lambdas. A level without one is served by the sample service.
    pub services: Services,
    /// The sample services, for levels without a Lambda of your own.
    pub samples: Samples,
    /// When the level falls and when it recovers.
    pub policy: PolicySection,
    /// How the controller handles a request.
    pub request_path: RequestPath,
    /// The receivers of alerts, and their thresholds.
    pub alerts: Alerts,
    /// Memory, concurrency, retention and network.
    pub limits: Limits,
}

/// Names, account, region and traffic shift of the deployment. The environment is the file's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deployment {
    /// First part of every resource's name.
    #[schemars(length(min = 1, max = 24), regex(pattern = r"^[a-z](-?[a-z0-9])*$"))]
    #[schemars(extend("patternErrorMessage" = "lower-case letters, digits and single hyphens, a letter first, at most 24 characters"))]
    pub project: String,
    /// AWS account that this deployment belongs to; the command refuses another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[0-9]{12}$"))]
    #[schemars(extend("patternErrorMessage" = "the twelve digits of an account"))]
    pub account: Option<String>,
    /// AWS region that this deployment belongs to; the command refuses another one, and uses this one if no other is
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[a-z]+(-[a-z]+)+-[0-9]+$"))]
    #[schemars(extend("patternErrorMessage" = "the name of a region, such as us-east-1"))]
    pub region: Option<String>,
    /// Processor that the functions are built for.
    pub architecture: Architecture,
    /// Whether CodeDeploy moves traffic to a new version of the controller and the sample services step by step. An
    /// alarm moves it back.
    pub gradual: bool,
    /// The steps of a gradual deployment.
    pub traffic_shift: TrafficShift,
    /// Minimum severity that the functions log.
    pub log_level: LogLevel,
}

/// Processor that the functions are built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// Graviton.
    #[default]
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// The steps of a gradual deployment, by the names that `CodeDeploy` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say the share and the time")]
pub enum TrafficShift {
    #[default]
    Canary10Percent5Minutes,
    Canary10Percent10Minutes,
    Canary10Percent15Minutes,
    Canary10Percent30Minutes,
    Linear10PercentEvery1Minute,
    Linear10PercentEvery2Minutes,
    Linear10PercentEvery3Minutes,
    Linear10PercentEvery10Minutes,
}

/// Minimum severity that the functions log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names of the levels say it")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Your own service Lambdas, by ARN: of a function, a version or an alias.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    /// Your function for level 1, full service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        regex(pattern = FUNCTION_ARN)
    )]
    #[schemars(extend("patternErrorMessage" = FUNCTION_ARN_IN_WORDS))]
    pub full: Option<String>,
    /// Your function for level 2, degraded service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        regex(pattern = FUNCTION_ARN)
    )]
    #[schemars(extend("patternErrorMessage" = FUNCTION_ARN_IN_WORDS))]
    pub degraded: Option<String>,
    /// Your function for level 3, maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        regex(pattern = FUNCTION_ARN)
    )]
    #[schemars(extend("patternErrorMessage" = FUNCTION_ARN_IN_WORDS))]
    pub maintenance: Option<String>,
}

/// The sample services, for levels without a Lambda of your own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Samples {
    /// Whether callers may make the sample services fail on purpose. Never enable it for an API that customers call.
    pub fault_injection: bool,
    /// Percentage of requests that the sample service of level 1 fails at random.
    #[schemars(range(min = 0, max = 100))]
    pub full_failure_percent: f64,
    /// Percentage of requests that the sample service of level 2 fails at random.
    #[schemars(range(min = 0, max = 100))]
    pub degraded_failure_percent: f64,
    /// Percentage of requests that the sample service of level 3 fails at random.
    #[schemars(range(min = 0, max = 100))]
    pub maintenance_failure_percent: f64,
}

/// How the controller handles a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestPath {
    /// Time that the controller waits for a service, in milliseconds.
    #[schemars(range(min = 100, max = 14_000))]
    pub service_timeout_milliseconds: u32,
    /// Time that it waits for the service of level 1, in milliseconds, instead of `service_timeout_milliseconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 100, max = 14_000))]
    pub full_timeout_milliseconds: Option<u32>,
    /// Time that it waits for the service of level 2, in milliseconds, instead of `service_timeout_milliseconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 100, max = 14_000))]
    pub degraded_timeout_milliseconds: Option<u32>,
    /// Time that it waits for the service of level 3, in milliseconds, instead of `service_timeout_milliseconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 100, max = 14_000))]
    pub maintenance_timeout_milliseconds: Option<u32>,
    /// Time that it waits for any service for a GET or HEAD, in milliseconds; then the next level's service answers. The
    /// preset `production` has 2,000. If it is not set under `classic`, the timeout is that of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 100, max = 14_000))]
    pub read_timeout_milliseconds: Option<u32>,
    /// Whether the next level's service answers a GET or HEAD that fails.
    pub fallback: bool,
    /// Whether an answer of a service with status 429 counts as a failure of its level. Otherwise it counts as neither
    /// success nor failure.
    pub too_many_requests_fail: bool,
    /// Level of a controller that has never read the state.
    #[schemars(range(min = 1, max = 3))]
    pub fallback_level: u32,
    /// For how long a controller uses a state before it reads it again, in milliseconds, ± 20 %.
    #[schemars(range(min = 0, max = 60_000))]
    pub state_cache_milliseconds: u32,
}

/// The receivers of alerts, and their thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Address that is subscribed to the alerts topic. More can be subscribed by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[^@ ]+@[^@ ]+$"))]
    #[schemars(extend("patternErrorMessage" = "an e-mail address"))]
    pub email: Option<String>,
    /// Address of the runbook that each alarm names.
    #[schemars(length(min = 1, max = 200))]
    pub runbook_url: String,
    /// Period of the level alarms in seconds: 10, 20, 30 or 60. A shorter one detects sooner, 60 costs least.
    #[schemars(extend("enum" = [10, 20, 30, 60]))]
    pub level_alarm_period_seconds: u32,
    /// Age of the oldest queued alarm, in seconds, from which on the alarm `oldest-alarm` goes off.
    #[schemars(range(min = 30, max = 86_400))]
    pub oldest_alarm_seconds: u32,
    /// Age of a controller's state, in seconds, from which on the alarm `stale-state` goes off.
    #[schemars(range(min = 10, max = 86_400))]
    pub stale_state_seconds: u32,
    /// How many minutes before a hold ends the alarm `hold-ends` goes off.
    #[schemars(range(min = 1, max = 1_440))]
    pub hold_ends_minutes: u32,
    /// Failures of a level within one alarm period that stop a gradual deployment of its service.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub brake_failures: u32,
}

/// Memory, concurrency, retention and network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory of the controller, in megabytes.
    #[schemars(range(min = 128, max = 10_240))]
    pub controller_memory_megabytes: u32,
    /// Memory of each sample service, in megabytes.
    #[schemars(range(min = 128, max = 10_240))]
    pub service_memory_megabytes: u32,
    /// Memory of the alarm processor and of each task of the state machine, in megabytes.
    #[schemars(range(min = 128, max = 10_240))]
    pub task_memory_megabytes: u32,
    /// Executions reserved for each function of the control plane: 0 (none) or at least 2. If it is not set,
    /// `breaker deploy` derives it from the account's limit.
    #[schemars(range(min = 0, max = 1_000))]
    pub control_plane_concurrency: u32,
    /// Maximum executions at once of the sample service of level 1. 0 sets no limit. If it is not set, `breaker deploy`
    /// derives it from the account's limit.
    #[schemars(range(min = 0, max = 10_000))]
    pub full_concurrency: u32,
    /// Maximum executions at once of the sample service of level 2. 0 sets no limit.
    #[schemars(range(min = 0, max = 10_000))]
    pub degraded_concurrency: u32,
    /// Maximum executions at once of the sample service of level 3. 0 sets no limit.
    #[schemars(range(min = 0, max = 10_000))]
    pub maintenance_concurrency: u32,
    /// Retention of the records of transitions and commands, in days.
    #[schemars(range(min = 1, max = 3_650))]
    pub record_retention_days: u32,
    /// Retention of logs, in days. CloudWatch Logs allows only these numbers.
    #[schemars(extend("enum" = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]))]
    pub log_retention_days: u32,
    /// Whether DynamoDB refuses to delete the state table.
    pub table_deletion_protection: bool,
    /// Subnets of the functions; empty means outside a VPC. They need endpoints for dynamodb, lambda, monitoring,
    /// sync-states, xray and logs.
    pub vpc_subnet_ids: Vec<String>,
    /// Security groups of the functions. They need HTTPS to the endpoints, and nothing inbound.
    pub vpc_security_group_ids: Vec<String>,
}

impl DeploymentFile {
    /// Returns how long a call for a GET or HEAD may take; `None`: as long as the service.
    pub(crate) fn read_timeout(&self) -> Option<Duration> {
        let set =
            self.request_path.read_timeout_milliseconds.map(|milliseconds| Duration::from_millis(milliseconds.into()));
        set.or(self.policy.settings().preset.read_timeout())
    }
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            project: "bank-circuit-breaker".to_owned(),
            account: None,
            region: None,
            architecture: Architecture::default(),
            gradual: false,
            traffic_shift: TrafficShift::default(),
            log_level: LogLevel::default(),
        }
    }
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            fault_injection: false,
            full_failure_percent: 5.0,
            degraded_failure_percent: 2.0,
            maintenance_failure_percent: 10.0,
        }
    }
}

impl Default for RequestPath {
    fn default() -> Self {
        Self {
            service_timeout_milliseconds: 5_000,
            full_timeout_milliseconds: None,
            degraded_timeout_milliseconds: None,
            maintenance_timeout_milliseconds: None,
            read_timeout_milliseconds: None,
            fallback: true,
            too_many_requests_fail: false,
            fallback_level: 3,
            state_cache_milliseconds: 1_000,
        }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            email: None,
            runbook_url: "infrastructure/docs/runbook.md".to_owned(),
            level_alarm_period_seconds: 10,
            oldest_alarm_seconds: 120,
            stale_state_seconds: 60,
            hold_ends_minutes: 15,
            brake_failures: 5,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            controller_memory_megabytes: 256,
            service_memory_megabytes: 256,
            task_memory_megabytes: 256,
            control_plane_concurrency: 0,
            full_concurrency: 0,
            degraded_concurrency: 0,
            maintenance_concurrency: 0,
            record_retention_days: 400,
            log_retention_days: 30,
            table_deletion_protection: true,
            vpc_subnet_ids: Vec::new(),
            vpc_security_group_ids: Vec::new(),
        }
    }
}
