#!/usr/bin/env bash
# Resolve the locks again, for every supported Python and platform. torch stays out of the locks: its build depends on the machine.
#   requirements/lock.sh
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  local name=$1
  shift
  uv pip compile pyproject.toml "$@" --universal --python-version 3.11 --no-header --no-annotate --no-emit-package torch --quiet -o "requirements/$name.lock"
}
compile service
compile runtime --extra embedded
compile dev --extra embedded --extra dev
