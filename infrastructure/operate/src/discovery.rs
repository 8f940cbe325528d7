//! Finds the deployment of a stack.

use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::ports::Stacks;

/// Returns the deployment of the stack `name`.
///
/// # Errors
/// There is no such stack. The message names the stacks that there are.
pub async fn find(stacks: &impl Stacks, name: &str, region: &str) -> Result<Deployment, Failure> {
    match stacks.deployment(name).await? {
        Some(deployment) => Ok(deployment),
        None => Err(missing(stacks, name, region).await),
    }
}

async fn missing(stacks: &impl Stacks, name: &str, region: &str) -> Failure {
    let account = match stacks.identity().await {
        Ok(identity) => format!("account {}", identity.account),
        Err(_) => "this account".to_owned(),
    };
    let others = match stacks.names().await {
        Ok(names) if names.is_empty() => "there is no deployment of this project".to_owned(),
        Ok(names) => format!("there are: {}", names.join(", ")),
        Err(error) => error.to_string(),
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
