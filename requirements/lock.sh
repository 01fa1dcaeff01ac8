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
# The extra `train` without torch and what torch brings (several gigabytes of CUDA on some machines).
.venv/bin/python - <<'PY' | uv pip compile - --constraint requirements/dev.lock --universal --python-version 3.11 --no-header --no-annotate --quiet -o requirements/train.lock
import tomllib
for line in tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["train"]:
    if not line.startswith("torch"):
        print(line)
PY
