//! Which deployment the status is of, and where to find more about it.

/// The deployment and its account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `PROJECT`: first part of every resource's name.
    pub project: String,
    /// `ENVIRONMENT`: last part of every resource's name.
    pub environment: String,
    /// `AWS_REGION`.
    pub region: String,
    /// `STATE_MACHINE_ARN`: the state machine that operators start.
    pub state_machine_arn: String,
    /// `RUNBOOK_URL`: an address, or a path in the project.
    pub runbook: String,
    /// `AWS_ENDPOINT_URL`: the address of another AWS than the cloud's, such as a local one.
    pub endpoint_url: Option<String>,
}

impl Place {
    /// Returns the deployment's name, `{project}-{environment}`.
    #[must_use]
    pub fn deployment(&self) -> String {
        format!("{}-{}", self.project, self.environment)
    }

    /// Returns the account, as the state machine's ARN names it.
    #[must_use]
    pub fn account(&self) -> &str {
        self.state_machine_arn.split(':').nth(4).unwrap_or_default()
    }

    /// Returns the address of the dashboard. A local AWS has none.
    #[must_use]
    pub fn dashboard(&self) -> Option<String> {
        if self.endpoint_url.is_some() {
            return None;
        }
        let console = match self.state_machine_arn.split(':').nth(1) {
            Some("aws-cn") => "console.amazonaws.cn",
            Some("aws-us-gov") => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        let Self { project, environment, region, .. } = self;
        Some(format!(
            "https://{console}/cloudwatch/home?region={region}#dashboards:name={project}-CircuitBreakerMonitoring-\
             {environment}"
        ))
    }

    /// Returns the runbook if it is an address that a browser can open.
    #[must_use]
    pub fn runbook_address(&self) -> Option<&str> {
        Some(self.runbook.as_str()).filter(|address| is_address(address))
    }
}

/// Whether a text is an address that a browser can open.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_is_in_the_console_of_the_partition() {
        let place = |partition: &str| Place {
            project: "bank".to_owned(),
            environment: "prod".to_owned(),
            region: "cn-north-1".to_owned(),
            state_machine_arn: format!("arn:{partition}:states:cn-north-1:123456789012:stateMachine:bank"),
            ..Place::default()
        };
        let expected = "https://console.amazonaws.cn/cloudwatch/home?region=cn-north-1#dashboards:name=\
                        bank-CircuitBreakerMonitoring-prod";
        assert_eq!(place("aws-cn").dashboard().unwrap(), expected);
        assert_eq!(place("aws").account(), "123456789012");
        let local = Place { endpoint_url: Some("http://127.0.0.1:4566".to_owned()), ..place("aws") };
        assert_eq!(local.dashboard(), None);
    }
}
