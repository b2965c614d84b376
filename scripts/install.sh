#!/usr/bin/env bash
# Make .venv and install the locked dependencies and this package into it: "run" or "dev". Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:-run}
bin=.venv/bin

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.11 python3.12 python3.13 python3.14; do
        [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        printf '%s' "$name"
        return
    done
    say "Python 3.11 or newer was not found: install it, or name it with PYTHON=/path/to/python."
    return 1
}

if [ ! -x "$bin/python" ]; then
    python=$(find_python)
    "$python" -m venv .venv || { say "$python cannot make a virtual environment (Debian: apt-get install python3-venv)."; exit 1; }
fi

state=$(cat requirements/*.txt pyproject.toml hatch_build.py $(find assets -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -name README.md | sort) \
    | sha256sum | cut -c 1-16)
state="$state ${TOMOTHECA_SKIP_ASSETS:-0}"
for done in "$wanted" dev; do
    if [ "$(cat ".venv/installed-$done" 2>/dev/null)" = "$state" ]; then
        exit 0
    fi
done

if [ ! -x "$bin/uv" ]; then
    uv=$(grep -E '^uv==' requirements/dev.txt | cut -d ' ' -f 1)
    say "Installing $uv ..."
    "$bin/python" -m pip install --quiet --disable-pip-version-check "$uv"
fi
say "Installing the locked dependencies ($wanted) ..."
"$bin/uv" pip install --quiet --python "$bin/python" --require-hashes -r "requirements/$wanted.txt"
say "Installing tomotheca and building its browser assets ..."
"$bin/uv" pip install --quiet --python "$bin/python" --no-deps -e .
printf '%s' "$state" >".venv/installed-$wanted"
