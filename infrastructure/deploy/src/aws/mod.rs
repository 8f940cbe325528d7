//! The ports, answered by AWS.

mod account;
mod bucket;
mod data;
mod stacks;

use aws_config::SdkConfig;

pub use account::AwsAccount;
pub use bucket::S3Bucket;
pub use data::AwsData;
pub use stacks::CloudFormation;

use crate::canary::Canary;
use crate::ports::Parts;

/// The ports of AWS for a deployment whose artefacts are in `bucket`.
pub fn parts<T>(
    config: &SdkConfig,
    bucket: S3Bucket,
    talk: T,
) -> Parts<CloudFormation, S3Bucket, AwsAccount, AwsData, Canary, T> {
    Parts {
        stacks: CloudFormation::new(config),
        bucket,
        account: AwsAccount::new(config),
        data: AwsData::new(config),
        check: Canary::new(config),
        talk,
    }
}
