# shellcheck shell=bash
# What the scripts share: words to the user under the name in PROGRAM, the AWS CLI, the stack's values.

# No call may wait for somebody to leave a pager.
export AWS_PAGER=""

say() { printf '%s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$PROGRAM" "$*" >&2
  exit 1
}

# Shows what a tool said, so that its words stand under our sentence.
fail_with_log() {
  local log=$1
  shift
  printf '%s: %s\n' "$PROGRAM" "$*" >&2
  # Without the progress of uploads, which succeeded.
  tr '\r' '\n' <"$log" | sed -e '/^[[:space:]]*$/d' -e '/^Uploading to /d' -e "s/^/$PROGRAM:   /" >&2
  exit 1
}

aws_cli() {
  # The CLI puts sync- before the host of some calls, and an endpoint of one's own has no such name.
  [ -z "$ENDPOINT" ] || export AWS_DISABLE_HOST_PREFIX_INJECTION=true
  aws --region "$REGION" ${ENDPOINT:+--endpoint-url "$ENDPOINT"} "$@"
}

# The outputs of the stack, a line each: key, tab, value.
stack_outputs() {
  aws_cli cloudformation describe-stacks --stack-name "$STACK" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]'
}

# The options that the commands we print need to find the same AWS.
shown_options() {
  printf '%s' "--region $REGION${ENDPOINT:+ --endpoint-url $ENDPOINT}"
}

# Asks before anything changes. A pipeline says --yes, because nobody is there to answer.
confirm() {
  local question=$1 expected=${2:-yes} answer=""
  [ "$YES" = no ] || return 0
  [ -t 0 ] || fail "$question Nobody can answer here: give --yes to go on without being asked"
  read -r -p "$question Type $expected to go on: " answer
  [ "$answer" = "$expected" ] || fail "nothing was changed"
}

# The first field of lines that are key, tab, value.
value_of() { awk -F '\t' -v key="$2" '$1 == key { print $2 }' <<<"$1"; }

json_string() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -c "1-$1"
}
