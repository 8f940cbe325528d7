# shellcheck shell=bash
# The stack: its parameters, a change set that is shown before it is carried out, and what failed.

# How the stack is, in the words of CloudFormation; nothing where there is none. Also reads its parameters.
read_stack() {
  local log=$STAGE/stack.log
  STATUS="" STACK_PARAMETERS=""
  # shellcheck disable=SC2016 # the quotes belong to the query
  if aws_cli cloudformation describe-stacks --stack-name "$STACK" --output text \
    --query 'Stacks[0].[[[`status`, StackStatus]], Parameters[].[ParameterKey, ParameterValue]][]' >"$STAGE/stack.text" 2>"$log"; then
    STATUS=$(value_of "$(cat "$STAGE/stack.text")" status)
    STACK_PARAMETERS=$(sed 1d "$STAGE/stack.text" | tr '\t' '=' | sed '/^$/d')
  elif ! grep -q 'does not exist' "$log"; then
    fail_with_log "$log" "the stack $STACK cannot be read:"
  fi
}

# Leaves a stack that can be created or updated, or says why there is none.
check_stack() {
  read_stack
  case $STATUS in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED) remove_failed_start ;;
    IMPORT_ROLLBACK_COMPLETE)
      # A whole stack has a release; one that has none only tried to take over what an earlier one left.
      [ -n "$(current_release)" ] || remove_failed_start
      ;;
    UPDATE_ROLLBACK_FAILED)
      fail "the stack $STACK is stuck in a rollback; see what failed, then: aws cloudformation continue-update-rollback $(shown_options) --stack-name $STACK"
      ;;
    DELETE_FAILED)
      fail "the stack $STACK could not be deleted; see what failed, then: infrastructure/deploy.sh --destroy again"
      ;;
    REVIEW_IN_PROGRESS) ;;
    *_IN_PROGRESS) fail "the stack $STACK is being changed by somebody else ($STATUS); try again when that is done" ;;
  esac
}

# What a first deployment that failed left behind stands in the way of the next one.
remove_failed_start() {
  if [ "$ACTION" != deploy ] || [ -n "$ONLY" ]; then
    fail "the first deployment of $STACK failed ($STATUS): deploy all of it first"
  fi
  say "The first deployment of $STACK failed ($STATUS). What is left of it goes first; all else would be created."
  if [ "$DRY_RUN" = yes ]; then
    say "Nothing was changed (--dry-run)."
    exit 0
  fi
  confirm "Remove what is left of $STACK?"
  remove_rolled_back
}

# Deletes a stack whose creation was rolled back. A protected table makes the rollback end as ROLLBACK_FAILED.
remove_rolled_back() {
  [ "$STATUS" != ROLLBACK_FAILED ] || delete_own_data
  delete_stack
}

is_new() { [ -z "$STATUS" ] || [ "$STATUS" = REVIEW_IN_PROGRESS ]; }

# Carries a template and a file of parameters out: shows the change set, asks, executes, waits.
deploy_template() {
  local template=$1 parameters=$2 log=$STAGE/change-set.log line arguments=()
  CHANGED=yes
  ! is_new || adopt "$template"
  # Also where an earlier run got no further.
  [ "$STATUS" != IMPORT_COMPLETE ] || check_drift
  while IFS= read -r line; do arguments+=("$line"); done <"$parameters"
  # --s3-bucket, because a template above 51,200 bytes must be uploaded.
  if ! aws_cli cloudformation deploy --template-file "$template" --stack-name "$STACK" --s3-bucket "$BUCKET" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-fail-on-empty-changeset --no-execute-changeset \
    --parameter-overrides "${arguments[@]}" "ReleaseId=$RELEASE" >"$log" 2>&1; then
    fail_with_log "$log" "the stack $STACK was not changed:"
  fi
  if grep -q 'No changes to deploy' "$log"; then
    say "No changes: the stack $STACK is up to date."
    CHANGED=no
    return
  fi
  CHANGE_SET=$(grep -o 'arn:[^ ]*:changeSet/[^ ]*' "$log" | head -n 1)
  [ -n "$CHANGE_SET" ] || fail_with_log "$log" "the change set cannot be found:"
  show_change_set
  if [ "$DRY_RUN" = yes ]; then
    discard_change_set
    say "Nothing was changed (--dry-run)."
    exit 0
  fi
  # A refusal ends the script, and the change set must not stay behind.
  (confirm "Deploy release $RELEASE to $STACK in $REGION?") || { discard_change_set && exit 1; }
  say "Deploying the stack $STACK in $REGION (a new one takes a few minutes on AWS) ..."
  aws_cli cloudformation execute-change-set --change-set-name "$CHANGE_SET" >"$log" 2>&1 \
    || fail_with_log "$log" "the change set cannot be carried out:"
  wait_for_stack
  case $STATUS in
    CREATE_COMPLETE | UPDATE_COMPLETE) say "The stack $STACK is deployed." ;;
    *)
      if [ "$RETRIED" = yes ] || ! role_was_unknown; then fail_with_reasons; fi
      RETRIED=yes
      say "Step Functions did not know the state machine's new role yet. Trying once more ..."
      # A stack whose creation was rolled back cannot be created again while it is there.
      case $STATUS in ROLLBACK_COMPLETE | ROLLBACK_FAILED) remove_rolled_back ;; esac
      # The user has agreed already.
      YES=yes deploy_template "$template" "$parameters"
      ;;
  esac
}

# Whether the stack failed because a role that it had just made was not known everywhere. Where the account has used up
# its ten resource policies of CloudWatch Logs the text is the same; then the second attempt fails as well.
role_was_unknown() {
  explain_failure 2>/dev/null \
    | grep -q -e 'not authorized to access the Log Destination' -e 'authorized to assume the provided role'
}

show_change_set() {
  local log=$STAGE/changes.log
  aws_cli cloudformation describe-change-set --change-set-name "$CHANGE_SET" --output text \
    --query 'Changes[].ResourceChange.[Action, LogicalResourceId, ResourceType, Replacement]' >"$log" 2>&1 \
    || fail_with_log "$log" "the change set cannot be read:"
  say "What changes:"
  LC_ALL=C sort "$log" | awk -F '\t' '{ printf "  %-7s %-36s %s%s\n", $1, $2, $3, ($4 == "True" ? "  REPLACED" : "") }'
}

discard_change_set() {
  if is_new; then
    # A stack that was never executed holds nothing but its change sets.
    aws_cli cloudformation delete-stack --stack-name "$STACK" >/dev/null 2>&1 || true
  else
    aws_cli cloudformation delete-change-set --change-set-name "$CHANGE_SET" >/dev/null 2>&1 || true
  fi
}

# Returns when nothing is in progress any more, with the last status in STATUS.
wait_for_stack() {
  local pause=5
  [ -z "$ENDPOINT" ] || pause=0.5
  while :; do
    read_stack
    case $STATUS in
      *_IN_PROGRESS) sleep "$pause" ;;
      *) return ;;
    esac
  done
}

fail_with_reasons() {
  explain_failure >"$STAGE/reasons.log" 2>&1
  case $STATUS in
    UPDATE_ROLLBACK_COMPLETE) fail_with_log "$STAGE/reasons.log" "the update of $STACK failed and was rolled back: everything is as it was before. What failed:" ;;
    ROLLBACK_COMPLETE) fail_with_log "$STAGE/reasons.log" "the first deployment of $STACK failed and was rolled back. What failed:" ;;
    *) fail_with_log "$STAGE/reasons.log" "the stack $STACK ended as $STATUS. What failed:" ;;
  esac
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
