//! SDK clients with timeouts, configured by the environment variables that Lambda sets.
//!
//! Lambda always gives a function its region and its credentials as environment variables, so only these are read. The
//! SDK's default chain would look for profiles, containers and instance metadata at every start, and needs clients for
//! that.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::connections::host_of;
use crate::https;
use crate::settings::{Environment, SettingError};

/// Timeouts of a call.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Timeout of one attempt.
    pub attempt: Duration,
    /// Timeout of all attempts together.
    pub operation: Duration,
}

/// Timeouts of a call in the tasks of the state machine. No task makes more than six calls, one after the other, and
/// the template gives it 25 s, so that it fails under its own name and not under the runtime's.
pub const TASK_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(1_500), operation: Duration::from_secs(4) };

/// Timeouts for reading a page of the evidence, and all of it. After an incident of 15 days, the longest for which
/// CloudWatch keeps minutes, the six series have 129,000 one-minute values and, with the longest window, 61,560
/// one-second values. The evaluation reads the state before it, in two calls at most, 8 s by [`TASK_TIMEOUTS`], so that
/// 18 of its 25 s are used.
pub const EVIDENCE_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_secs(5), operation: Duration::from_secs(10) };

/// Timeouts for reading the state within a request.
pub const ROUTING_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(150), operation: Duration::from_millis(300) };

/// Timeouts for the first read of an environment, before its first request. A first read takes longer: it resolves the
/// name, opens the connection, does the TLS handshake with a seventh of a processor (256 MB), and DynamoDB fetches the
/// table's key. Until a state is read, callers get the fallback level even if the level is 1, so a longer wait, once,
/// is better.
pub const FIRST_READ_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(700), operation: Duration::from_millis(1_500) };

/// Returns the configuration from Lambda's environment, with these timeouts and the SDK's standard retries. All clients
/// that are made from it share one HTTPS client.
///
/// Of the SDK's own settings `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_USE_FIPS_ENDPOINT` and
/// `AWS_USE_DUALSTACK_ENDPOINT` are honoured.
///
/// # Errors
/// Names the variable that is missing or invalid.
pub fn sdk_config(environment: &Environment, timeouts: Timeouts) -> Result<SdkConfig, SettingError> {
    let optional = |name: &str| Some(environment.text(name, "")).filter(|value| !value.is_empty());
    let switch = |name: &str| environment.one_of(name, &[("false", false), ("true", true)]);
    let mut credentials = Credentials::builder()
        .access_key_id(environment.required("AWS_ACCESS_KEY_ID")?)
        .secret_access_key(environment.required("AWS_SECRET_ACCESS_KEY")?)
        .provider_name("Environment");
    credentials.set_session_token(optional("AWS_SESSION_TOKEN"));
    credentials.set_account_id(optional("AWS_ACCOUNT_ID").map(Into::into));
    let mut config = SdkConfig::builder()
        // Pinned, so that a new behaviour of the SDK is reviewed before it is used.
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(environment.required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials.build()))
        .http_client(https::client(environment)?)
        .sleep_impl(TokioSleep::new())
        .timeout_config(timeout_config(timeouts))
        .retry_config(RetryConfig::standard())
        .use_fips(switch("AWS_USE_FIPS_ENDPOINT")?)
        .use_dual_stack(switch("AWS_USE_DUALSTACK_ENDPOINT")?)
        .service_config(ServiceSettings(environment.clone()));
    config.set_endpoint_url(optional("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

/// Settings of one service, such as `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct ServiceSettings(Environment);

impl LoadServiceConfig for ServiceSettings {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace([' ', '-'], "_");
        Some(self.0.text(&format!("{}_{service}", key.env()), "")).filter(|value| !value.is_empty())
    }
}

fn timeout_config(timeouts: Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(timeouts.attempt).operation_timeout(timeouts.operation).build()
}

/// Returns a Lambda client that never retries, because the SDK's three attempts could make three transfers of one. Each
/// call sets its own timeout.
#[cfg(feature = "lambda")]
#[must_use]
pub fn lambda_without_retries(config: &SdkConfig) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// Returns a DynamoDB client for reading the state within [`ROUTING_TIMEOUTS`]. Its pause before a second attempt is
/// short, because the SDK's default of up to a second would use up the time.
#[cfg(feature = "dynamodb")]
#[must_use]
pub fn dynamodb_for_routing(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    dynamodb_within(config, ROUTING_TIMEOUTS)
}

/// Returns a DynamoDB client for the first read of the state within [`FIRST_READ_TIMEOUTS`]. It shares its connections
/// with the client of the same configuration that reads the state later.
#[cfg(feature = "dynamodb")]
#[must_use]
pub fn dynamodb_for_first_read(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    dynamodb_within(config, FIRST_READ_TIMEOUTS)
}

#[cfg(feature = "dynamodb")]
fn dynamodb_within(config: &SdkConfig, timeouts: Timeouts) -> aws_sdk_dynamodb::Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(25))
        .with_max_backoff(Duration::from_millis(25));
    let config = aws_sdk_dynamodb::config::Builder::from(config)
        .retry_config(retries)
        .timeout_config(timeout_config(timeouts))
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// Returns a CloudWatch client for reading the evidence within [`EVIDENCE_TIMEOUTS`].
#[cfg(feature = "cloudwatch")]
#[must_use]
pub fn cloudwatch_for_evidence(config: &SdkConfig) -> aws_sdk_cloudwatch::Client {
    let config =
        aws_sdk_cloudwatch::config::Builder::from(config).timeout_config(timeout_config(EVIDENCE_TIMEOUTS)).build();
    aws_sdk_cloudwatch::Client::from_conf(config)
}

/// Returns a Step Functions client for `StartSyncExecution`.
#[cfg(feature = "step-functions")]
#[must_use]
pub fn step_functions(config: &SdkConfig) -> aws_sdk_sfn::Client {
    let mut builder = aws_sdk_sfn::config::Builder::from(config);
    if config.endpoint_url().is_some() {
        builder = builder.interceptor(PlainHost);
    }
    aws_sdk_sfn::Client::from_conf(builder.build())
}

/// Removes the prefix `sync-` that the SDK puts before the host of `StartSyncExecution`. A custom endpoint has no DNS
/// name with it.
#[cfg(feature = "step-functions")]
#[derive(Debug)]
struct PlainHost;

#[cfg(feature = "step-functions")]
#[dyn_dispatch_hint]
impl Intercept for PlainHost {
    fn name(&self) -> &'static str {
        "PlainHost"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let plain = context.request().uri().replacen("://sync-", "://", 1);
        context.request_mut().set_uri(plain)?;
        Ok(())
    }
}

/// Replaces a call by a bare `HEAD /` to the same host, which only opens the connection for later calls. It carries no
/// signature, needs no permission and leaves no trace in the account. Its answer never fits the call, so the call
/// fails.
#[derive(Debug)]
struct Knock;

#[dyn_dispatch_hint]
impl Intercept for Knock {
    fn name(&self) -> &'static str {
        "Knock"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = context.request();
        let host = host_of(call.uri());
        let mut knock = HttpRequest::new(SdkBody::empty());
        knock.set_method("HEAD")?;
        knock.set_uri(format!("{host}/"))?;
        *context.request_mut() = knock;
        Ok(())
    }
}

/// Opens a connection to `CloudWatch`, so that the first call does not have to. Errors are ignored: the first call
/// reports them.
#[cfg(feature = "cloudwatch")]
pub async fn connect_to_cloudwatch(client: &aws_sdk_cloudwatch::Client) {
    drop(client.put_metric_data().customize().interceptor(Knock).send().await);
}

/// Opens a connection to `DynamoDB`; see [`connect_to_cloudwatch`].
#[cfg(feature = "dynamodb")]
pub async fn connect_to_dynamodb(client: &aws_sdk_dynamodb::Client) {
    drop(client.get_item().table_name("any").customize().interceptor(Knock).send().await);
}

/// Opens a connection to Lambda; see [`connect_to_cloudwatch`].
#[cfg(feature = "lambda")]
pub async fn connect_to_lambda(client: &aws_sdk_lambda::Client) {
    drop(client.invoke().function_name("any").customize().interceptor(Knock).send().await);
}

/// Opens a connection to the host of Step Functions for Express executions; see [`connect_to_cloudwatch`].
#[cfg(feature = "step-functions")]
pub async fn connect_to_step_functions(client: &aws_sdk_sfn::Client) {
    drop(client.start_sync_execution().customize().interceptor(Knock).send().await);
}
