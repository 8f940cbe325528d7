# shellcheck shell=bash
# The table and its key outlive the stack. The next deployment takes them over by importing them first.

# What an earlier stack left: one line each, logical name, type, identifier's name, identifier.
find_retained() {
  local log=$STAGE/retained.log table=$PROJECT-circuit-breaker-state-$ENVIRONMENT alias=alias/$PROJECT-circuit-breaker-$ENVIRONMENT key=""
  if aws_cli dynamodb describe-table --table-name "$table" >/dev/null 2>"$log"; then
    printf 'StateTable\tAWS::DynamoDB::Table\tTableName\t%s\n' "$table"
  elif ! grep -q ResourceNotFoundException "$log"; then
    return 1
  fi
  if key=$(aws_cli kms describe-key --key-id "$alias" --query 'KeyMetadata.[KeyId, KeyState]' --output text 2>"$log"); then
    case $key in
      *PendingDeletion)
        printf 'the key %s is to be deleted; aws kms cancel-key-deletion and enable-key keep it\n' "${key%%$'\t'*}" >"$log"
        return 1
        ;;
    esac
    printf 'EncryptionKey\tAWS::KMS::Key\tKeyId\t%s\n' "${key%%$'\t'*}"
    printf 'EncryptionKeyAlias\tAWS::KMS::Alias\tAliasName\t%s\n' "$alias"
  elif ! grep -q NotFoundException "$log"; then
    return 1
  fi
}

adopt() {
  local template=$1 log=$STAGE/import.log retained logical type field identifier separator="" set=adopt-$RELEASE protected=true
  retained=$(find_retained) || fail_with_log "$STAGE/retained.log" "it cannot be told what an earlier deployment left:"
  [ -n "$retained" ] || return 0
  if grep -q '^StateTable' <<<"$retained" && ! grep -q '^EncryptionKey' <<<"$retained"; then
    fail "the table $PROJECT-circuit-breaker-state-$ENVIRONMENT is there, but no key has the alias alias/$PROJECT-circuit-breaker-$ENVIRONMENT: give its key that alias, or delete the table"
  fi
  say "An earlier deployment left these, and this one takes them over:"
  awk -F '\t' '{ printf "  %-19s %s\n", $1, $4 }' <<<"$retained"
  if [ "$DRY_RUN" = yes ]; then
    say "All else would be created. Nothing was changed (--dry-run)."
    exit 0
  fi
  confirm "Take them over into $STACK?"
  {
    printf '['
    while IFS=$'\t' read -r logical type field identifier; do
      printf '%s{"LogicalResourceId":"%s","ResourceType":"%s","ResourceIdentifier":{"%s":"%s"}}' \
        "$separator" "$logical" "$type" "$field" "$identifier"
      separator=,
    done <<<"$retained"
    printf ']'
  } >"$STAGE/import.json"
  # As the table is: the update that follows sets it as it is to be.
  protected=$(aws_cli dynamodb describe-table --table-name "$PROJECT-circuit-breaker-state-$ENVIRONMENT" \
    --query Table.DeletionProtectionEnabled --output text 2>"$log" | tr '[:upper:]' '[:lower:]') || true
  retained_template "$template" "$retained" >"$STAGE/import.yaml"
  {
    aws_cli cloudformation create-change-set --stack-name "$STACK" --change-set-name "$set" --change-set-type IMPORT \
      --resources-to-import "file://$STAGE/import.json" --template-body "file://$STAGE/import.yaml" \
      --parameters "ParameterKey=ProjectName,ParameterValue=$PROJECT" "ParameterKey=Environment,ParameterValue=$ENVIRONMENT" \
      "ParameterKey=StateTableDeletionProtection,ParameterValue=$([ "$protected" = false ] && printf false || printf true)" \
      && aws_cli cloudformation wait change-set-create-complete --stack-name "$STACK" --change-set-name "$set" \
      && aws_cli cloudformation execute-change-set --stack-name "$STACK" --change-set-name "$set"
  } >"$log" 2>&1 || fail_with_log "$log" "they could not be taken over:"
  wait_for_stack
  [ "$STATUS" = IMPORT_COMPLETE ] || fail_with_reasons
}

# An import notes down what the template says of a resource and leaves the resource as it is. What differs would differ
# for good, because no later change set would see it.
check_drift() {
  local log=$STAGE/drift.log detection="" found resource pause=3
  [ -z "$ENDPOINT" ] || pause=0.3
  if ! detection=$(aws_cli cloudformation detect-stack-drift --stack-name "$STACK" --query StackDriftDetectionId --output text 2>"$log"); then
    [ -n "$ENDPOINT" ] || fail_with_log "$log" "it cannot be told whether the table and the key are as the template says:"
    say "Whether the table and the key are as the template says cannot be told here."
    return
  fi
  while :; do
    found=$(aws_cli cloudformation describe-stack-drift-detection-status --stack-drift-detection-id "$detection" --output text \
      --query '[DetectionStatus, StackDriftStatus, DetectionStatusReason]' 2>"$log") \
      || fail_with_log "$log" "it cannot be told whether the table and the key are as the template says:"
    case $found in
      DETECTION_IN_PROGRESS*) sleep "$pause" ;;
      DETECTION_COMPLETE$'\t'IN_SYNC*) return ;;
      *) break ;;
    esac
  done
  {
    printf '%s\n' "$found"
    for resource in StateTable EncryptionKey EncryptionKeyAlias; do
      aws_cli cloudformation describe-stack-resource-drifts --stack-name "$STACK" --output text \
        --stack-resource-drift-status-filters MODIFIED DELETED \
        --query "StackResourceDrifts[?LogicalResourceId=='$resource'].[StackResourceDriftStatus, PropertyDifferences[].[PropertyPath, ExpectedValue, ActualValue]][][]" \
        | sed "s/^/$resource /"
    done
  } >"$log" 2>&1
  if [ "$ACCEPT_DRIFT" = yes ]; then
    say "What was taken over differs from the template, and stays so (--accept-drift)."
    return
  fi
  fail_with_log "$log" "what was taken over differs from the template (property, as it should be, as it is). Set it as it should be and deploy again, or leave it so with --accept-drift:"
}

# The part of the template that an import takes: the resources alone, and the parameters that they use.
retained_template() {
  awk -v retained="$2" '
    BEGIN {
      count = split(retained, lines, "\n")
      for (i = 1; i <= count; i++) { split(lines[i], fields, "\t"); wanted[fields[1]] = 1 }
      wanted["ProjectName"] = wanted["Environment"] = wanted["StateTableDeletionProtection"] = 1
    }
    /^[A-Za-z]/ { within = /^(Parameters|Resources):/; block = 0 }
    /^AWSTemplateFormatVersion/ || (within && /^[A-Za-z]/) { print; next }
    within && /^  [A-Za-z0-9]+:/ { name = $1; sub(/:.*/, "", name); block = name in wanted }
    within && block { print }
  ' "$1"
}
