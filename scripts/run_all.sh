#!/usr/bin/env bash
# Run every Python script in a folder whose name begins so, and fail if one fails or there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
scripts=("$1/$2"*.py)
[ ${#scripts[@]} -gt 0 ] || { echo "There is no $1/$2*.py."; exit 1; }
for script in "${scripts[@]}"; do
    echo "== $script"
    .venv/bin/python "$script"
done
