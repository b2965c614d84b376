#!/usr/bin/env bash
# Have a chromium for the browser tests: install Debian's when there is none and this is root.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing chromium for the browser tests ..."
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null && exit 0
fi
echo "There is no chromium, and it could not be installed here: the browser tests are skipped (Debian: apt-get install chromium)."
