# shellcheck shell=bash
# Takes the stack away. The table and its key stay unless somebody says otherwise.

# Returns when the stack is gone.
delete_stack() {
  local log=$STAGE/delete.log
  aws_cli cloudformation delete-stack --stack-name "$STACK" >"$log" 2>&1 || fail_with_log "$log" "the stack $STACK cannot be deleted:"
  wait_for_stack
  [ -z "$STATUS" ] || [ "$STATUS" = DELETE_COMPLETE ] || fail_with_reasons
  STATUS="" STACK_PARAMETERS=""
}

destroy() {
  local table=$PROJECT-circuit-breaker-state-$ENVIRONMENT alias=alias/$PROJECT-circuit-breaker-$ENVIRONMENT
  read_stack
  if [ -z "$STATUS" ]; then
    say "There is no stack $STACK."
  else
    if [ "$DELETE_DATA" = yes ]; then
      say "This removes the stack $STACK, its table with the state and all records, and its key."
    else
      say "This removes the stack $STACK. The table $table and its key stay."
    fi
    [ "$DRY_RUN" = no ] || { say "Nothing was changed (--dry-run)." && return; }
    confirm "Remove $STACK in $REGION?" "$STACK"
    delete_stack
    # A later stack of this name has a history of its own.
    aws_cli s3 rm --quiet --recursive "$(releases)" >/dev/null 2>&1 || true
    say "The stack $STACK is gone."
  fi
  if [ "$DELETE_DATA" = yes ]; then
    [ "$DRY_RUN" = no ] || return 0
    delete_data "$table" "$alias"
  else
    say "Kept where they were: the table $table and the key $alias. The next deployment takes both over; --destroy --delete-data removes them."
  fi
}

delete_data() {
  local table=$1 alias=$2 log=$STAGE/data.log key
  if aws_cli dynamodb describe-table --table-name "$table" >/dev/null 2>&1; then
    [ -z "$STATUS" ] && confirm "Delete the table $table with all its records?" "$table"
    {
      aws_cli dynamodb update-table --table-name "$table" --no-deletion-protection-enabled \
        && aws_cli dynamodb wait table-exists --table-name "$table" \
        && aws_cli dynamodb delete-table --table-name "$table"
    } >"$log" 2>&1 || fail_with_log "$log" "the table $table could not be deleted:"
    say "The table $table is deleted."
  fi
  if key=$(aws_cli kms describe-key --key-id "$alias" --query KeyMetadata.KeyId --output text 2>/dev/null); then
    {
      # The alias first: by it the next deployment would find a key that is about to go.
      aws_cli kms delete-alias --alias-name "$alias" \
        && aws_cli kms schedule-key-deletion --key-id "$key" --pending-window-in-days 30
    } >"$log" 2>&1 || fail_with_log "$log" "the key $key could not be scheduled for deletion:"
    say "The key $key goes in 30 days; until then aws kms cancel-key-deletion keeps it."
  fi
}
