//! SDK clients with timeouts.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// One attempt.
    pub attempt: Duration,
    /// All attempts together.
    pub operation: Duration,
}

/// What the tasks of the state machine allow a call. No task makes more than six, one after the other,
/// and is given 25 s for them by the template, so that it fails under its own name and not the runtime's.
pub const TASK_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(1_500), operation: Duration::from_secs(4) };

/// What reading the state may cost a request.
pub const ROUTING_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(150), operation: Duration::from_millis(300) };

/// How long connecting to Lambda may take. A request that had no connection in this time was never sent, so it
/// is safe to send it again, which is not true of one that was sent and not answered.
pub const LAMBDA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The configuration that the environment gives, with these timeouts and the SDK's retries.
pub async fn sdk_config(timeouts: Timeouts) -> SdkConfig {
    // Pinned: a newer behaviour of the SDK is to be read about before it is taken.
    aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeout_config(timeouts)).load().await
}

fn timeout_config(timeouts: Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.attempt)
        .operation_attempt_timeout(timeouts.attempt)
        .operation_timeout(timeouts.operation)
        .build()
}

/// A Lambda client that never retries: the SDK's three tries would make one transfer three. How long an
/// invocation may take is for each call to say.
#[must_use]
pub fn lambda_without_retries(config: &SdkConfig) -> aws_sdk_lambda::Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(LAMBDA_CONNECT_TIMEOUT).build();
    let config = aws_sdk_lambda::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// A DynamoDB client for reading the state within [`ROUTING_TIMEOUTS`]. The SDK's own pause before a second try
/// is up to a second, which would use up the time without trying.
#[must_use]
pub fn dynamodb_for_routing(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(25))
        .with_max_backoff(Duration::from_millis(25));
    let config = aws_sdk_dynamodb::config::Builder::from(config)
        .retry_config(retries)
        .timeout_config(timeout_config(ROUTING_TIMEOUTS))
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// A Step Functions client for `StartSyncExecution`.
#[must_use]
pub fn step_functions(config: &SdkConfig) -> aws_sdk_sfn::Client {
    let mut builder = aws_sdk_sfn::config::Builder::from(config);
    if config.endpoint_url().is_some() {
        builder = builder.interceptor(PlainHost);
    }
    aws_sdk_sfn::Client::from_conf(builder.build())
}

/// Takes off the `sync-` that the SDK puts before the host of `StartSyncExecution`. With an endpoint
/// of one's own there is no DNS name for it.
#[derive(Debug)]
struct PlainHost;

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
