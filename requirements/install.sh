#!/usr/bin/env bash
# Install into a virtual environment, say how far it is, and say in one line why it failed. The Makefile calls it:
#   requirements/install.sh .venv "what it is" requirements/runtime.lock
#   requirements/install.sh .venv "what it is" --no-deps --editable .
set -uo pipefail
venv=$1 what=$2
shift 2
log=$venv/install.log
trap 'echo "stopped; the same command goes on from here" >&2; exit 130' INT TERM
total=""
if [[ ${1-} == *.lock ]]; then
  total=" of $(grep -c == "$1")"
  set -- --requirement "$1"
fi
echo "installing $what …" >&2
export PYTHONUNBUFFERED=1
count=0
"$venv/bin/python" -m pip --disable-pip-version-check install --progress-bar off --no-input --no-color "$@" 2>&1 | tee "$log" |
  while read -r first second rest; do
    case $first in
      Collecting | Ignoring | Requirement)
        count=$((count + 1))
        note="$count$total ${second%%==*}"
        [[ $first == Requirement ]] && note="$count$total"
        ;;
      Installing) note="unpacking" ;;
      Building) note="building $rest" ;;
      *) continue ;;
    esac
    [[ -t 2 ]] && printf '\r\033[K  %s' "${note:0:60}" >&2
  done
status=${PIPESTATUS[0]}
[[ -t 2 ]] && printf '\r\033[K' >&2
[[ $status == 0 ]] && exit 0

unreachable='NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|ConnectionResetError|RemoteDisconnected|IncompleteRead'
if grep -qE "$unreachable" "$log"; then
  why="the package index cannot be reached"
  mend="check the network, HTTPS_PROXY and PIP_INDEX_URL; then the same command goes on from here"
elif grep -q 'No space left on device' "$log"; then
  why="the disk is full"
  mend="make room (about 1 GB), then run the same command again"
elif grep -q 'Permission denied' "$log"; then
  why=$(grep -m1 'Permission denied' "$log")
  mend="clone into a folder that this user may write"
else
  why=$(grep -m1 '^ERROR:' "$log" | cut -c 8-)
  why=${why:-"pip ended with status $status"}
  mend="see $log; make clean begins anew"
fi
printf 'error: installing %s failed: %s\n mend: %s\n' "${what%% (*}" "$why" "$mend" >&2
exit 1
