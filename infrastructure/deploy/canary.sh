# shellcheck shell=bash
# The end of a deployment: does the control plane work? CloudWatch does not check that an alarm's action can be
# carried out, so one alarm is set by hand and followed to the alarm processor's log.

canary() {
  local log=$STAGE/canary.log
  say "Canary: a dry run of the state machine ..."
  dry_run >"$log" 2>&1 || fail_with_log "$log" "the release $RELEASE is deployed, but a dry run of the state machine failed (back: --rollback):"
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

follow_alarm() {
  local alarm group before began processed="" deadline=$((SECONDS + 120)) pause=3
  [ -z "$ENDPOINT" ] || pause=0.3
  alarm=$(value_of "$STACK_OUTPUTS" CanaryAlarmName)
  group=$(value_of "$STACK_OUTPUTS" AlarmProcessorLogGroupName)
  before=$(alarm_state "$alarm") || return 1
  began=$(date +%s)000
  # Only a change is told to the topic.
  [ "$before" != ALARM ] || set_alarm "$alarm" OK || return 1
  set_alarm "$alarm" ALARM || return 1
  while [ -z "$processed" ] && [ "$SECONDS" -lt "$deadline" ]; do
    sleep "$pause"
    processed=$(aws_cli logs filter-log-events --log-group-name "$group" --start-time "$began" \
      --filter-pattern RecoveryAlarmProcessed --output text --query 'events[].message' \
      | grep -m 1 -E '"RecoveryAlarmProcessed":[1-9]') || true
  done
  set_alarm "$alarm" "$before" || return 1
  [ -n "$processed" ] || { printf 'nothing in %s within 120 s after %s was set to ALARM\n' "$group" "$alarm" && return 1; }
}
