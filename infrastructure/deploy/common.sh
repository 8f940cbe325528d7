# shellcheck shell=bash
# What every part of deploy.sh uses: words to the user, the AWS CLI, the stack's values.

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

aws_cli() {
  aws --region "$REGION" ${ENDPOINT:+--endpoint-url "$ENDPOINT"} "$@"
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
