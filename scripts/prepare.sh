#!/usr/bin/env bash
# Installs the Debian packages that a build, the tests and the demo still need; says first which. Nothing missing:
# silent, exit 0. Without the rights: prints the command, exit 1. What is asked is whether a thing is usable, not
# whether a package is installed, so that tools from elsewhere count.
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND...: PACKAGE is missing when COMMAND fails
    local package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$package")
    fi
}
compiles() { # compiles SOURCE [LINKER OPTION...], with the libc's headers and a linker in place
    local source=$1
    shift
    echo "$source" | "${CC:-cc}" -x c - -o /dev/null "$@"
}
module() {
    pkg-config --exists "$1"
}
openblas() { # the pthread form; where there is no Debian folder of that name, what pkg-config knows
    compgen -G "/usr/lib/*/openblas-pthread/libopenblas.so" || { ! command -v apt-get && module openblas; }
}

need build-essential compiles '#include <stdio.h>
int main(void) { return puts("") < 0; }'
need build-essential command -v make
need cmake command -v cmake
need pkg-config command -v pkg-config
need python3 command -v python3
need libopenblas-pthread-dev openblas
need zlib1g-dev module zlib
need libjansson-dev module jansson
need check module check

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if ! command -v apt-get >/dev/null; then
    echo "missing, under their Debian names: ${missing[*]}; there is no apt-get here, install them by other means" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "missing packages, and no rights to install them. Run this, then start again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "installing the Debian packages that are missing: ${missing[*]}"
"${as_root[@]}" apt-get update -q </dev/null
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null
