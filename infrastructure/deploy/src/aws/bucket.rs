//! The private bucket that holds artefacts, templates and releases.

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use operate::aws::errors::{call_error, failure};

use crate::ports::{Bucket, BucketState};

/// The region that `CreateBucket` refuses as a location, because it is the default.
const UNNAMED_REGION: &str = "us-east-1";

/// A bucket.
#[derive(Clone, Debug)]
pub struct S3Bucket {
    client: Client,
    name: String,
    /// The account that must own the bucket; `None` for a bucket that the user named, which another account may own.
    owner: Option<String>,
    region: String,
    /// Address of an AWS other than Amazon's, such as a local one.
    endpoint: Option<String>,
    /// Whether the user named the bucket. Its settings then stay unchanged.
    own: bool,
}

impl S3Bucket {
    /// The deployment's bucket, which is created if it is missing.
    #[must_use]
    pub fn new(config: &SdkConfig, name: &str, owner: &str, region: &str) -> Self {
        let endpoint = config.endpoint_url().map(str::to_owned);
        let mut s3 = aws_sdk_s3::config::Builder::from(config);
        // A local AWS has no host name for each bucket.
        s3.set_force_path_style(endpoint.is_some().then_some(true));
        Self {
            client: Client::from_conf(s3.build()),
            name: name.to_owned(),
            owner: Some(owner.to_owned()),
            region: region.to_owned(),
            endpoint,
            own: false,
        }
    }

    /// Returns the bucket as one that the user named: it must exist, and its settings stay unchanged.
    #[must_use]
    pub fn of_user(mut self) -> Self {
        self.own = true;
        self.owner = None;
        self
    }

    fn what(&self, problem: &str) -> String {
        format!("the bucket {} {problem}", self.name)
    }

    fn arn(&self) -> String {
        let partition = match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:s3:::{}", self.name)
    }

    /// Returns the bucket's policy, which refuses every request without TLS.
    fn policy(&self) -> String {
        let arn = self.arn();
        serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, format!("{arn}/*")],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }],
        })
        .to_string()
    }

    async fn finish(&self) -> Result<(), CallError> {
        let failed = "could not be made private";
        let blocked = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let call =
            self.client.put_public_access_block().bucket(&self.name).set_expected_bucket_owner(self.owner.clone());
        let sent = call.public_access_block_configuration(blocked).send().await;
        sent.map_err(|error| call_error(&self.what(failed), error))?;
        let encrypted =
            encryption().map_err(|error| refused(self.what(&format!("could not be made private: {error}"))))?;
        let call = self.client.put_bucket_encryption().bucket(&self.name).set_expected_bucket_owner(self.owner.clone());
        let sent = call.server_side_encryption_configuration(encrypted).send().await;
        sent.map_err(|error| call_error(&self.what(failed), error))?;
        let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let call = self.client.put_bucket_versioning().bucket(&self.name).set_expected_bucket_owner(self.owner.clone());
        let sent = call.versioning_configuration(versioned).send().await;
        sent.map_err(|error| call_error(&self.what(failed), error))?;
        // The policy is set last, so a bucket that has it is finished.
        let call = self.client.put_bucket_policy().bucket(&self.name).set_expected_bucket_owner(self.owner.clone());
        let sent = call.policy(self.policy()).send().await;
        sent.map(drop).map_err(|error| call_error(&self.what(failed), error))
    }
}

impl Bucket for S3Bucket {
    fn name(&self) -> &str {
        &self.name
    }

    fn url(&self, key: &str) -> String {
        let Self { name, region, .. } = self;
        match &self.endpoint {
            Some(endpoint) => format!("{}/{name}/{key}", endpoint.trim_end_matches('/')),
            None if region.starts_with("cn-") => format!("https://{name}.s3.{region}.amazonaws.com.cn/{key}"),
            None => format!("https://{name}.s3.{region}.amazonaws.com/{key}"),
        }
    }

    async fn state(&self) -> Result<BucketState, CallError> {
        if self.own {
            let sent = self.client.head_bucket().bucket(&self.name).send().await;
            let what = format!("--bucket {}: it does not exist, or these credentials may not use it", self.name);
            return sent.map(|_| BucketState::Ready).map_err(|error| call_error(&what, error));
        }
        // The owner is checked because a bucket's name can be guessed, and another account may have taken it.
        let call = self.client.get_bucket_policy().bucket(&self.name).set_expected_bucket_owner(self.owner.clone());
        match call.send().await {
            Ok(_) => Ok(BucketState::Ready),
            Err(error) => match error.code() {
                Some("NoSuchBucket") => Ok(BucketState::Missing),
                Some("NoSuchBucketPolicy") => Ok(BucketState::Unfinished),
                _ => Err(call_error(&self.what("cannot be used (another one: --bucket)"), error)),
            },
        }
    }

    async fn create(&self) -> Result<(), CallError> {
        let mut call = self.client.create_bucket().bucket(&self.name);
        if self.region != UNNAMED_REGION {
            let place = BucketLocationConstraint::from(self.region.as_str());
            let place = CreateBucketConfiguration::builder().location_constraint(place).build();
            call = call.create_bucket_configuration(place);
        }
        let sent = call.send().await;
        sent.map(drop).map_err(|error| call_error(&self.what("could not be created (another one: --bucket)"), error))
    }

    async fn secure(&self) -> Result<(), CallError> {
        self.finish().await
    }

    async fn has(&self, key: &str) -> Result<bool, CallError> {
        let call = self.client.head_object().bucket(&self.name).key(key).set_expected_bucket_owner(self.owner.clone());
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(call_error(&self.object(key, "cannot be looked for"), error)),
        }
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), CallError> {
        let call = self.client.put_object().bucket(&self.name).key(key).set_expected_bucket_owner(self.owner.clone());
        let sent = call.body(ByteStream::from(content)).send().await;
        sent.map(drop).map_err(|error| call_error(&self.object(key, "cannot be written"), error))
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CallError> {
        let call = self.client.get_object().bucket(&self.name).key(key).set_expected_bucket_owner(self.owner.clone());
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(call_error(&self.object(key, "cannot be read"), error)),
        };
        let content = answer.body.collect().await.map_err(|error| {
            let sentence = format!("{}: {error}", self.object(key, "cannot be read"));
            CallError::new(ErrorKind::Unreachable, error).described(sentence)
        })?;
        Ok(Some(content.to_vec()))
    }

    async fn remove_all(&self, prefix: &str) -> Result<(), CallError> {
        let call = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .set_expected_bucket_owner(self.owner.clone());
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error(&self.object(prefix, "cannot be listed"), error))?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            let objects: Result<Vec<_>, _> = keys.map(|key| ObjectIdentifier::builder().key(key).build()).collect();
            let objects = objects.unwrap_or_default();
            if objects.is_empty() {
                continue;
            }
            let delete = Delete::builder().set_objects(Some(objects)).build();
            let delete = delete.map_err(|error| refused(self.object(prefix, &error.to_string())))?;
            let call = self.client.delete_objects().bucket(&self.name).set_expected_bucket_owner(self.owner.clone());
            let sent = call.delete(delete).send().await;
            let answer = sent.map_err(|error| call_error(&self.object(prefix, "cannot be removed"), error))?;
            if let Some(kept) = answer.errors().first() {
                let reason = kept.message().unwrap_or("no reason is given");
                return Err(refused(self.object(kept.key().unwrap_or(prefix), &format!("was not removed: {reason}"))));
            }
        }
        Ok(())
    }
}

impl S3Bucket {
    fn object(&self, key: &str, problem: &str) -> String {
        format!("s3://{}/{key} {problem}", self.name)
    }
}

fn encryption() -> Result<ServerSideEncryptionConfiguration, aws_sdk_s3::error::BuildError> {
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build()?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build()
}

fn refused(message: String) -> CallError {
    failure(ErrorKind::Refused, message)
}

/// Whether the error says that the object is missing. No other error may count as that, because a history that seems
/// missing would be begun anew.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    match error.code() {
        Some("NoSuchKey" | "NotFound") => true,
        // The answer to HeadObject has no body, and so no error code.
        None => status == Some(404),
        _ => false,
    }
}
