# shellcheck shell=bash
# The template's parameters: where their values come from, and what they must be together.

# Reads and checks the file of the environment. It decides every parameter that it has a key for; without a file, what
# --parameter does not give stays as the stack has it.
read_environment_file() {
  local file=${FILE:-infrastructure/environments/$ENVIRONMENT.toml} one said
  local options=(--file "$file")
  if [ -z "$FILE" ] && [ ! -f "$ROOT/$file" ]; then
    [ ${#OVERRIDES[@]} -eq 0 ] || fail "--set: there is no file $file whose values it could replace"
    return 0
  fi
  [ -n "${BREAKER-}" ] || command -v cargo >/dev/null 2>&1 \
    || fail "cargo is missing: it builds the command that reads $file; or name the built command in the variable BREAKER"
  for one in ${OVERRIDES[@]+"${OVERRIDES[@]}"}; do options+=(--set "$one"); done
  # What the command has to complain of goes to the terminal, so that no warning is taken for a parameter.
  said=$(cd "$ROOT" && breaker config parameters "${options[@]}") || fail "$file: not deployed, because of the mistakes above"
  FILE_PARAMETERS=$(printf '%s\n' "$said" | sed -e '/^ProjectName=/d' -e '/^Architecture=/d')
  PROJECT=${PROJECT:-$(printf '%s\n' "$said" | sed -n 's/^ProjectName=//p')}
  ARCHITECTURE_OF_FILE=$(printf '%s\n' "$said" | sed -n 's/^Architecture=//p')
}

# The project's command: where a caller names it, that one.
breaker() {
  if [ -n "${BREAKER-}" ]; then "$BREAKER" "$@"; else cargo run --quiet --manifest-path "$ROOT/Cargo.toml" -- "$@"; fi
}

# What is set for this deployment, one Name=Value a line, in the order in which the last one counts.
given_parameters() {
  [ -z "$FILE_PARAMETERS" ] || printf '%s\n' "$FILE_PARAMETERS"
  [ ${#PARAMETERS[@]} -eq 0 ] || printf '%s\n' "${PARAMETERS[@]}"
}

# Refuses what is no parameter or what another option decides, by the place where it stands.
check_assignment() {
  local where=$1 assignment=$2
  case $assignment in
    ProjectName=*) fail "$where ProjectName: use --project-name" ;;
    Environment=*) fail "$where Environment: use --environment" ;;
    Architecture=*) fail "$where Architecture: use --architecture" ;;
    ReleaseId=*) fail "$where ReleaseId: it follows from the code and the other parameters" ;;
  esac
  [[ $assignment =~ ^[A-Za-z0-9]+= ]] || fail "$where $assignment: not of the form Key=Value"
  # Here, because CloudFormation would only say so after the upload.
  sed -n '/^Parameters:/,/^Rules:/p' "$ROOT/$TEMPLATE" | grep -x "  ${assignment%%=*}:" >/dev/null \
    || fail "$where ${assignment%%=*}: the template has no such parameter"
}

# The parameters that the deployment will have, one Name=Value a line, complete, so that the release follows from
# them: the template's defaults, then what the stack has, then the environment's file, then the command line; the
# last word counts. What the stack has and the template no longer is left out.
effective_parameters() {
  {
    # As `package` writes them: a block each, quotes only around the whole value.
    awk -v quote="'" '
      /^[A-Za-z]/ { within = /^Parameters:/ }
      within && /^  [A-Za-z0-9]+:/ { name = $1; sub(/:.*/, "", name) }
      within && /^    Default: / {
        sub(/^    Default: /, "")
        if (index($0, quote) == 1) $0 = substr($0, 2, length($0) - 2)
        print name "=" $0
      }
    ' "$1"
    is_new || printf '%s\n' "$STACK_PARAMETERS"
    printf '%s\n' "$RECORDED_GRADUAL"
    given_parameters
    printf '%s\n' "ProjectName=$PROJECT" "Environment=$ENVIRONMENT" "Architecture=$ARCHITECTURE"
  } | awk -v template="$1" '
    BEGIN {
      while ((getline line <template) > 0) {
        if (line ~ /^[A-Za-z]/) within = line ~ /^Parameters:/
        else if (within && line ~ /^  [A-Za-z0-9]+:/) { gsub(/[ :]/, "", line); known[line] = 1 }
      }
    }
    { name = $0; sub(/=.*/, "", name) }
    name in known && name != "ReleaseId" { values[name] = $0 }
    END { for (name in values) print values[name] }
  ' | LC_ALL=C sort
}

parameter() { sed -n "s/^$2=//p" "$1"; }

# A number of the policy: what the parameter says, and where it says nothing what the preset does, which the
# parameter's description ends with.
policy_parameter() {
  local file=$1 name=$2 value preset
  value=$(parameter "$file" "$name")
  if [ -z "$value" ]; then
    preset=$(parameter "$file" PolicyPreset)
    value=$(sed -n "/^  $name:\$/,/^    Description:/p" "$ROOT/$TEMPLATE" \
      | sed -n -e 's/.* \([0-9]*\) in both presets$/\1/p' -e "s/.* \([0-9]*\) in $preset\(,.*\)\{0,1\}\$/\1/p")
  fi
  printf '%s' "$value"
}

is_whole() { [[ $1 =~ ^(0|[1-9][0-9]*)$ ]]; }

# The numbers that must be whole: those whose default and bounds are. What runs from 0 to 1 is a share.
whole_parameters() {
  awk '
    function finish() {
      if (number && whole[1] && whole[2] && whole[3] && most > 1) print name
      number = 0; most = 0; delete whole
    }
    /^[A-Za-z]/ { finish(); within = /^Parameters:/ }
    within && /^  [A-Za-z0-9]+:/ { finish(); name = $1; sub(/:.*/, "", name) }
    within && $1 == "Type:" { number = $2 == "Number" }
    within && $1 == "Default:" { whole[1] = $2 ~ /^[0-9]+$/ }
    within && $1 == "MinValue:" { whole[2] = $2 ~ /^[0-9]+$/ }
    within && $1 == "MaxValue:" { whole[3] = $2 ~ /^[0-9]+$/; most = $2 }
    END { finish() }
  ' "$1"
}

# What CloudFormation cannot check, because it looks at one parameter at a time. A wrong pair would stop each function
# that reads it at its next start.
check_parameters() {
  local template=$1 file=$2 name value first second cooldown longest ttl stale reserved
  for name in $(whole_parameters "$template"); do
    value=$(parameter "$file" "$name")
    is_whole "$value" || fail "parameter $name: \"$value\" is not a whole number"
  done
  for name in Level1FailureThreshold Level2FailureThreshold RecoveryCooldownSeconds RecoveryCooldownMaxSeconds; do
    value=$(policy_parameter "$file" "$name")
    is_whole "$value" || fail "parameter $name: \"$value\" is not a whole number"
  done
  first=$(policy_parameter "$file" Level1FailureThreshold)
  second=$(policy_parameter "$file" Level2FailureThreshold)
  # 0 switches either rule off.
  [ "$second" -eq 0 ] || [ "$second" -gt "$first" ] \
    || fail "parameter Level2FailureThreshold: $second is not above Level1FailureThreshold ($first), so one fall would lead straight to level 3"
  cooldown=$(policy_parameter "$file" RecoveryCooldownSeconds)
  longest=$(policy_parameter "$file" RecoveryCooldownMaxSeconds)
  [ "$longest" -eq 0 ] || [ "$longest" -ge "$cooldown" ] \
    || fail "parameter RecoveryCooldownMaxSeconds: $longest is below RecoveryCooldownSeconds ($cooldown); use 0 for a cooldown that is never doubled"
  ttl=$(parameter "$file" StateCacheTtlMilliseconds)
  stale=$(parameter "$file" StaleStateSeconds)
  # A state is used for up to a fifth longer than its time to live.
  [ $((ttl * 12)) -lt $((stale * 10000)) ] \
    || fail "parameter StaleStateSeconds: $stale s is no longer than a healthy controller uses a state, 1.2 times StateCacheTtlMilliseconds ($ttl); raise it above $((ttl * 12 / 10000))"
  reserved=$(parameter "$file" ControlPlaneReservedConcurrency)
  [ "$reserved" -ne 1 ] \
    || fail "parameter ControlPlaneReservedConcurrency: 1 is less than the two batches of alarms that run at once; use 2 or more, or 0"
  check_rules "$file" "$first" "$second"
  check_pairs "$file"
  if [ "$ENVIRONMENT" = prod ] && [[ $(parameter "$file" RunbookUrl) != https://* ]]; then
    say "Mind: RunbookUrl is no https:// address, so the alarms' descriptions have no link that people can follow."
  fi
}

# The rules that need each other. The functions that decide refuse to start with these, so no level would move, not
# even for an operator.
check_rules() {
  local file=$1 first=$2 second=$3 rate consecutive slow slow_share probes together idle settle rates
  rate=$(policy_parameter "$file" FailureRatePercent)
  consecutive=$(policy_parameter "$file" ConsecutiveFailures)
  slow=$(policy_parameter "$file" SlowCallMilliseconds)
  slow_share=$(policy_parameter "$file" SlowCallRatePercent)
  rates=$((rate + consecutive + (slow > 0 ? slow_share : 0)))
  [ "$rates" -gt 0 ] || [ "$first" -gt 0 ] \
    || fail "parameter Level1FailureThreshold: 0 switches off the only rule by which level 1 could fall"
  [ "$rates" -gt 0 ] || [ "$second" -gt 0 ] \
    || fail "parameter Level2FailureThreshold: 0 switches off the only rule by which level 2 could fall"
  probes=$(parameter "$file" RecoveryEvidence)
  [ -n "$probes" ] || [ "$(parameter "$file" PolicyPreset)" != production ] || probes=probes
  if [ "$probes" = probes ]; then
    [ "$rate" -gt 0 ] \
      || fail "parameter FailureRatePercent: 0 is no rate that probes could stay below; RecoveryEvidence=probes needs one"
    idle=$(policy_parameter "$file" ProbeIdleSeconds)
    settle=$(policy_parameter "$file" EvidenceSettleSeconds)
    [ "$idle" -gt "$settle" ] \
      || fail "parameter ProbeIdleSeconds: $idle is not above EvidenceSettleSeconds ($settle), so no probe would ever count"
  fi
  together=$(parameter "$file" TripWhen)
  [ "$together" = count-and-rate ] || return 0
  [ "$rate" -gt 0 ] || fail "parameter FailureRatePercent: 0 is no rate, and TripWhen=count-and-rate needs one"
  [ "$first" -gt 0 ] || fail "parameter Level1FailureThreshold: 0 is no count, and TripWhen=count-and-rate needs one"
  [ "$second" -gt 0 ] || fail "parameter Level2FailureThreshold: 0 is no count, and TripWhen=count-and-rate needs one"
}

# Parameters of which one is nothing without the other.
check_pairs() {
  local file=$1 uses
  for uses in ApiAuthorization StatusAuthorization; do
    [ "$(parameter "$file" "$uses")" != JWT ] && continue
    [ -n "$(parameter "$file" JwtIssuer)" ] || fail "parameter JwtIssuer: it is empty, and $uses=JWT needs it"
    [ -n "$(parameter "$file" JwtAudience)" ] || fail "parameter JwtAudience: it is empty, and $uses=JWT needs it"
  done
  if [ -n "$(parameter "$file" VpcSubnetIds)" ] && [ -z "$(parameter "$file" VpcSecurityGroupIds)" ]; then
    fail "parameter VpcSecurityGroupIds: it is empty, and VpcSubnetIds need security groups"
  fi
  if [ -z "$(parameter "$file" VpcSubnetIds)" ] && [ -n "$(parameter "$file" VpcSecurityGroupIds)" ]; then
    fail "parameter VpcSubnetIds: it is empty, so the VpcSecurityGroupIds would do nothing"
  fi
}

# The concurrent executions that the functions reserve together, by lines of Name=Value.
reserved_concurrency() {
  awk -F = '{ value[$1] = $2 } END {
    print 4 * value["ControlPlaneReservedConcurrency"] + value["FullServiceConcurrencyLimit"] \
      + value["DegradedServiceConcurrencyLimit"] + value["MaintenanceServiceConcurrencyLimit"]
  }'
}

# Refuses reservations that Lambda would refuse: it leaves 100 of the account's executions to functions without a
# reservation. Other functions of the account reserve too; what this stack reserves already it may reserve again.
check_concurrency() {
  local file=$1 log=$STAGE/account.log reserved own=0 unreserved
  reserved=$(reserved_concurrency <"$file")
  [ "$reserved" -gt 0 ] || return 0
  is_new || own=$(reserved_concurrency <<<"$STACK_PARAMETERS")
  unreserved=$(aws_cli lambda get-account-settings --query AccountLimit.UnreservedConcurrentExecutions --output text 2>"$log") \
    || fail_with_log "$log" "the account's unreserved concurrent executions cannot be read:"
  [ $((unreserved + own)) -ge $((reserved + 100)) ] \
    || fail "the functions reserve $reserved concurrent executions, and the account has $((unreserved + own)) that other functions do not reserve, of which Lambda keeps 100 unreserved: have the account's limit raised by $((reserved + 100 - unreserved - own)) or more, or lower ControlPlaneReservedConcurrency (counted four times) and the services' ConcurrencyLimit"
}
