# shellcheck shell=bash
# The end of a deployment: does it work? The controller is asked for the status through its alias, as the API asks it.
# CloudWatch does not check that an alarm's action can be carried out, so one alarm is set by hand and followed to the
# alarm processor's log. And the state machine must reach its log: an Express execution has no other history.

canary() {
  local log=$STAGE/canary.log began
  began=$(date +%s)000
  say "Canary: a request through the controller ..."
  ask_status >"$log" 2>&1 || fail_with_log "$log" "the release $RELEASE is deployed, but the controller does not answer (back: --rollback):"
  say "Canary: a dry run of the state machine ..."
  dry_run >"$log" 2>&1 || fail_with_log "$log" "the release $RELEASE is deployed, but a dry run of the state machine failed (back: --rollback):"
  # A local AWS keeps no log of Express executions.
  if [ -z "$ENDPOINT" ]; then
    say "Canary: the execution's way to its log ..."
    await_log "$(value_of "$STACK_OUTPUTS" StateMachineLogGroupName)" "$began" '"ExecutionSucceeded"' 'ExecutionSucceeded' >"$log" 2>&1 \
      || fail_with_log "$log" "the release $RELEASE is deployed, but the state machine does not reach its log (back: --rollback):"
  fi
  say "Canary: an alarm on its way to the alarm processor ..."
  follow_alarm >"$log" 2>&1 \
    || fail_with_log "$log" "the release $RELEASE is deployed, but an alarm does not reach the alarm processor (back: --rollback):"
  say "Canary: all is well."
}

dry_run() {
  local answer
  answer=$(aws_cli stepfunctions start-sync-execution --state-machine-arn "$(value_of "$STACK_OUTPUTS" StateMachineArn)" \
    --input '{"trigger":"schedule","dryRun":true}' --output text --query '[status, error, cause]') || return 1
  # The call succeeds even when the execution failed.
  [ "${answer%%$'\t'*}" = SUCCEEDED ] || { printf '%s\n' "$answer" && return 1; }
}

alarm_state() { aws_cli cloudwatch describe-alarms --alarm-names "$1" --output text --query 'MetricAlarms[0].StateValue'; }

set_alarm() { aws_cli cloudwatch set-alarm-state --alarm-name "$1" --state-value "$2" --state-reason "canary of release $RELEASE"; }

# The status asks no service, so no outcome is made up.
ask_status() {
  local failed
  printf '%s' '{"version":"2.0","routeKey":"GET /circuit-breaker","rawPath":"/circuit-breaker","rawQueryString":"","headers":{},"requestContext":{"http":{"method":"GET","path":"/circuit-breaker"}},"isBase64Encoded":false}' >"$STAGE/status.json"
  # As bytes, because the versions of the CLI read a text in different ways.
  failed=$(aws_cli lambda invoke --function-name "$(value_of "$STACK_OUTPUTS" ControllerFunctionName)" --qualifier live \
    --payload "fileb://$STAGE/status.json" "$STAGE/answer.json" --query FunctionError --output text) || return 1
  if [ "$failed" != None ] || ! grep -qE '"statusCode": ?200' "$STAGE/answer.json"; then
    cat "$STAGE/answer.json"
    return 1
  fi
}

# Waits until a line of a log group since a time (milliseconds) matches.
await_log() {
  local group=$1 since=$2 filter=$3 expected=$4 found="" deadline=$((SECONDS + 120)) pause=3
  [ -z "$ENDPOINT" ] || pause=0.3
  while [ -z "$found" ] && [ "$SECONDS" -lt "$deadline" ]; do
    sleep "$pause"
    found=$(aws_cli logs filter-log-events --log-group-name "$group" --start-time "$since" \
      --filter-pattern "$filter" --output text --query 'events[].message' | grep -m 1 -E "$expected") || true
  done
  [ -n "$found" ] || { printf 'nothing in %s within 120 s\n' "$group" && return 1; }
}

follow_alarm() {
  local alarm group before began arrived=yes
  alarm=$(value_of "$STACK_OUTPUTS" CanaryAlarmName)
  group=$(value_of "$STACK_OUTPUTS" AlarmProcessorLogGroupName)
  before=$(alarm_state "$alarm") || return 1
  began=$(date +%s)000
  # Only a change is told to the topic.
  [ "$before" != ALARM ] || set_alarm "$alarm" OK || return 1
  set_alarm "$alarm" ALARM || return 1
  await_log "$group" "$began" RecoveryAlarmProcessed '"RecoveryAlarmProcessed":[1-9]' || arrived=no
  set_alarm "$alarm" "$before" || return 1
  [ "$arrived" = yes ] || { printf 'after %s was set to ALARM\n' "$alarm" && return 1; }
}
