#!/usr/bin/env bash
# Deploys the circuit breaker: calls `breaker deploy` with the same options. With --rollback or --destroy it calls
# `breaker rollback` or `breaker destroy`. `deploy.sh --help` tells the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command=deploy
options=()
for option in "$@"; do
  case $option in
    --rollback | --destroy) command=${option#--} ;;
    *) options+=("$option") ;;
  esac
done
exec cargo run --quiet --manifest-path "$root/Cargo.toml" -- "$command" ${options[@]+"${options[@]}"}
