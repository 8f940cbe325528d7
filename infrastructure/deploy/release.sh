# shellcheck shell=bash
# A release is the packaged template and its parameters. Each is kept in the bucket, so that a rollback deploys
# the one before again, through CloudFormation, and never moves an alias behind its back.

releases() { printf 's3://%s/releases/%s' "$BUCKET" "$STACK"; }

# Names code and parameters together: the template names each archive by its content. The transform makes the
# names of versions from it, and where it is not told a stack's parameters it reads their defaults.
name_release() {
  local template=$1 parameters=$2
  RELEASE=$({ set_release "$template" none && cat "$parameters"; } | digest 10)
  set_release "$template" "$RELEASE" >"$STAGE/named.yaml"
  mv "$STAGE/named.yaml" "$template"
}

set_release() {
  awk -v release="$2" '
    /^  [A-Za-z]/ { within = /^  ReleaseId:/ }
    within && /^    Default: / { print "    Default: " release; next }
    { print }
  ' "$1"
}

# A text that is kept with the releases; nothing where there is none. Only a missing one is nothing: taken for it, a
# hiccup would let the next recording begin a new history.
read_kept() {
  local log=$STAGE/kept.log
  aws_cli s3 cp --only-show-errors "$(releases)/$1" - 2>"$log" && return 0
  grep -q -e '(404)' -e NoSuchKey "$log" || fail_with_log "$log" "$(releases)/$1 cannot be read:"
}

read_history() { HISTORY=$(read_kept history) || exit 1; }

# A rollback deploys all at once, and its record says what the release is really to be.
read_recorded_gradual() {
  local recorded
  RECORDED_GRADUAL=""
  if ! is_new && [ -n "$(current_release)" ]; then
    recorded=$(read_kept "$(current_release)/parameters") || exit 1
    RECORDED_GRADUAL=$(grep '^GradualDeployment=' <<<"$recorded") || RECORDED_GRADUAL=""
  fi
}

record_release() {
  local log=$STAGE/release.log folder=$STAGE/releases
  [ "$(tail -n 1 <<<"$HISTORY")" != "$RELEASE" ] || return 0
  mkdir -p "$folder/$RELEASE"
  cp "$1" "$folder/$RELEASE/template.yaml"
  cp "$2" "$folder/$RELEASE/parameters"
  printf '%s\n' "$HISTORY" "$RELEASE" | sed '/^$/d' >"$folder/history"
  aws_cli s3 cp --quiet --recursive "$folder" "$(releases)" >"$log" 2>&1 \
    || fail_with_log "$log" "the stack is deployed, but the release could not be recorded in $BUCKET, so --rollback would not find it:"
}

fetch_release() {
  local log=$STAGE/fetch.log
  mkdir -p "$STAGE/release"
  aws_cli s3 cp --quiet --recursive "$(releases)/$1" "$STAGE/release" >"$log" 2>&1 || fail_with_log "$log" "the release $1 cannot be read from $BUCKET:"
  [ -s "$STAGE/release/template.yaml" ] || fail "the release $1 is not in $BUCKET: deploy all of it once (with the same --bucket as then)"
}

current_release() { sed -n 's/^ReleaseId=//p' <<<"$STACK_PARAMETERS"; }

roll_back() {
  local current previous
  ! is_new || fail "there is no stack $STACK to roll back"
  read_history
  current=$(current_release)
  # Up to the current release: those behind it were rolled back before.
  previous=$(awk -v current="$current" '{ lines[NR] = $0 } $0 == current { at = NR } END { if (at > 1) print lines[at - 1] }' <<<"$HISTORY")
  [ -n "$previous" ] || fail "there is no release before $current; releases are recorded in $BUCKET at each deployment"
  say "Rolling back from release $current to $previous ..."
  fetch_release "$previous"
  RELEASE=$previous
  HISTORY=$(awk -v current="$current" '{ lines[NR] = $0 } $0 == current { at = NR } END { for (i = 1; i < at - 1; i++) print lines[i] }' <<<"$HISTORY")
  # All at once: what moves traffic step by step would stop at the alarms that the rollback is to silence.
  sed 's/^GradualDeployment=true$/GradualDeployment=false/' "$STAGE/release/parameters" >"$STAGE/at-once"
  deploy_template "$STAGE/release/template.yaml" "$STAGE/at-once"
  record_release "$STAGE/release/template.yaml" "$STAGE/release/parameters"
}

# One function's code, all else as it is: the current release with another archive.
deploy_only() {
  local archive key log=$STAGE/only.log resource
  read_history
  fetch_release "$(current_release)"
  stage
  archive=$STAGE/target/lambda/$ONLY.zip
  key=$(digest 32 <"$archive")
  say "Uploading $ONLY to $BUCKET ..."
  aws_cli s3 cp --quiet "$archive" "s3://$BUCKET/$key" >"$log" 2>&1 || fail_with_log "$log" "$ONLY could not be uploaded to $BUCKET:"
  resource=$(awk -F - '{ for (i = 1; i <= NF; i++) printf "%s%s", toupper(substr($i, 1, 1)), substr($i, 2); print "Function" }' <<<"$ONLY")
  awk -v resource="  $resource:" -v uri="s3://$BUCKET/$key" '
    /^  [A-Za-z]/ { within = index($0, resource) == 1 }
    within && /^      CodeUri: / { sub(/CodeUri: .*/, "CodeUri: " uri); found = 1 }
    { print }
    END { exit !found }
  ' "$STAGE/release/template.yaml" >"$STAGE/packaged.yaml" || fail "the template of the current release has no $resource with code of its own"
  cp "$STAGE/release/parameters" "$STAGE/parameters"
  name_release "$STAGE/packaged.yaml" "$STAGE/parameters"
  deploy_template "$STAGE/packaged.yaml" "$STAGE/parameters"
  record_release "$STAGE/packaged.yaml" "$STAGE/parameters"
}

deploy_all() {
  # Before anything changes: who cannot read the releases cannot record one.
  read_history
  read_recorded_gradual
  stage
  say "Uploading the functions to $BUCKET ..."
  package
  effective_parameters "$STAGE/packaged.yaml" >"$STAGE/parameters"
  check_parameters "$STAGE/packaged.yaml" "$STAGE/parameters"
  check_concurrency "$STAGE/parameters"
  name_release "$STAGE/packaged.yaml" "$STAGE/parameters"
  deploy_template "$STAGE/packaged.yaml" "$STAGE/parameters"
  record_release "$STAGE/packaged.yaml" "$STAGE/parameters"
}
