# shellcheck shell=bash
# The private bucket that holds the artefacts and the releases.

bucket_policy() {
  printf '{"Version":"2012-10-17","Statement":[{"Sid":"TlsOnly","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["%s","%s/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}' "$1" "$1"
}

ensure_bucket() {
  local log=$STAGE/bucket.log
  if [ -n "$BUCKET" ]; then
    aws_cli s3api head-bucket --bucket "$BUCKET" >/dev/null 2>"$log" \
      || fail_with_log "$log" "--bucket $BUCKET: it does not exist, or these credentials may not use it:"
    return
  fi
  BUCKET=$PROJECT-artifacts-$ACCOUNT-$REGION
  # The policy is what we set last: where it is, the bucket is complete. The owner is checked because a
  # bucket's name can be guessed, and somebody else may have taken it.
  if aws_cli s3api get-bucket-policy --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" >/dev/null 2>"$log"; then
    return
  fi
  if grep -q 'NoSuchBucket)' "$log"; then
    say "Creating the bucket $BUCKET ..."
    create_bucket 2>"$log" || fail_with_log "$log" "the bucket $BUCKET could not be created (another one: --bucket):"
  elif ! grep -q 'NoSuchBucketPolicy' "$log"; then
    fail_with_log "$log" "the bucket $BUCKET cannot be used (another one: --bucket):"
  fi
  secure_bucket 2>"$log" || fail_with_log "$log" "the bucket $BUCKET could not be made private:"
}

create_bucket() {
  # us-east-1 is the one region that refuses to be named here.
  local place=()
  [ "$REGION" = us-east-1 ] || place=(--create-bucket-configuration "LocationConstraint=$REGION")
  aws_cli s3api create-bucket --bucket "$BUCKET" ${place[@]+"${place[@]}"} >/dev/null
}

secure_bucket() {
  local partition=aws
  case $REGION in
    cn-*) partition=aws-cn ;;
    us-gov-*) partition=aws-us-gov ;;
  esac
  aws_cli s3api put-public-access-block --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" \
    --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true \
    && aws_cli s3api put-bucket-encryption --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" \
      --server-side-encryption-configuration '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}' \
    && aws_cli s3api put-bucket-versioning --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" \
      --versioning-configuration Status=Enabled \
    && aws_cli s3api put-bucket-policy --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" \
      --policy "$(bucket_policy "arn:$partition:s3:::$BUCKET")"
}
