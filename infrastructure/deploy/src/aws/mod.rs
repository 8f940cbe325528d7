//! The ports, answered by AWS.

mod account;
mod bucket;
mod check;
mod data;
mod stacks;

use aws_config::SdkConfig;

pub use account::AwsAccount;
pub use bucket::S3Bucket;
pub use check::DeployedSystem;
pub use data::AwsData;
pub use stacks::CloudFormation;

use crate::ports::Parts;

/// The ports of AWS for a deployment whose artefacts are in `bucket`.
pub fn parts<T>(
    config: &SdkConfig,
    bucket: S3Bucket,
    talk: T,
) -> Parts<CloudFormation, S3Bucket, AwsAccount, AwsData, DeployedSystem, T> {
    Parts {
        stacks: CloudFormation::new(config),
        bucket,
        account: AwsAccount::new(config),
        data: AwsData::new(config),
        check: DeployedSystem::new(config),
        talk,
    }
}
