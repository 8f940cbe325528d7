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

# Whether there is such a table. Any other answer ends the script: "not allowed to look" is not "no table".
has_table() {
  local log=$STAGE/table.log
  aws_cli dynamodb describe-table --table-name "$1" >/dev/null 2>"$log" && return 0
  grep -q ResourceNotFoundException "$log" || fail_with_log "$log" "it cannot be told whether the table $1 is there:"
  return 1
}

# The same of a key, by its alias: its id in KEY.
has_key() {
  local log=$STAGE/key.log
  KEY=$(aws_cli kms describe-key --key-id "$1" --query KeyMetadata.KeyId --output text 2>"$log") && return 0
  grep -q NotFoundException "$log" || fail_with_log "$log" "it cannot be told whether the key $1 is there:"
  return 1
}

# Both are looked for before either goes: without the key the table's records are lost for good.
delete_data() {
  local table=$1 alias=$2 there=no
  if has_table "$table"; then there=yes; fi
  has_key "$alias" || KEY=""
  if [ "$there" = yes ]; then
    [ -z "$STATUS" ] && confirm "Delete the table $table with all its records?" "$table"
    delete_table "$table"
  fi
  [ -z "$KEY" ] || delete_key "$KEY" "$alias"
}

delete_table() {
  local table=$1 log=$STAGE/data.log
  {
    aws_cli dynamodb update-table --table-name "$table" --no-deletion-protection-enabled \
      && aws_cli dynamodb wait table-exists --table-name "$table" \
      && aws_cli dynamodb delete-table --table-name "$table" \
      && aws_cli dynamodb wait table-not-exists --table-name "$table"
  } >"$log" 2>&1 || fail_with_log "$log" "the table $table could not be deleted:"
  say "The table $table is deleted."
}

delete_key() {
  local key=$1 alias=$2 log=$STAGE/data.log
  # The alias first: by it the next deployment would find a key that is about to go.
  if ! aws_cli kms delete-alias --alias-name "$alias" >"$log" 2>&1 && ! grep -q NotFoundException "$log"; then
    fail_with_log "$log" "the alias $alias could not be deleted:"
  fi
  aws_cli kms schedule-key-deletion --key-id "$key" --pending-window-in-days 30 >"$log" 2>&1 \
    || grep -q 'pending deletion' "$log" \
    || fail_with_log "$log" "the key $key could not be scheduled for deletion:"
  say "The key $key goes in 30 days; until then aws kms cancel-key-deletion keeps it."
}

# The table and the key of a first deployment that failed. Its rollback cannot delete a table that is protected, and
# what it failed to delete is its own: a table of somebody else it would never have tried to.
delete_own_data() {
  local status key
  status=$(resource_of_stack StateTable ResourceStatus)
  key=$(resource_of_stack EncryptionKey PhysicalResourceId)
  [ "$status" = DELETE_FAILED ] || return 0
  delete_table "$(resource_of_stack StateTable PhysicalResourceId)"
  [ -z "$key" ] || delete_key "$key" "alias/$PROJECT-circuit-breaker-$ENVIRONMENT"
}

resource_of_stack() {
  local log=$STAGE/resource.log value
  if value=$(aws_cli cloudformation describe-stack-resource --stack-name "$STACK" --logical-resource-id "$1" \
    --query "StackResourceDetail.$2" --output text 2>"$log"); then
    [ "$value" = None ] || printf '%s' "$value"
  else
    grep -q 'does not exist' "$log" || fail_with_log "$log" "the stack's resource $1 cannot be read:"
  fi
}
