#!/usr/bin/env bash
# Write the generated pages of docs/; with --check, say which ones are not as they would be written.
set -euo pipefail
cd "$(dirname "$0")/.."
for generator in scripts/generate_*.py; do
    [ -e "$generator" ] || continue
    .venv/bin/python "$generator" "$@"
done
