#!/usr/bin/env bash
# Build the demo archive if it is not there, and serve it. PORT= and ROOT= change where.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${ROOT:-./tomotheca-data}
port=${PORT:-8000}
marks=.venv/demo-marks
mark=$marks/$(printf '%s' "$(mkdir -p "$root" && cd "$root" && pwd)" | sha256sum | cut -c 1-16)
mkdir -p "$marks"

if [ -d "$root/archive" ] && [ ! -e "$mark.started" ]; then
    echo "$root already holds an archive: it is served as it is."
elif [ ! -e "$mark.done" ] || [ ! -d "$root/archive" ]; then
    touch "$mark.started"
    .venv/bin/tomotheca demo --root "$root"
    touch "$mark.done"
fi

echo
echo "    Tomotheca is at http://127.0.0.1:$port/ (Ctrl-C stops it)"
echo
exec .venv/bin/tomotheca serve --root "$root" --host 127.0.0.1 --port "$port"
