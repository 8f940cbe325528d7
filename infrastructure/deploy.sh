#!/usr/bin/env bash
#
# Builds the Lambda functions, uploads them and deploys the stack. Run it as often as you like: it
# changes what differs and nothing else. `deploy.sh --help` tells the options.

set -euo pipefail

readonly FUNCTIONS="controller full-service degraded-service maintenance-service alarm-processor evaluate-thresholds write-state emit-metrics"
readonly TEMPLATE=infrastructure/circuit-breaker-infrastructure.yaml
readonly STATE_MACHINE=statemachines/level-transition.asl.json

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT

# No call may wait for somebody to leave a pager.
export AWS_PAGER=""
# The archives hold local times. One time zone for everybody, so that the same binary is the same archive.
export TZ=UTC

usage() {
  cat <<'HELP'
Builds and deploys the bank circuit breaker.

  infrastructure/deploy.sh --environment dev --region us-east-1 [options]

  --environment NAME     last part of every resource's name (at most 8 characters)
  --region NAME          AWS region
  --project-name NAME    first part of every resource's name (at most 24 characters; bank-circuit-breaker)
  --stack-name NAME      CloudFormation stack ({project}-{environment})
  --bucket NAME          existing bucket for the artefacts; without it a private one is made
                         ({project}-artifacts-{account}-{region})
  --architecture NAME    arm64 or x86_64 (arm64; with --artifacts, what the binaries are built for)
  --artifacts DIR        binaries already built, DIR/<name>/bootstrap; without it they are built here
  --parameter KEY=VALUE  a parameter of the template, as often as needed; one that is not given keeps
                         the stack's value, or has its default in a new stack
  --endpoint-url URL     another AWS, such as a local emulator
  --outputs FILE         also writes the stack's outputs to FILE, as one JSON object
  --help                 this text
HELP
}

say() { printf '%s\n' "$*"; }

fail() {
  printf 'deploy: %s\n' "$*" >&2
  exit 1
}

# Shows what a tool said, so that its words stand under our sentence.
fail_with_log() {
  local log=$1
  shift
  printf 'deploy: %s\n' "$*" >&2
  # Without the progress of uploads, which succeeded.
  tr '\r' '\n' <"$log" | sed -e '/^[[:space:]]*$/d' -e '/^Uploading to /d' -e 's/^/deploy:   /' >&2
  exit 1
}

ENVIRONMENT="" REGION="" PROJECT=bank-circuit-breaker STACK="" BUCKET="" ENDPOINT=""
ARCHITECTURE="" ARTIFACTS="" OUTPUTS_FILE=""
PARAMETERS=()

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --environment | --region | --project-name | --stack-name | --bucket | --endpoint-url | --architecture | --artifacts | --parameter | --outputs)
        [[ ${2-} != --* && -n ${2-} ]] || fail "$1 needs a value; --help tells more"
        ;;
      *) fail "unknown option: $1; --help lists the known ones" ;;
    esac
    case $1 in
      --environment) ENVIRONMENT=$2 ;;
      --region) REGION=$2 ;;
      --project-name) PROJECT=$2 ;;
      --stack-name) STACK=$2 ;;
      --bucket) BUCKET=$2 ;;
      --endpoint-url) ENDPOINT=${2%/} ;;
      --architecture) ARCHITECTURE=$2 ;;
      --artifacts) ARTIFACTS=$2 ;;
      --parameter) add_parameter "$2" ;;
      --outputs) OUTPUTS_FILE=$2 ;;
    esac
    shift 2
  done
}

add_parameter() {
  case $1 in
    ProjectName=*) fail "--parameter ProjectName: use --project-name" ;;
    Environment=*) fail "--parameter Environment: use --environment" ;;
    Architecture=*) fail "--parameter Architecture: use --architecture" ;;
  esac
  [[ $1 =~ ^[A-Za-z0-9]+= ]] || fail "--parameter $1: not of the form Key=Value"
  # Here, because CloudFormation would only say so after the upload.
  grep -q "^  ${1%%=*}:\$" <<<"$(sed -n '/^Parameters:/,/^Globals:/p' "$ROOT/$TEMPLATE")" \
    || fail "--parameter ${1%%=*}: the template has no such parameter"
  PARAMETERS+=("$1")
}

# Resource names are made of these, and the strictest of them is the bucket's.
check_name() {
  local option=$1 value=$2 longest=$3
  if [[ ! $value =~ ^[a-z](-?[a-z0-9])*$ ]] || [ ${#value} -gt "$longest" ]; then
    fail "$option \"$value\": use lower-case letters, digits and single hyphens, a letter first, at most $longest characters"
  fi
}

check_options() {
  [ -n "$ENVIRONMENT" ] || fail "--environment is missing, for example --environment dev"
  [ -n "$REGION" ] || fail "--region is missing, for example --region us-east-1"
  check_name --environment "$ENVIRONMENT" 8
  check_name --project-name "$PROJECT" 24
  [[ $REGION =~ ^[a-z]+(-[a-z]+)+-[0-9]+$ ]] || fail "--region \"$REGION\" is no region's name, which looks like us-east-1"
  STACK=${STACK:-$PROJECT-$ENVIRONMENT}
  if [[ ! $STACK =~ ^[A-Za-z][A-Za-z0-9-]*$ ]] || [ ${#STACK} -gt 128 ]; then
    fail "--stack-name \"$STACK\": use letters, digits and hyphens, a letter first, at most 128 characters"
  fi
  [[ $ARCHITECTURE =~ ^(arm64|x86_64)?$ ]] || fail "--architecture \"$ARCHITECTURE\": use arm64 or x86_64"
  [[ $ENDPOINT =~ ^(https?://.+)?$ ]] || fail "--endpoint-url \"$ENDPOINT\": use an address that begins with http:// or https://"
  if [ -n "$OUTPUTS_FILE" ] && [ ! -d "$(dirname "$OUTPUTS_FILE")" ]; then
    fail "--outputs $OUTPUTS_FILE: there is no directory $(dirname "$OUTPUTS_FILE")"
  fi
}

aws_cli() {
  aws --region "$REGION" ${ENDPOINT:+--endpoint-url "$ENDPOINT"} "$@"
}

check_tools() {
  command -v aws >/dev/null 2>&1 \
    || fail "the AWS CLI (aws) is missing; see https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
  if [ -z "$ARTIFACTS" ]; then
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing; see https://rustup.rs"
    command -v cargo-lambda >/dev/null 2>&1 \
      || fail "cargo-lambda is missing; see https://www.cargo-lambda.info/guide/installation.html, or give ready binaries with --artifacts"
  fi
}

check_files() {
  local name
  for name in "$TEMPLATE" "$STATE_MACHINE"; do
    [ -f "$ROOT/$name" ] || fail "$name is missing from $ROOT"
  done
  [ -n "$ARTIFACTS" ] || return 0
  [ -d "$ARTIFACTS" ] || fail "--artifacts $ARTIFACTS: there is no such directory"
  for name in $FUNCTIONS; do
    [ -s "$ARTIFACTS/$name/bootstrap" ] || fail "--artifacts: $ARTIFACTS/$name/bootstrap is missing or empty"
  done
}

# Tells what a binary was built for; nothing where it is no ELF file, such as a script.
architecture_of() {
  # The first four bytes say ELF, the nineteenth the machine.
  case $(od -An -tx1 -N19 "$1" | tr -d ' \n') in
    7f454c46*3e) echo x86_64 ;;
    7f454c46*b7) echo arm64 ;;
  esac
}

# Lambda would take the wrong binary and fail at the first request.
check_architecture() {
  local name built
  for name in $FUNCTIONS; do
    built=$(architecture_of "$ARTIFACTS/$name/bootstrap")
    [ -n "$built" ] || continue
    ARCHITECTURE=${ARCHITECTURE:-$built}
    [ "$built" = "$ARCHITECTURE" ] || fail "$ARTIFACTS/$name/bootstrap is built for $built, not for $ARCHITECTURE"
  done
}

check_credentials() {
  local log=$STAGE/credentials.log
  ACCOUNT=$(aws_cli sts get-caller-identity --query Account --output text 2>"$log") || {
    if [ -n "$ENDPOINT" ]; then
      fail_with_log "$log" "no answer from $ENDPOINT with these credentials (an emulator takes any AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY):"
    fi
    fail_with_log "$log" "no working AWS credentials; run \`aws configure\` or \`aws sso login\`, or set AWS_PROFILE:"
  }
}

build() {
  local name flag=--arm64
  [ "$ARCHITECTURE" = arm64 ] || flag=--x86-64
  local selection=()
  for name in $FUNCTIONS; do selection+=(--bin "$name"); done
  (cd "$ROOT" && cargo lambda build --release --workspace "$flag" --lambda-dir "$ROOT/target/lambda" "${selection[@]}") \
    || fail "the build failed; nothing was deployed"
  ARTIFACTS=$ROOT/target/lambda
  check_files
}

# The template's relative paths are mirrored, so that `package` finds the binaries wherever they came from.
stage() {
  local name
  mkdir -p "$STAGE/infrastructure" "$STAGE/statemachines"
  cp "$ROOT/$TEMPLATE" "$STAGE/$TEMPLATE"
  cp "$ROOT/$STATE_MACHINE" "$STAGE/$STATE_MACHINE"
  for name in $FUNCTIONS; do
    mkdir -p "$STAGE/target/lambda/$name"
    cp "$ARTIFACTS/$name/bootstrap" "$STAGE/target/lambda/$name/bootstrap"
  done
  chmod 755 "$STAGE"/target/lambda/*/bootstrap
  # The upload is named by its content, times and rights included: the same binary must not look new.
  touch -t 200001010000 "$STAGE"/target/lambda/*/bootstrap
  compress
}

# Without this `package` would compress: one function after the other, and four times as slowly for a
# tenth less to upload. Where there is no zip we let it.
compress() {
  command -v zip >/dev/null 2>&1 || return 0
  local lambdas=$STAGE/target/lambda
  # shellcheck disable=SC2016,SC2086 # the inner shell expands; the names are words
  printf '%s\n' $FUNCTIONS | xargs -P 4 -I '{}' sh -c 'cd "$0/$1" && zip -q -X -1 "../$1.zip" bootstrap' "$lambdas" '{}' \
    || fail "the functions could not be compressed"
  # The copy of the template names the archives in place of the directories.
  sed 's#\(CodeUri: \.\./target/lambda/[a-z-]*\)/$#\1.zip#' "$ROOT/$TEMPLATE" >"$STAGE/$TEMPLATE"
}

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
    && aws_cli s3api put-bucket-policy --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" \
      --policy "$(bucket_policy "arn:$partition:s3:::$BUCKET")"
}

package() {
  local log=$STAGE/package.log
  aws_cli cloudformation package --template-file "$STAGE/$TEMPLATE" --s3-bucket "$BUCKET" \
    --output-template-file "$STAGE/packaged.yaml" >"$log" 2>&1 \
    || fail_with_log "$log" "the artefacts could not be uploaded to $BUCKET:"
}

deploy() {
  local log=$STAGE/deploy.log
  # --s3-bucket, because a template above 51,200 bytes must be uploaded.
  # Parameters that are not named keep the values that the stack has.
  if ! aws_cli cloudformation deploy --template-file "$STAGE/packaged.yaml" --stack-name "$STACK" --s3-bucket "$BUCKET" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-fail-on-empty-changeset \
    --parameter-overrides "ProjectName=$PROJECT" "Environment=$ENVIRONMENT" "Architecture=$ARCHITECTURE" \
    ${PARAMETERS[@]+"${PARAMETERS[@]}"} >"$log" 2>&1; then
    if grep -q 'is in ROLLBACK_COMPLETE state' "$log"; then
      fail "the first deployment of $STACK failed, and what is left of it must go before the next: aws --region $REGION cloudformation delete-stack --stack-name $STACK"
    fi
    # Only where the stack was touched: otherwise its events are those of an earlier attempt.
    if grep -q 'Failed to create/update the stack' "$log"; then
      explain_failure >"$STAGE/reasons.log" 2>&1
      [ ! -s "$STAGE/reasons.log" ] || log=$STAGE/reasons.log
    fi
    fail_with_log "$log" "the stack $STACK was not deployed:"
  fi
  if grep -q 'No changes to deploy' "$log"; then
    say "No changes: the stack $STACK is up to date."
  else
    say "The stack $STACK is deployed."
  fi
}

# The reasons of this attempt alone: events come newest first, and an attempt begins with the stack's own
# event of being created or updated.
explain_failure() {
  local events
  events=$(aws_cli cloudformation describe-stack-events --stack-name "$STACK" --max-items 300 --output text \
    --query 'StackEvents[].[ResourceType, LogicalResourceId, ResourceStatus, ResourceStatusReason]') || return 0
  awk -F '\t' '
    $1 == "AWS::CloudFormation::Stack" && ($3 == "CREATE_IN_PROGRESS" || $3 == "UPDATE_IN_PROGRESS") { exit }
    # What was stopped because something else failed explains nothing.
    $3 ~ /_FAILED$/ && $4 !~ /cancelled/ { printf "%s (%s): %s\n", $2, $1, $4 }
  ' <<<"$events"
}

json_string() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

write_outputs() {
  local key value separator=""
  {
    printf '{'
    while IFS=$'\t' read -r key value; do
      printf '%s\n  %s: %s' "$separator" "$(json_string "$key")" "$(json_string "$value")"
      separator=,
    done <<<"$1"
    printf '\n}\n'
  } >"$OUTPUTS_FILE"
}

output() { awk -F '\t' -v key="$2" '$1 == key { print $2 }' <<<"$1"; }

report() {
  local outputs log=$STAGE/outputs.log api machine endpoint_option=""
  outputs=$(aws_cli cloudformation describe-stacks --stack-name "$STACK" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' 2>"$log") \
    || fail_with_log "$log" "the stack is deployed, but its outputs could not be read:"
  [ -z "$OUTPUTS_FILE" ] || write_outputs "$outputs"

  api=$(output "$outputs" ApiUrl)
  if [ -n "$ENDPOINT" ]; then
    # The emulator serves every API at its own address; the one in the outputs is Amazon's.
    api="$ENDPOINT/_aws/execute-api/$(output "$outputs" ApiId)/\$default"
    endpoint_option=" --endpoint-url $ENDPOINT"
  fi
  machine=$(output "$outputs" StateMachineArn)
  # In single quotes, because a local address contains a dollar sign.
  cat <<REPORT

API             $api
State machine   $machine
Table           $(output "$outputs" StateTableName)
Alarm queue     $(output "$outputs" AlarmQueueUrl)
Dead letters    $(output "$outputs" DeadLetterQueueUrl)
Alerts topic    $(output "$outputs" AlertTopicArn)

Try it:
  curl '$api/circuit-breaker'
  curl '$api/account/12345'
Force a level:
  aws stepfunctions start-execution --region $REGION$endpoint_option --state-machine-arn $machine \\
    --input '{"trigger":"force","targetLevel":1,"reason":"the back end is repaired","requestedBy":"your name"}'
REPORT
}

main() {
  read_options "$@"
  check_options
  check_tools
  check_files
  [ -z "$ARTIFACTS" ] || check_architecture
  ARCHITECTURE=${ARCHITECTURE:-arm64}
  if [ -n "$ENDPOINT" ]; then
    # `package` and `deploy` upload with a client of their own, which reads this and not the option.
    export AWS_ENDPOINT_URL=$ENDPOINT
  fi

  mkdir -p "$ROOT/target"
  STAGE=$(mktemp -d "$ROOT/target/deploy.XXXXXX")
  trap 'rm -rf "$STAGE"' EXIT
  # A signal ends the script through `exit`, so that the trap above runs.
  trap 'exit 130' INT
  trap 'exit 143' TERM

  check_credentials
  if [ -z "$ARTIFACTS" ]; then
    say "Building the functions for $ARCHITECTURE ..."
    build
    check_architecture
  fi
  stage
  ensure_bucket
  say "Uploading the functions to $BUCKET ..."
  package
  say "Deploying the stack $STACK in $REGION (a new one takes a few minutes on AWS) ..."
  deploy
  report
}

main "$@"
