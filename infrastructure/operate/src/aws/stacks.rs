//! The deployments of an account.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::Stack;

use super::errors::call_error;
use crate::deployment::{Deployment, Identity, Place};
use crate::ports::Stacks;

/// Outputs that every stack of this project has.
const OURS: [&str; 2] = ["StateMachineArn", "StateTableName"];

/// One account in one region.
#[derive(Clone, Debug)]
pub struct Account {
    stacks: aws_sdk_cloudformation::Client,
    tokens: aws_sdk_sts::Client,
    region: String,
}

impl Account {
    /// Returns the account of these credentials.
    #[must_use]
    pub fn new(config: &SdkConfig, region: &str) -> Self {
        Self {
            stacks: aws_sdk_cloudformation::Client::new(config),
            tokens: aws_sdk_sts::Client::new(config),
            region: region.to_owned(),
        }
    }
}

impl Stacks for Account {
    async fn deployment(&self, name: &str) -> Result<Option<Deployment>, CallError> {
        let answer = match self.stacks.describe_stacks().stack_name(name).send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => {
                return Err(call_error(&format!("the stack {name} cannot be read in {}", self.region), error));
            }
        };
        Ok(answer.stacks().first().map(|stack| self.described(name, stack)))
    }

    async fn names(&self) -> Result<Vec<String>, CallError> {
        let pages = self.stacks.describe_stacks().into_paginator().items().send();
        let stacks: Vec<Stack> =
            pages.try_collect().await.map_err(|error| call_error("the stacks cannot be listed", error))?;
        let ours = stacks.iter().filter(|stack| {
            let outputs = outputs_of(stack);
            OURS.into_iter().all(|name| outputs.contains_key(name))
        });
        Ok(ours.filter_map(|stack| stack.stack_name().map(str::to_owned)).collect())
    }

    async fn identity(&self) -> Result<Identity, CallError> {
        let answer = self.tokens.get_caller_identity().send().await;
        let answer = answer.map_err(|error| call_error("the identity of the credentials cannot be read", error))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Identity { account: text(answer.account()), arn: text(answer.arn()) })
    }
}

impl Account {
    fn described(&self, name: &str, stack: &Stack) -> Deployment {
        // arn:aws:cloudformation:region:account:stack/name/id
        let account = stack.stack_id().and_then(|arn| arn.split(':').nth(4)).unwrap_or("unknown");
        let parameters: BTreeMap<_, _> =
            stack.parameters().iter().filter_map(|one| Some((one.parameter_key()?, one.parameter_value()?))).collect();
        let (project, environment) = name.rsplit_once('-').unwrap_or((name, ""));
        let parameter = |key: &str, default: &str| parameters.get(key).map_or(default, |value| *value).to_owned();
        Deployment {
            place: Place { stack: name.to_owned(), account: account.to_owned(), region: self.region.clone() },
            project: parameter("ProjectName", project),
            environment: parameter("Environment", environment),
            outputs: outputs_of(stack),
        }
    }
}

fn outputs_of(stack: &Stack) -> BTreeMap<String, String> {
    let outputs = stack.outputs().iter();
    outputs.filter_map(|one| Some((one.output_key()?.to_owned(), one.output_value()?.to_owned()))).collect()
}

/// Whether the stack does not exist. AWS has no error code of its own for this.
fn is_missing(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ValidationError") && error.message().is_some_and(|text| text.contains("does not exist"))
}
