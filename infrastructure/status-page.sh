#!/usr/bin/env bash
#
# Fetches the status page with a signature and opens it. `status-page.sh --help` tells the options.
#
# Where the API asks for signatures no browser can load the page itself. What is opened is a copy, which says
# of itself how old it is.

set -euo pipefail

readonly PROGRAM=status-page
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy/common.sh"

usage() {
  cat <<'HELP'
Fetches the status page of a deployment, signed with your credentials, and opens it in the browser.

  infrastructure/status-page.sh
  infrastructure/status-page.sh --environment prod --region us-west-2
  infrastructure/status-page.sh --output status.html              writes it there and opens nothing

  --environment NAME   the deployment's environment (dev)
  --region NAME        AWS region (AWS_REGION or AWS_DEFAULT_REGION)
  --project-name NAME  the deployment's project (bank-circuit-breaker)
  --stack-name NAME    its CloudFormation stack ({project}-{environment})
  --endpoint-url URL   another AWS, such as a local emulator (AWS_ENDPOINT_URL)
  --api-url URL        the API's address, where it is not the stack's output ApiUrl
  --output FILE        where to write the page, without opening it
  --help               this text
HELP
}

ENVIRONMENT=dev PROJECT=bank-circuit-breaker STACK="" API="" OUTPUT=""
REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}} ENDPOINT=${AWS_ENDPOINT_URL:-}
# Global, because it is removed when the script ends, by whatever way.
WORK=""

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit 0 ;;
    esac
    [[ -n ${2-} ]] || fail "$1 needs a value; --help tells more"
    case $1 in
      --environment) ENVIRONMENT=$2 ;;
      --region) REGION=$2 ;;
      --project-name) PROJECT=$2 ;;
      --stack-name) STACK=$2 ;;
      --endpoint-url) ENDPOINT=${2%/} ;;
      --api-url) API=${2%/} ;;
      --output) OUTPUT=$2 ;;
      *) fail "unknown option: $1; --help lists the known ones" ;;
    esac
    shift 2
  done
  STACK=${STACK:-$PROJECT-$ENVIRONMENT}
}

check() {
  local tool
  for tool in aws curl; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing from the PATH"
  done
  # Signing came with 7.75; the token of temporary credentials is signed since 7.87.
  curl --help all 2>/dev/null | grep -q -- --aws-sigv4 || fail "this curl cannot sign: install 7.87 or newer"
  [ -n "$REGION" ] || fail "--region is missing, for example --region us-east-1"
}

find_api() {
  local outputs
  [ -z "$API" ] || return 0
  outputs=$(stack_outputs) || fail "the stack $STACK cannot be read in $REGION"
  API=$(value_of "$outputs" ApiUrl)
  [ -n "$API" ] || fail "the stack $STACK has no output ApiUrl: is it this project's?"
  [ -z "$ENDPOINT" ] || fail "the API of another AWS has another address: give --api-url"
}

# The credentials, a line each: name, tab, value. Those in the variables come first, as for the AWS CLI.
credentials() {
  if [ -n "${AWS_ACCESS_KEY_ID:-}" ] && [ -n "${AWS_SECRET_ACCESS_KEY:-}" ]; then
    printf '%s\t%s\n' AWS_ACCESS_KEY_ID "$AWS_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY "$AWS_SECRET_ACCESS_KEY" \
      AWS_SESSION_TOKEN "${AWS_SESSION_TOKEN:-}"
  else
    aws configure export-credentials --format env-no-export 2>"$WORK/log" | sed -e $'s/=/\t/'
  fi
}

# What curl is to do. On its standard input, because a list of processes shows everybody their arguments.
request() {
  local found token
  found=$(credentials) || fail "there are no credentials to sign with: see aws sso login. Version 2 of the AWS CLI \
finds them; without it set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is one, AWS_SESSION_TOKEN"
  token=$(value_of "$found" AWS_SESSION_TOKEN)
  printf 'url = %s\n' "$(json_string "$API/circuit-breaker")"
  printf 'header = "Accept: text/html"\n'
  printf 'aws-sigv4 = %s\n' "$(json_string "aws:amz:$REGION:execute-api")"
  printf 'user = %s\n' \
    "$(json_string "$(value_of "$found" AWS_ACCESS_KEY_ID):$(value_of "$found" AWS_SECRET_ACCESS_KEY)")"
  [ -z "$token" ] || printf 'header = %s\n' "$(json_string "X-Amz-Security-Token: $token")"
}

# Fetches the page into the file $1.
fetch() {
  local asked answered
  asked=$(request)
  answered=$(curl --config - --silent --show-error --max-time 30 --output "$1" \
    --write-out '%{http_code} %{content_type}' <<<"$asked" 2>"$WORK/log") \
    || fail_with_log "$WORK/log" "$API does not answer:"
  case $answered in
    "200 text/html"*) ;;
    "200 "*) fail "$API/circuit-breaker answers no page: the deployment is older than this script" ;;
    "401 "*) fail "$API asks for a token (StatusAuthorization is JWT), and this script signs for AWS_IAM" ;;
    "403 "*) fail "refused: these credentials need execute-api:Invoke on GET /circuit-breaker of $API" ;;
    *) fail "$API/circuit-breaker answers status ${answered%% *}" ;;
  esac
}

show() {
  local opener
  for opener in ${BROWSER:+"$BROWSER"} xdg-open open wslview; do
    if command -v "$opener" >/dev/null 2>&1 && "$opener" "$1" >/dev/null 2>&1; then
      say "Opened $1"
      return
    fi
  done
  say "No browser could be started: open $1"
}

main() {
  local kept
  read_options "$@"
  check
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  find_api
  fetch "$WORK/status.html"
  if [ -n "$OUTPUT" ]; then
    cp "$WORK/status.html" "$OUTPUT"
    say "Written to $OUTPUT"
    return
  fi
  # A browser reads the page after the script has ended, so this one stays.
  kept=$(mktemp -d)
  mv "$WORK/status.html" "$kept/status.html"
  show "$kept/status.html"
}

main "$@"
