//! The identity of the credentials, and the account's concurrent executions.

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_lambda::operation::get_function_concurrency::GetFunctionConcurrencyError;
use operate::aws::errors::{call_error, failure};
use operate::deployment::Identity;

use crate::ports::Account;

/// The account of the credentials.
#[derive(Clone, Debug)]
pub struct AwsAccount {
    tokens: aws_sdk_sts::Client,
    functions: aws_sdk_lambda::Client,
}

impl AwsAccount {
    /// The account of these clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { tokens: aws_sdk_sts::Client::new(config), functions: aws_sdk_lambda::Client::new(config) }
    }
}

impl Account for AwsAccount {
    async fn identity(&self) -> Result<Identity, CallError> {
        let answer = self.tokens.get_caller_identity().send().await;
        let answer = answer.map_err(|error| call_error("the identity of the credentials cannot be read", error))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Identity { account: text(answer.account()), arn: text(answer.arn()) })
    }

    async fn unreserved_concurrency(&self) -> Result<u64, CallError> {
        let what = "the account's unreserved concurrent executions cannot be read";
        let answer = self.functions.get_account_settings().send().await;
        let answer = answer.map_err(|error| call_error(what, error))?;
        let limit =
            answer.account_limit().and_then(aws_sdk_lambda::types::AccountLimit::unreserved_concurrent_executions);
        limit
            .and_then(|limit| u64::try_from(limit).ok())
            .ok_or_else(|| failure(ErrorKind::Invalid, format!("{what}: Lambda does not name them")))
    }

    async fn reserved_concurrency(&self, function: &str) -> Result<u64, CallError> {
        match self.functions.get_function_concurrency().function_name(function).send().await {
            Ok(answer) => {
                let reserved = answer.reserved_concurrent_executions().unwrap_or_default();
                Ok(u64::try_from(reserved).unwrap_or_default())
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetFunctionConcurrencyError::is_resource_not_found_exception) =>
            {
                Ok(0)
            }
            Err(error) => {
                Err(call_error(&format!("the reserved concurrent executions of {function} cannot be read"), error))
            }
        }
    }

    async fn timeout_seconds(&self, function: &str) -> Result<u64, CallError> {
        let what = format!("the timeout of {function} cannot be read");
        let answer = self.functions.get_function_configuration().function_name(function).send().await;
        let answer = answer.map_err(|error| call_error(&what, error))?;
        let timeout = answer.timeout().and_then(|timeout| u64::try_from(timeout).ok());
        timeout.ok_or_else(|| failure(ErrorKind::Invalid, format!("{what}: Lambda does not name it")))
    }
}
