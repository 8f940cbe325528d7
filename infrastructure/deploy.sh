#!/usr/bin/env bash
#
# Builds the Lambda functions, uploads them and deploys the stack. Run it as often as you like: it
# changes what differs and nothing else. `deploy.sh --help` tells the options.

set -euo pipefail

readonly PROGRAM=deploy
readonly FUNCTIONS="controller full-service degraded-service maintenance-service alarm-processor evaluate-thresholds write-state emit-metrics"
readonly TEMPLATE=infrastructure/circuit-breaker-infrastructure.yaml
readonly DASHBOARD=infrastructure/dashboard.json
readonly STATE_MACHINE=statemachines/level-transition.asl.json

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT

# The archives hold local times. One time zone for everybody, so that the same binary is the same archive.
export TZ=UTC

# shellcheck source=deploy/common.sh
. "$ROOT/infrastructure/deploy/common.sh"
# shellcheck source=deploy/bucket.sh
. "$ROOT/infrastructure/deploy/bucket.sh"
# shellcheck source=deploy/build.sh
. "$ROOT/infrastructure/deploy/build.sh"
# shellcheck source=deploy/parameters.sh
. "$ROOT/infrastructure/deploy/parameters.sh"
# shellcheck source=deploy/stack.sh
. "$ROOT/infrastructure/deploy/stack.sh"
# shellcheck source=deploy/adopt.sh
. "$ROOT/infrastructure/deploy/adopt.sh"
# shellcheck source=deploy/release.sh
. "$ROOT/infrastructure/deploy/release.sh"
# shellcheck source=deploy/canary.sh
. "$ROOT/infrastructure/deploy/canary.sh"
# shellcheck source=deploy/destroy.sh
. "$ROOT/infrastructure/deploy/destroy.sh"

usage() {
  cat <<'HELP'
Builds and deploys the bank circuit breaker.

  infrastructure/deploy.sh --environment dev --region us-east-1 [options]

  --environment NAME     last part of every resource's name (at most 8 characters); the deployment is the one that
                         infrastructure/environments/NAME.toml describes, if that file exists
  --file FILE            another file that describes the deployment
  --set KEY=VALUE        a value that replaces the file's in this run, for example policy.rates.failure_percent=5
  --region NAME          AWS region
  --project-name NAME    first part of every resource's name (at most 24 characters; the file's, or bank-circuit-breaker)
  --stack-name NAME      CloudFormation stack ({project}-{environment})
  --bucket NAME          existing bucket for artefacts and releases; without it a private one is made
                         ({project}-artifacts-{account}-{region})
  --architecture NAME    arm64 or x86_64 (what --artifacts are built for, else what the stack has, else the file's)
  --artifacts DIR        binaries already built, DIR/<name>/bootstrap; without it they are built here
  --parameter KEY=VALUE  a parameter of the template, as often as needed; one that neither this nor the
                         file gives keeps the stack's value, or has its default in a new stack
  --endpoint-url URL     another AWS, such as a local emulator
  --outputs FILE         also writes the stack's outputs to FILE, as one JSON object
  --yes                  asks nothing, for pipelines
  --skip-canary          does not try the deployment at the end
  --accept-drift         goes on although a table or key that was taken over differs from the template

Instead of deploying all of it:

  --dry-run              shows what would change, and changes nothing of the stack; for the change set it uploads
                         the functions all the same, into the bucket that it makes where there is none
  --only FUNCTION        updates one function's code
  --rollback             deploys the release before the current one: its code, state machine and parameters
  --destroy              removes the stack; the table and its key stay, for the next deployment
  --destroy --delete-data   removes the table and the key as well

  --help                 this text
HELP
}

ENVIRONMENT="" REGION="" PROJECT="" STACK="" FILE="" FILE_PARAMETERS="" ARCHITECTURE_OF_FILE="" BUCKET="" ENDPOINT=""
ARCHITECTURE="" ARTIFACTS="" OUTPUTS_FILE="" ONLY=""
ACTION=deploy YES=no DRY_RUN=no DELETE_DATA=no CANARY=yes ACCEPT_DRIFT=no
PARAMETERS=()
OVERRIDES=()
SELECTED=$FUNCTIONS
# What the parts tell each other.
STATUS="" STACK_PARAMETERS="" STACK_OUTPUTS="" RELEASE="" HISTORY="" CHANGED="" CHANGE_SET="" KEY="" RECORDED_GRADUAL="" RETRIED=no

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --yes) YES=yes ;;
      --dry-run) DRY_RUN=yes ;;
      --skip-canary) CANARY=no ;;
      --accept-drift) ACCEPT_DRIFT=yes ;;
      --rollback) choose rollback ;;
      --destroy) choose destroy ;;
      --delete-data) DELETE_DATA=yes ;;
      --environment | --region | --project-name | --stack-name | --bucket | --endpoint-url | --architecture | --artifacts | --parameter | --file | --set | --outputs | --only)
        [[ ${2-} != --* && -n ${2-} ]] || fail "$1 needs a value; --help tells more"
        read_value "$1" "$2"
        shift
        ;;
      *) fail "unknown option: $1; --help lists the known ones" ;;
    esac
    shift
  done
}

read_value() {
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
    --file) FILE=$(realpath "$2") ;;
    --set) OVERRIDES+=("$2") ;;
    --outputs) OUTPUTS_FILE=$2 ;;
    --only) ONLY=$2 SELECTED=$2 ;;
  esac
}

choose() {
  [ "$ACTION" = deploy ] || [ "$ACTION" = "$1" ] || fail "--$ACTION and --$1 exclude each other"
  ACTION=$1
}

add_parameter() {
  check_assignment --parameter "$1"
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
  [ -z "$PROJECT" ] || check_name --project-name "$PROJECT" 24
  [[ $REGION =~ ^[a-z]+(-[a-z]+)+-[0-9]+$ ]] || fail "--region \"$REGION\" is no region's name, which looks like us-east-1"
  [[ $ARCHITECTURE =~ ^(arm64|x86_64)?$ ]] || fail "--architecture \"$ARCHITECTURE\": use arm64 or x86_64"
  [[ $ENDPOINT =~ ^(https?://.+)?$ ]] || fail "--endpoint-url \"$ENDPOINT\": use an address that begins with http:// or https://"
  if [ -n "$OUTPUTS_FILE" ] && [ ! -d "$(dirname "$OUTPUTS_FILE")" ]; then
    fail "--outputs $OUTPUTS_FILE: there is no directory $(dirname "$OUTPUTS_FILE")"
  fi
  if [ -n "$ONLY" ]; then
    [[ " $FUNCTIONS " == *" $ONLY "* ]] || fail "--only $ONLY: there is no such function; there are $FUNCTIONS"
    [ "$ACTION" = deploy ] || fail "--only and --$ACTION exclude each other"
    [ ${#PARAMETERS[@]} -eq 0 ] || fail "--only changes code, no parameters: leave --parameter out, or deploy all of it"
  fi
  if [ "$ACTION" = rollback ] && [ ${#PARAMETERS[@]} -gt 0 ]; then
    fail "--rollback deploys the parameters of the release before: leave --parameter out"
  fi
  [ "$DELETE_DATA" = no ] || [ "$ACTION" = destroy ] || fail "--delete-data goes with --destroy"
}

# The names follow from the file where no option gives them.
choose_names() {
  PROJECT=${PROJECT:-bank-circuit-breaker}
  STACK=${STACK:-$PROJECT-$ENVIRONMENT}
  if [[ ! $STACK =~ ^[A-Za-z][A-Za-z0-9-]*$ ]] || [ ${#STACK} -gt 128 ]; then
    fail "--stack-name \"$STACK\": use letters, digits and hyphens, a letter first, at most 128 characters"
  fi
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

read_outputs() {
  local log=$STAGE/outputs.log key value separator=""
  STACK_OUTPUTS=$(stack_outputs 2>"$log") \
    || fail_with_log "$log" "the stack is deployed, but its outputs could not be read:"
  [ -n "$OUTPUTS_FILE" ] || return 0
  {
    printf '{'
    while IFS=$'\t' read -r key value; do
      printf '%s\n  %s: %s' "$separator" "$(json_string "$key")" "$(json_string "$value")"
      separator=,
    done <<<"$STACK_OUTPUTS"
    printf '\n}\n'
  } >"$OUTPUTS_FILE"
}

report() {
  local api machine
  api=$(value_of "$STACK_OUTPUTS" ApiUrl)
  # The emulator serves every API at its own address; the one in the outputs is Amazon's.
  [ -z "$ENDPOINT" ] || api="$ENDPOINT/_aws/execute-api/$(value_of "$STACK_OUTPUTS" ApiId)/\$default"
  machine=$(value_of "$STACK_OUTPUTS" StateMachineArn)
  # In single quotes, because a local address contains a dollar sign.
  cat <<REPORT

Release         $RELEASE
API             $api
Dashboard       $(value_of "$STACK_OUTPUTS" DashboardUrl)
State machine   $machine
Table           $(value_of "$STACK_OUTPUTS" StateTableName)
Alarm queue     $(value_of "$STACK_OUTPUTS" AlarmQueueUrl)
Dead letters    $(value_of "$STACK_OUTPUTS" DeadLetterQueueUrl)
Alerts topic    $(value_of "$STACK_OUTPUTS" AlertTopicArn)

Try it (where the API asks for signatures: awscurl, or curl with --aws-sigv4):
  curl '$api/circuit-breaker'
  curl '$api/account/12345'
Force a level:
  aws stepfunctions start-execution $(shown_options) --state-machine-arn $machine \\
    --input '{"trigger":"force","targetLevel":1,"reason":"the back end is repaired","requestedBy":"your name"}'
REPORT
}

main() {
  read_options "$@"
  check_options
  check_tools
  check_files
  read_environment_file
  choose_names
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
  if [ "$ACTION" = destroy ]; then
    BUCKET=${BUCKET:-$PROJECT-artifacts-$ACCOUNT-$REGION}
    destroy
    return
  fi
  check_stack
  if [ "$ACTION" = deploy ]; then
    choose_architecture
    [ -n "$ARTIFACTS" ] || build
  fi
  ensure_bucket
  case $ACTION in
    rollback) roll_back ;;
    deploy) if [ -n "$ONLY" ]; then deploy_only; else deploy_all; fi ;;
  esac
  read_outputs
  [ "$CANARY" = no ] || [ "$CHANGED" = no ] || canary
  report
}

main "$@"
