#!/usr/bin/env bash
# Have the programs that tests drive: chromium, PostgreSQL, nginx, rclone. Debian's are installed when one is missing and this is root.
set -euo pipefail

missing=()
want() { # PACKAGE PROGRAM...: the package is wanted unless one of the programs is there
    local package=$1 name
    shift
    for name in "$@"; do
        command -v "$name" >/dev/null 2>&1 && return
        compgen -G "$name" >/dev/null && return
    done
    missing+=("$package")
}

want chromium chromium chromium-browser google-chrome
want postgresql initdb "/usr/lib/postgresql/*/bin/initdb"
want nginx-light nginx /usr/sbin/nginx
want rclone rclone

[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing ${missing[*]} for the tests ..."
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null && exit 0
fi
echo "There is no ${missing[*]}, and it could not be installed here: their tests are skipped (Debian: apt-get install ${missing[*]})."
