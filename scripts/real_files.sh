#!/usr/bin/env bash
# Fetch the real files of the format tests: the test data in other packages' source distributions.
# They end up unpacked in .cache/real-files/<name>-<version>/. Exit code 1 without network.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.cache/real-files
list=requirements/real-files.txt

[ -e "$folder/.complete" ] && cmp -s "$list" "$folder/.complete" && exit 0
echo "Fetching the real files of the tests ..."
rm -rf "$folder"
mkdir -p "$folder"
names=$(cut -d = -f 1 "$list" | paste -sd ,)
.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$names" \
    --require-hashes -r "$list" -d "$folder" 2>"$folder/log" || { echo "They could not be fetched: $(grep -m 1 ERROR "$folder/log")"; exit 1; }
for archive in "$folder"/*.tar.gz; do
    tar -xzf "$archive" -C "$folder" --no-same-owner
    rm "$archive"
done
cp "$list" "$folder/.complete"
