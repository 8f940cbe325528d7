# shellcheck shell=bash
# From the sources to a template that names archives in S3.

readonly TOOLS=$ROOT/target/deploy-tools

check_tools() {
  command -v aws >/dev/null 2>&1 \
    || fail "the AWS CLI (aws) is missing; see https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
  command -v sha256sum >/dev/null 2>&1 || command -v shasum >/dev/null 2>&1 \
    || fail "sha256sum (or shasum) is missing; on Debian it is in the package coreutils"
  [ "$ACTION" = deploy ] || return 0
  if [ -n "$ONLY" ]; then
    command -v zip >/dev/null 2>&1 || fail "zip is missing, and --only packs with it"
  fi
  if [ -z "$ARTIFACTS" ]; then
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing; see https://rustup.rs"
    command -v python3 >/dev/null 2>&1 \
      || fail "python3 is missing, and cargo-lambda comes with it; install Python 3.10 or newer, or give ready binaries with --artifacts"
  fi
}

check_files() {
  local name
  for name in "$TEMPLATE" "$STATE_MACHINE" "$DASHBOARD"; do
    [ -f "$ROOT/$name" ] || fail "$name is missing from $ROOT"
  done
  [ -n "$ARTIFACTS" ] || return 0
  [ -d "$ARTIFACTS" ] || fail "--artifacts $ARTIFACTS: there is no such directory"
  for name in $SELECTED; do
    [ -s "$ARTIFACTS/$name/bootstrap" ] || fail "--artifacts: $ARTIFACTS/$name/bootstrap is missing or empty"
  done
}

# Tells what a binary was built for; nothing where it is no ELF file, such as a script.
architecture_of() {
  # The first four bytes say ELF, the nineteenth the machine.
  case $(od -An -tx1 -N19 "$1" | tr -d ' \n') in
    7f454c46*3e) echo x86_64 ;;
    7f454c46*b7) echo arm64 ;;
  esac
}

# Lambda would take the wrong binary and fail at the first request.
check_architecture() {
  local name built
  for name in $SELECTED; do
    built=$(architecture_of "$ARTIFACTS/$name/bootstrap")
    [ -n "$built" ] || continue
    ARCHITECTURE=${ARCHITECTURE:-$built}
    [ "$built" = "$ARCHITECTURE" ] || fail "$ARTIFACTS/$name/bootstrap is built for $built, not for $ARCHITECTURE"
  done
}

# What is asked for, else what the binaries are built for, else what the stack has: code of another processor than the
# function's would fail at its first request.
choose_architecture() {
  local deployed
  deployed=$(parameter <(printf '%s\n' "$STACK_PARAMETERS") Architecture)
  if [ -n "$ONLY" ] && is_new; then fail "there is no stack $STACK yet: deploy all of it first"; fi
  [ -z "$ARTIFACTS" ] || check_architecture
  ARCHITECTURE=${ARCHITECTURE:-${deployed:-${ARCHITECTURE_OF_FILE:-arm64}}}
  if [ -n "$ONLY" ] && [ -n "$deployed" ] && [ "$ARCHITECTURE" != "$deployed" ]; then
    fail "--only $ONLY: the code is for $ARCHITECTURE, and the functions of $STACK are for $deployed: build it for $deployed, or deploy all of it"
  fi
}

# The pinned cargo-lambda and the linker that it crosses over with, in an environment of their own.
set_up_tools() {
  local wanted=$ROOT/infrastructure/deploy/requirements.txt log=$STAGE/tools.log
  if ! cmp -s "$wanted" "$TOOLS/requirements.installed"; then
    say "Installing cargo-lambda into target/deploy-tools ..."
    rm -rf "$TOOLS"
    {
      python3 -m venv "$TOOLS" \
        && "$TOOLS/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check -r "$wanted"
    } >"$log" 2>&1 || fail_with_log "$log" "cargo-lambda could not be installed (ready binaries: --artifacts):"
    cp "$wanted" "$TOOLS/requirements.installed"
  fi
  PATH=$TOOLS/bin:$PATH
}

# A cross build fails late and in strange words without the other processor's standard library.
check_standard_library() {
  local target=aarch64-unknown-linux-gnu log=$STAGE/rustup.log
  [ "$ARCHITECTURE" = arm64 ] || target=x86_64-unknown-linux-gnu
  [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || return 0
  command -v rustup >/dev/null 2>&1 \
    || fail "Rust's standard library for $ARCHITECTURE ($target) is not installed, and without rustup it cannot be: install it, or build for this machine's processor with --architecture"
  rustup target add "$target" >"$log" 2>&1 \
    || fail_with_log "$log" "Rust's standard library for $ARCHITECTURE ($target) is not installed and cannot be fetched. Build for this machine's processor with --architecture, or give ready binaries with --artifacts. rustup said:"
}

build() {
  local name flag=--arm64 selection=()
  [ "$ARCHITECTURE" = arm64 ] || flag=--x86-64
  check_standard_library
  set_up_tools
  say "Building the functions for $ARCHITECTURE ..."
  # These packages and no others: cargo would give the functions whatever features the rest asks for.
  for name in $SELECTED; do
    selection+=(--bin "$name")
    case $name in
      *-service) selection+=(--package services) ;;
      *) selection+=(--package "$name") ;;
    esac
  done
  (cd "$ROOT" && cargo lambda build --release "$flag" --lambda-dir "$ROOT/target/lambda" "${selection[@]}") \
    || fail "the build failed; nothing was deployed"
  ARTIFACTS=$ROOT/target/lambda
  check_files
  check_architecture
}

# The template's relative paths are mirrored, so that `package` finds the binaries wherever they came from.
stage() {
  local name
  mkdir -p "$STAGE/infrastructure" "$STAGE/statemachines"
  cp "$ROOT/$STATE_MACHINE" "$STAGE/$STATE_MACHINE"
  cp "$ROOT/$TEMPLATE" "$STAGE/$TEMPLATE"
  for name in $SELECTED; do
    mkdir -p "$STAGE/target/lambda/$name"
    cp "$ARTIFACTS/$name/bootstrap" "$STAGE/target/lambda/$name/bootstrap"
  done
  chmod 755 "$STAGE"/target/lambda/*/bootstrap
  # The upload is named by its content, times and rights included: the same binary must not look new.
  touch -t 200001010000 "$STAGE"/target/lambda/*/bootstrap
  compress
}

# Without this `package` would compress: one function after the other, and four times as slowly for a
# tenth less to upload. Where there is no zip we let it.
compress() {
  command -v zip >/dev/null 2>&1 || return 0
  local lambdas=$STAGE/target/lambda
  # shellcheck disable=SC2016,SC2086 # the inner shell expands; the names are words
  printf '%s\n' $SELECTED | xargs -P 4 -I '{}' sh -c 'cd "$0/$1" && zip -q -X -1 "../$1.zip" bootstrap' "$lambdas" '{}' \
    || fail "the functions could not be compressed"
  # The copy of the template names the archives in place of the directories.
  sed 's#\(CodeUri: \.\./target/lambda/[a-z-]*\)/$#\1.zip#' "$STAGE/$TEMPLATE" >"$STAGE/template.yaml"
  mv "$STAGE/template.yaml" "$STAGE/$TEMPLATE"
}

package() {
  local log=$STAGE/package.log
  aws_cli cloudformation package --template-file "$STAGE/$TEMPLATE" --s3-bucket "$BUCKET" \
    --output-template-file "$STAGE/packaged.yaml" >"$log" 2>&1 \
    || fail_with_log "$log" "the artefacts could not be uploaded to $BUCKET:"
  insert_dashboard "$STAGE/packaged.yaml"
}

# Puts the dashboard into a packaged template, as a literal block: CloudFormation wants its JSON as one string. Not
# before `package`, which writes the template anew and, in some builds of the AWS CLI, drops backslashes from a long
# string. What was put in is compared with its source.
insert_dashboard() {
  local template=$1
  awk -v dashboard="$ROOT/$DASHBOARD" '
    { print }
    /^      DashboardBody:$/ {
      if (getline <= 0 || !/^        Fn::Sub: /) exit
      print "        Fn::Sub: |"
      while ((getline line <dashboard) > 0) print "          " line
      found = 1
    }
    END { exit !found }
  ' "$template" >"$STAGE/with-dashboard.yaml" || fail "the packaged template has no DashboardBody of the expected form"
  sed -n '/^      DashboardBody:$/,/^      [A-Z]/p' "$STAGE/with-dashboard.yaml" | sed -n 's/^          //p' \
    | cmp -s - "$ROOT/$DASHBOARD" || fail "the dashboard in the packaged template differs from $DASHBOARD"
  mv "$STAGE/with-dashboard.yaml" "$template"
}
