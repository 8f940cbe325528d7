//! The check of a deployed system, which is that of `breaker check`.

use aws_config::SdkConfig;
use jiff::Timestamp;
use operate::check::{CheckReport, run};
use operate::deployment::Deployment;
use operate::exit::Failure;

use crate::ports::{Check, Talk};

/// Deployments in one account and region.
#[derive(Clone, Debug)]
pub struct DeployedSystem {
    config: SdkConfig,
}

impl DeployedSystem {
    /// The deployments that these clients reach.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone() }
    }
}

impl Check for DeployedSystem {
    async fn check(
        &self,
        deployment: &Deployment,
        since: Timestamp,
        talk: &(impl Talk + Sync),
    ) -> Result<CheckReport, Failure> {
        let mut checks = operate::aws::checks(&self.config, deployment)?;
        checks.deployed_at = Some(since);
        Ok(run(&checks, deployment.place.clone(), |finding| talk.say(finding.line())).await)
    }
}
