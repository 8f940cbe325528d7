//! The deployment that is operated, and its account and region.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Failure;
use crate::ports::Stacks;

/// A deployment, as its stack describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its stack, account and region.
    pub place: Place,
    /// The first part of every resource's name.
    pub project: String,
    /// The last part of every resource's name.
    pub environment: String,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
}

/// The stack, account and region of a deployment; every answer names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The `CloudFormation` stack.
    pub stack: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
}

/// The identity of the caller's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The ARN of the caller.
    pub arn: String,
}

impl Deployment {
    /// The value of the dimension `Deployment` on every metric.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.project, self.environment)
    }

    /// An output of the stack.
    ///
    /// # Errors
    /// The stack has no output of this name: it is another project's, or another release's.
    pub fn output(&self, name: &str) -> Result<&str, Failure> {
        self.outputs.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
            Failure::failed(format!("the stack {} has no output {name}: is it this project's?", self.place))
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in account {}, region {}", self.stack, self.account, self.region)
    }
}

/// Finds the deployment of the stack called `name`.
///
/// # Errors
/// There is no such stack; names those that there are.
pub async fn find(stacks: &impl Stacks, name: &str, region: &str) -> Result<Deployment, Failure> {
    let found = stacks.deployment(name).await.map_err(|error| Failure::failed(error.to_string()))?;
    let Some(deployment) = found else { return Err(missing(stacks, name, region).await) };
    Ok(deployment)
}

async fn missing(stacks: &impl Stacks, name: &str, region: &str) -> Failure {
    let account = match stacks.identity().await {
        Ok(identity) => format!("account {}", identity.account),
        Err(_) => "this account".to_owned(),
    };
    let others = match stacks.names().await {
        Ok(names) if names.is_empty() => "there is no deployment of this project".to_owned(),
        Ok(names) => format!("there are: {}", names.join(", ")),
        Err(error) => format!("which ones there are cannot be said: {error}"),
    };
    Failure::failed(format!("no stack {name} in {account}, region {region}; {others}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::TestAccount;

    #[tokio::test]
    async fn a_missing_stack_is_named_with_those_that_there_are() {
        let account = TestAccount(vec!["bank-prod", "bank-dev"]);
        assert_eq!(find(&account, "bank-prod", "eu-central-1").await.unwrap().name(), "bank-prod");
        let missing = find(&account, "bank-test", "eu-central-1").await.unwrap_err();
        let expected =
            "no stack bank-test in account 111122223333, region eu-central-1; there are: bank-prod, bank-dev";
        assert_eq!(missing.sentence, expected);
        let none = find(&TestAccount(vec![]), "bank-test", "eu-central-1").await.unwrap_err();
        assert!(none.sentence.ends_with("there is no deployment of this project"), "{}", none.sentence);
    }

    #[tokio::test]
    async fn a_stack_of_another_project_is_told_by_its_outputs() {
        let deployment = find(&TestAccount(vec!["bank-prod"]), "bank-prod", "eu-central-1").await.unwrap();
        assert_eq!(deployment.output("StateTableName"), Ok("table"));
        let missing = deployment.output("StateMachineArn").unwrap_err().sentence;
        assert!(missing.starts_with("the stack bank-prod in account") && missing.ends_with("is it this project's?"));
    }
}
