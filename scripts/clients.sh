#!/usr/bin/env bash
# Make the virtual environments in which tests run what docs/clients.md shows: .cache/clients-venv, and .cache/copick-venv
# because copick needs zarr 2. Quick when nothing changed. Exit code 1 without network.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache

make_environment() { # REQUIREMENTS FOLDER
    local list=requirements/$1.txt folder=.cache/$2 log=.cache/$2.log
    [ -e "$folder/.complete" ] && cmp -s "$list" "$folder/.complete" && return
    echo "Installing the clients of $list ..."
    .venv/bin/uv venv --quiet --clear --python .venv/bin/python "$folder"
    .venv/bin/uv pip install --quiet --python "$folder/bin/python" --require-hashes -r "$list" 2>"$log" ||
        { echo "They could not be installed: $(grep -m 1 . "$log")"; exit 1; }
    cp "$list" "$folder/.complete"
}

make_environment clients clients-venv
make_environment clients-copick copick-venv
