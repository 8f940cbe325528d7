//! The table and its key in DynamoDB and KMS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_dynamodb::client::Waiters as _;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_kms::error::ProvideErrorMetadata as _;
use aws_sdk_kms::operation::delete_alias::DeleteAliasError;
use aws_sdk_kms::operation::describe_key::DescribeKeyError;
use aws_sdk_kms::types::KeyState;
use operate::aws::errors::{call_error, failure};

use crate::ports::{Data, DataKey};

/// Days from the request to the deletion of a key: the maximum of KMS.
const KEY_DAYS: i32 = 30;
/// Maximum time for an update or a deletion of the table. Each takes seconds.
const TABLE: Duration = Duration::from_mins(10);

/// DynamoDB and KMS.
#[derive(Clone, Debug)]
pub struct AwsData {
    tables: aws_sdk_dynamodb::Client,
    keys: aws_sdk_kms::Client,
}

impl AwsData {
    /// The services of these clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { tables: aws_sdk_dynamodb::Client::new(config), keys: aws_sdk_kms::Client::new(config) }
    }
}

impl Data for AwsData {
    async fn has_table(&self, name: &str) -> Result<bool, CallError> {
        match self.tables.describe_table().table_name(name).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception) => {
                Ok(false)
            }
            Err(error) => Err(call_error(&format!("the table {name} cannot be looked for"), error)),
        }
    }

    async fn key(&self, name: &str) -> Result<Option<DataKey>, CallError> {
        let answer = match self.keys.describe_key().key_id(name).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(DescribeKeyError::is_not_found_exception) => {
                return Ok(None);
            }
            Err(error) => return Err(call_error(&format!("the key {name} cannot be looked for"), error)),
        };
        let key = answer.key_metadata();
        Ok(key.map(|key| DataKey {
            id: key.key_id().to_owned(),
            ends: key.key_state() == Some(&KeyState::PendingDeletion),
        }))
    }

    async fn delete_table(&self, name: &str) -> Result<(), CallError> {
        let what = format!("the table {name} cannot be deleted");
        let failed = |error: &dyn std::fmt::Display| failure(ErrorKind::Failed, format!("{what}: {error}"));
        let call = self.tables.update_table().table_name(name).deletion_protection_enabled(false);
        call.send().await.map_err(|error| call_error(&what, error))?;
        let waited = self.tables.wait_until_table_exists().table_name(name).wait(TABLE).await;
        waited.map_err(|error| failed(&error))?;
        let call = self.tables.delete_table().table_name(name);
        call.send().await.map_err(|error| call_error(&what, error))?;
        let waited = self.tables.wait_until_table_not_exists().table_name(name).wait(TABLE).await;
        waited.map(drop).map_err(|error| failed(&error))
    }

    async fn delete_alias(&self, alias: &str) -> Result<(), CallError> {
        match self.keys.delete_alias().alias_name(alias).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteAliasError::is_not_found_exception) => Ok(()),
            Err(error) => Err(call_error(&format!("the alias {alias} cannot be deleted"), error)),
        }
    }

    async fn end_key(&self, id: &str) -> Result<(), CallError> {
        match self.keys.schedule_key_deletion().key_id(id).pending_window_in_days(KEY_DAYS).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.message().is_some_and(|text| text.contains("pending deletion")) => Ok(()),
            Err(error) => Err(call_error(&format!("the key {id} cannot be scheduled for deletion"), error)),
        }
    }
}
