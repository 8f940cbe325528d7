#!/usr/bin/env bash
#
# Looks at the breaker, forces a level, ends a hold. `operate.sh --help` tells the options.
#
# A command is rehearsed first, so that a wrong one is refused with its reason before anything happens;
# then the state machine is started under a name of its own, which the account's trail keeps, and the
# command's record in the state table says what became of it.

set -euo pipefail

readonly PROGRAM=operate
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy/common.sh"

usage() {
  cat <<'HELP'
Operates the bank circuit breaker by starting its state machine.

  infrastructure/operate.sh look                                  what an evaluation would decide now, and why
  infrastructure/operate.sh force --level 1 --reason "mended"     sets the level, whatever the thresholds say
  infrastructure/operate.sh release --reason "watched it"         ends a hold

  --level N            1 (full), 2 (degraded) or 3 (maintenance)
  --reason TEXT        why: 1 to 500 characters, kept in the records
  --hold-minutes N     keeps automation off the level for so long, 1 to 4320; without it any hold ends
  --expected-epoch N   refuses the command if the level has moved since you looked
  --repair             goes on from the newest record where the state is lost or unreadable
  --requested-by NAME  who; without it the identity of the credentials
  --dry-run            only tells what would happen

  --environment NAME   the deployment's environment (dev)
  --region NAME        AWS region (AWS_REGION or AWS_DEFAULT_REGION)
  --project-name NAME  the deployment's project (bank-circuit-breaker)
  --stack-name NAME    its CloudFormation stack ({project}-{environment})
  --endpoint-url URL   another AWS, such as a local emulator (AWS_ENDPOINT_URL)
  --wait SECONDS       how long to wait for the command's record (60)
  --json               prints the whole answer as JSON
  --help               this text
HELP
}

COMMAND="" LEVEL="" REASON="" HOLD="" EPOCH="" REPAIR=false REQUESTED_BY="" DRY_RUN=false JSON=false WAIT=60
ENVIRONMENT=dev PROJECT=bank-circuit-breaker STACK=""
REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}} ENDPOINT=${AWS_ENDPOINT_URL:-}

read_options() {
  case ${1-} in
    look | force | release) COMMAND=$1 && shift ;;
    --help | -h) usage && exit 0 ;;
    "") usage >&2 && exit 1 ;;
    *) fail "unknown command: $1; use look, force or release" ;;
  esac
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --repair) REPAIR=true && shift && continue ;;
      --dry-run) DRY_RUN=true && shift && continue ;;
      --json) JSON=true && shift && continue ;;
    esac
    [[ -n ${2-} ]] || fail "$1 needs a value; --help tells more"
    case $1 in
      --level) LEVEL=$2 ;;
      --reason) REASON=$2 ;;
      --hold-minutes) HOLD=$2 ;;
      --expected-epoch) EPOCH=$2 ;;
      --requested-by) REQUESTED_BY=$2 ;;
      --environment) ENVIRONMENT=$2 ;;
      --region) REGION=$2 ;;
      --project-name) PROJECT=$2 ;;
      --stack-name) STACK=$2 ;;
      --endpoint-url) ENDPOINT=${2%/} ;;
      --wait) WAIT=$2 ;;
      *) fail "unknown option: $1; --help lists the known ones" ;;
    esac
    shift 2
  done
  STACK=${STACK:-$PROJECT-$ENVIRONMENT}
}

# What the state machine checks it checks better, with a sentence; here is only what it cannot see.
check_options() {
  local tool
  for tool in aws python3; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing from the PATH"
  done
  [ -n "$REGION" ] || fail "--region is missing, for example --region us-east-1"
  [[ $WAIT =~ ^[0-9]+$ ]] || fail "--wait \"$WAIT\": use a number of seconds"
  [[ $HOLD$EPOCH =~ ^[0-9]*$ ]] || fail "--hold-minutes and --expected-epoch take whole numbers"
  case $COMMAND in
    look) DRY_RUN=true ;;
    force) [[ $LEVEL =~ ^[0-9]+$ ]] || fail "--level is missing: use 1 (full), 2 (degraded) or 3 (maintenance)" ;;
    release) [ -z "$LEVEL$HOLD" ] || fail "release takes neither --level nor --hold-minutes" ;;
  esac
  [ "$COMMAND" = look ] || [ -n "$REASON" ] || fail "--reason is missing: say why, for the records"
}

# One of the stack's outputs, which are $1.
output() {
  local value
  value=$(value_of "$1" "$2")
  [ -n "$value" ] || fail "the stack $STACK has no output $2: is it this project's?"
  printf '%s' "$value"
}

# The input of the state machine; the argument says whether it is a rehearsal.
request() {
  COMMAND=$COMMAND LEVEL=$LEVEL REASON=$REASON HOLD=$HOLD EPOCH=$EPOCH REPAIR=$REPAIR \
    REQUESTED_BY=$REQUESTED_BY DRY_RUN=$1 python3 -c '
import json, os
get = os.environ.get
request = {"trigger": "schedule" if get("COMMAND") == "look" else get("COMMAND")}
if get("COMMAND") != "look":
    request.update(reason=get("REASON"), requestedBy=get("REQUESTED_BY"))
numbers = {"LEVEL": "targetLevel", "HOLD": "holdMinutes", "EPOCH": "expectedEpoch"}
request.update({field: int(get(name)) for name, field in numbers.items() if get(name)})
flags = {"REPAIR": "repair", "DRY_RUN": "dryRun"}
request.update({field: True for name, field in flags.items() if get(name) == "true"})
print(json.dumps(request))'
}

# Prints one member of the JSON object on standard input.
member() { python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], ""))' "$1"; }

# Gives the rehearsal's answer, or ends with its cause.
rehearse() {
  local answer
  answer=$(aws_cli stepfunctions start-sync-execution --state-machine-arn "$1" --input "$(request true)" --output json) \
    || fail "the state machine cannot be started"
  [ "$(member status <<<"$answer")" = SUCCEEDED ] \
    || fail "refused: $(member error <<<"$answer"): $(member cause <<<"$answer")"
  member output <<<"$answer"
}

show() {
  if "$JSON"; then
    python3 -m json.tool <<<"$1"
  else
    python3 -c '
import json, sys
answer = json.load(sys.stdin)
print("decision   {outcome}: level {from} to level {to}".format(**answer))
print("reason     {reason}".format(**answer))
if answer["evidence"]:
    told = "evidence   since {since}: {errors} errors, {carriedFailures} carried, {successStreak} successes in a row"
    print(told.format(**answer["evidence"]))
for name, state in ("before", answer["oldState"]), ("after", answer["newState"]):
    held = "held until {expiresAt} by {requestedBy}: {reason}".format(**state["hold"]) if "hold" in state else "no hold"
    print(name.ljust(10), "level {currentLevel}, epoch {epoch}, version {version}, ".format(**state) + held)
' <<<"$1"
  fi
}

# Waits for the record of the command that the execution called $2 carried out, in table $1.
record() {
  local deadline=$((SECONDS + WAIT)) item
  while :; do
    item=$(aws_cli dynamodb get-item --table-name "$1" --key "{\"pk\":{\"S\":\"command#$2\"}}" --consistent-read \
      --query 'Item.[at.S, reason.S, version.N, epoch.N, to.N]' --output text)
    [ "$item" = None ] || break
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.5
  done
  printf '%s' "$item"
}

main() {
  local outputs machine table answer name written at reason version epoch level
  read_options "$@"
  check_options
  outputs=$(stack_outputs) || fail "the stack $STACK cannot be read in $REGION"
  machine=$(output "$outputs" StateMachineArn)
  table=$(output "$outputs" StateTableName)
  if [ "$COMMAND" != look ] && [ -z "$REQUESTED_BY" ]; then
    REQUESTED_BY=$(aws_cli sts get-caller-identity --query Arn --output text) || fail "who are you? give --requested-by"
  fi

  answer=$(rehearse "$machine")
  if "$DRY_RUN"; then
    show "$answer"
    return
  fi
  if [ "$(member outcome <<<"$answer")" = none ]; then
    printf 'Nothing to do: %s.\n' "$(member reason <<<"$answer")"
    return
  fi

  name=$COMMAND-$(python3 -c 'import uuid; print(uuid.uuid4())')
  aws_cli stepfunctions start-execution --state-machine-arn "$machine" --name "$name" --input "$(request false)" \
    >/dev/null || fail "the state machine cannot be started"
  written=$(record "$table" "$name") \
    || fail "no record of $name within $WAIT s: its execution failed or still waits; look in the log group of the state machine"
  IFS=$'\t' read -r at reason version epoch level <<<"$written"
  printf 'Done at %s: %s.\nLevel %s, epoch %s, version %s; record command#%s.\n' \
    "$at" "$reason" "$level" "$epoch" "$version" "$name"
}

main "$@"
