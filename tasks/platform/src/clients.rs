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

/// A Lambda client that never retries: the SDK's three tries would make one transfer three.
#[must_use]
pub fn lambda_without_retries(config: &SdkConfig, timeout: Duration) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeout_config(Timeouts { attempt: timeout, operation: timeout }))
        .build();
    aws_sdk_lambda::Client::from_conf(config)
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
