#!/usr/bin/env bash
#
# Looks at the breaker, forces a level, ends a hold. `operate.sh --help` tells the options.
#
# A command is rehearsed first, so that a wrong one is refused with its reason before anything happens;
# then the state machine is started under a name of its own, which the account's trail keeps, and the
# command's record in the state table says what became of it. What cannot be known is said to be unknown.

set -euo pipefail

readonly PROGRAM=operate
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy/common.sh"

usage() {
  cat <<'HELP'
Operates the bank circuit breaker by starting its state machine.

  infrastructure/operate.sh look --environment prod     what an evaluation would decide now, and why
  infrastructure/operate.sh force --environment prod --level 1 --reason "mended"
                                                        sets the level, whatever the thresholds say
  infrastructure/operate.sh release --environment prod --reason "watched it"
                                                        ends a hold

  --level N            1 (full), 2 (degraded) or 3 (maintenance)
  --reason TEXT        why: 1 to 500 characters, kept in the records
  --hold-minutes N     keeps automation off the level for so long, 1 to 4320; without it any hold ends
  --expected-epoch N   refuses the command if the level has moved since you looked
  --repair             goes on from the newest record where the state is lost or unreadable
  --requested-by NAME  who; without it the identity of the credentials
  --dry-run            only tells what would happen

  --environment NAME   the deployment's environment; always needed, or --stack-name
  --region NAME        AWS region (AWS_REGION or AWS_DEFAULT_REGION)
  --project-name NAME  the deployment's project (bank-circuit-breaker)
  --stack-name NAME    its CloudFormation stack ({project}-{environment})
  --endpoint-url URL   another AWS, such as a local emulator (AWS_ENDPOINT_URL)
  --wait SECONDS       how long to wait for the command's record (60)
  --json               prints the whole answer as JSON: of a command the record that it left
  --help               this text
HELP
}

COMMAND="" LEVEL="" REASON="" HOLD="" EPOCH="" REPAIR=false REQUESTED_BY="" DRY_RUN=false JSON=false WAIT=60
ENVIRONMENT="" PROJECT=bank-circuit-breaker STACK=""
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
    # Another option in the place of a value is a variable that was empty: were it taken, a rehearsal
    # whose --dry-run is swallowed so would be a command.
    [[ ${2-} != --* && -n ${2-} ]] || fail "$1 needs a value; --help tells more"
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
}

# What the state machine checks it checks better, with a sentence; here is only what it cannot see.
check_options() {
  local tool
  for tool in aws python3; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing from the PATH"
  done
  # No default: a command meant for one deployment must not steer another.
  [ -n "$ENVIRONMENT$STACK" ] || fail "--environment is missing, for example --environment prod (or --stack-name)"
  STACK=${STACK:-$PROJECT-$ENVIRONMENT}
  DEPLOYMENT="$STACK in $REGION"
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

# Starts the machine $1 for a rehearsal and gives its whole answer.
rehearse() {
  # It may take as long as the state machine may.
  aws_cli stepfunctions start-sync-execution --cli-read-timeout 100 --state-machine-arn "$1" \
    --input "$(request true)" --output json
}

# What a rehearsal, whose answer is $1, failed with. One that ran out of time has a status and no error.
failure() {
  local error cause
  error=$(member error <<<"$1")
  cause=$(member cause <<<"$1")
  printf '%s: %s' "${error:-$(member status <<<"$1")}" "${cause:-no cause was given}"
}

has_succeeded() { [ "$(member status <<<"$1")" = SUCCEEDED ]; }

# Shows an answer, $1, of the state machine.
show() {
  DEPLOYMENT=$DEPLOYMENT JSON=$JSON python3 -c '
import datetime, json, os, sys
answer = json.load(sys.stdin)
if os.environ["JSON"] == "true":
    print(json.dumps({"deployment": os.environ["DEPLOYMENT"], **answer}, indent=4))
    sys.exit()
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
def hold_of(state):
    if "hold" not in state:
        return "no hold"
    # An expired hold stays in the item until somebody writes it. Times are in UTC, so they sort as texts.
    verb = "held until" if now < state["hold"]["expiresAt"][:19] else "hold ended at"
    return "{} {expiresAt} by {requestedBy}: {reason}".format(verb, **state["hold"])
print("deployment", os.environ["DEPLOYMENT"])
print("decision   {outcome}: level {from} to level {to}".format(**answer))
print("reason     {reason}".format(**answer))
if answer["evidence"]:
    told = "evidence   since {since}: {errors} errors, {carriedFailures} carried, {successStreak} successes in a row"
    print(told.format(**answer["evidence"]))
for name, state in ("before", answer["oldState"]), ("after", answer["newState"]):
    print(name.ljust(10), "level {currentLevel}, epoch {epoch}, version {version}, ".format(**state) + hold_of(state))
if answer["dryRun"]:
    print("rehearsal  nothing was changed")
' <<<"$1"
}

# Shows the answer, $2, of a rehearsal that found nothing to do, after the words $1.
show_nothing() {
  if "$JSON"; then show "$2"; else say "$1 for $DEPLOYMENT: $(member reason <<<"$2")."; fi
}

# Reads the record of the command that the execution called $2 carried out from table $1, as JSON; nothing
# where there is none. Fails where it cannot be read.
read_record() {
  # Fewer and shorter tries than the tool makes by itself, because the deadline is ours.
  AWS_MAX_ATTEMPTS=2 aws_cli dynamodb get-item --cli-connect-timeout 5 --cli-read-timeout 5 --table-name "$1" \
    --key "{\"pk\":{\"S\":\"command#$2\"}}" --consistent-read --query '{item: Item}' --output json | python3 -c '
import json, sys
def plain(value):
    (kind, content), = value.items()
    if kind == "M":
        return {name: plain(inner) for name, inner in content.items()}
    if kind == "L":
        return [plain(inner) for inner in content]
    return {"N": json.loads, "NULL": lambda _: None}.get(kind, lambda other: other)(content)
answer = sys.stdin.read()
if not answer.strip():
    sys.exit("the table gave no answer")
item = json.loads(answer)["item"]
if item is not None:
    print(json.dumps(plain({"M": item})))'
}

# Waits for that record. Nothing is printed where there was none until the deadline; fails where the last
# look failed, because then nobody knows.
wait_for_record() {
  local deadline=$((SECONDS + WAIT)) read item
  while :; do
    read=yes
    item=$(read_record "$1" "$2" 2>"$SCRATCH/problem") || read=no
    if [ "$read" = yes ] && [ -n "$item" ]; then
      printf '%s' "$item"
      return 0
    fi
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.5
  done
  [ "$read" = yes ]
}

# Shows the record, $1, that a command left.
show_record() {
  DEPLOYMENT=$DEPLOYMENT JSON=$JSON python3 -c '
import json, os, sys
record = json.load(sys.stdin)
if os.environ["JSON"] == "true":
    print(json.dumps({"deployment": os.environ["DEPLOYMENT"], **record}, indent=4))
else:
    print("Done at {at}: {reason}.".format(**record))
    print(os.environ["DEPLOYMENT"] + ": level {to}, epoch {epoch}, version {version}; record {pk}.".format(**record))
' <<<"$1"
}

# Tells what is known of the execution $2 of machine $1 that left no record.
tell_of_no_record() {
  local log_group=/aws/vendedlogs/states/${1##*:} answer
  # Whoever came in between may have done what was wanted, or made it wrong.
  answer=$(rehearse "$1") || fail "no record of $2 within $WAIT s: look in the log group $log_group"
  has_succeeded "$answer" \
    || fail "no record of $2 within $WAIT s; by now it is refused by $DEPLOYMENT: $(failure "$answer")"
  answer=$(member output <<<"$answer")
  [ "$(member outcome <<<"$answer")" = none ] \
    || fail "no record of $2 within $WAIT s: it failed or still waits, and there is still something to do for" \
      "$DEPLOYMENT ($(member reason <<<"$answer")); look in the log group $log_group before you repeat it"
  show_nothing "Nothing was left to do" "$answer"
}

main() {
  local outputs machine table answer name written
  read_options "$@"
  check_options
  SCRATCH=$(mktemp -d)
  trap 'rm -rf "$SCRATCH"' EXIT
  outputs=$(stack_outputs) || fail "the stack $STACK cannot be read in $REGION"
  machine=$(output "$outputs" StateMachineArn)
  table=$(output "$outputs" StateTableName)
  if [ "$COMMAND" != look ] && [ -z "$REQUESTED_BY" ]; then
    REQUESTED_BY=$(aws_cli sts get-caller-identity --query Arn --output text) || fail "who are you? give --requested-by"
  fi

  answer=$(rehearse "$machine") || fail "the state machine of $DEPLOYMENT cannot be started; nothing was changed"
  has_succeeded "$answer" || fail "refused by $DEPLOYMENT: $(failure "$answer")"
  answer=$(member output <<<"$answer")
  if "$DRY_RUN"; then
    show "$answer"
    return
  fi
  if [ "$(member outcome <<<"$answer")" = none ]; then
    show_nothing "Nothing to do" "$answer"
    return
  fi

  name=$COMMAND-$(python3 -c 'import uuid; print(uuid.uuid4())')
  aws_cli stepfunctions start-execution --state-machine-arn "$machine" --name "$name" --input "$(request false)" \
    >/dev/null || fail "the state machine of $DEPLOYMENT did not say that it started $name; look before you repeat it"
  written=$(wait_for_record "$table" "$name") \
    || fail_with_log "$SCRATCH/problem" \
      "started as $name in $DEPLOYMENT; whether it was carried out is not known: the table cannot be read"
  if [ -n "$written" ]; then
    show_record "$written"
  else
    tell_of_no_record "$machine" "$name"
  fi
}

main "$@"
