//! The ports, implemented by AWS.

mod alarms;
mod controllers;
pub mod errors;
mod machine;
mod probe;
mod stacks;
mod table;
mod trail;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use crate::exit::Failure;

pub use alarms::AlarmsOf;
pub use controllers::ControllersOf;
pub use machine::Machine;
pub use probe::{Probe, checks};
pub use stacks::Account;
pub use table::RecordsTable;
pub use trail::CloudTrail;

/// One attempt of a call, and all attempts together. Dry runs have their own: they run the state machine to its end.
const ATTEMPT: Duration = Duration::from_secs(20);
const OPERATION: Duration = Duration::from_mins(1);
const CONNECT: Duration = Duration::from_secs(5);

/// The AWS to connect to, and the credentials. The SDK's default chain finds what is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// A profile of the user's configuration.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Address of another AWS, such as a local one.
    pub endpoint_url: Option<String>,
}

impl Connection {
    /// Returns the configuration of all clients, and the region.
    ///
    /// # Errors
    /// No region is known.
    pub async fn sdk_config(&self) -> Result<(SdkConfig, String), Failure> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        // Pinned, so that a new behaviour of the SDK is reviewed before it is used.
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint_url) = &self.endpoint_url {
            loader = loader.endpoint_url(endpoint_url.trim_end_matches('/'));
        }
        let config = loader.load().await;
        match config.region().map(ToString::to_string) {
            Some(region) => Ok((config, region)),
            None => Err(Failure {
                exit: crate::exit::Exit::Usage,
                sentence:
                    "no region is known: give --region, for example --region us-east-1, or set AWS_REGION or the \
                           profile's region"
                        .to_owned(),
            }),
        }
    }
}
