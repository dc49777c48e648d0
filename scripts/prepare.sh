#!/usr/bin/env bash
# Installs the Debian packages that a build, the tests and the demo still need; says first which. Nothing missing:
# silent, exit 0. Without the rights: prints the command, exit 1. What is asked is whether a thing is usable, not
# whether a package is installed, so that tools from elsewhere count.
#   prepare.sh            what is needed here
#   prepare.sh check      what the tests need besides
#   prepare.sh aarch64    what building for aarch64 and running it under qemu needs besides (cmake/aarch64.cmake)
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND...: PACKAGE is missing when COMMAND fails
    local package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$package")
    fi
}
optional=()
like() { # as need, for what is used where it can be had: no reason to stop
    local needed=("${missing[@]}")
    need "$@"
    optional+=("${missing[@]:${#needed[@]}}")
    missing=("${needed[@]}")
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

architecture=()
if [ "${1:-}" = aarch64 ]; then
    there() { # of Debian's packages for arm64, which lie beside those of this machine
        compgen -G "/usr/lib/aarch64-linux-gnu/$1"
    }
    need gcc-aarch64-linux-gnu command -v aarch64-linux-gnu-gcc
    need qemu-user command -v qemu-aarch64
    need libopenblas-pthread-dev:arm64 there openblas-pthread/libopenblas.so
    need zlib1g-dev:arm64 there pkgconfig/zlib.pc
    need libjansson-dev:arm64 there pkgconfig/jansson.pc
    need check:arm64 there pkgconfig/check.pc
    architecture=(dpkg --add-architecture arm64)
elif [ "${1:-}" = check ]; then
    need valgrind command -v valgrind
    like libdnnl-dev compiles '#include <oneapi/dnnl/dnnl.h>
int main(void) { return 0; }'
elif [ $# -gt 0 ]; then
    echo "prepare.sh [check | aarch64]" >&2
    exit 2
fi

if [ ${#missing[@]} -eq 0 ] && { [ ${#optional[@]} -eq 0 ] || ! command -v apt-get >/dev/null; }; then
    exit 0
fi
[ ${#missing[@]} -eq 0 ] || mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if ! command -v apt-get >/dev/null; then
    echo "missing, under their Debian names: ${missing[*]}; there is no apt-get here, install them by other means" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
elif [ ${#missing[@]} -eq 0 ]; then
    exit 0
else
    echo "missing packages, and no rights to install them. Run this, then start again:" >&2
    echo "  ${architecture[*]:+sudo ${architecture[*]} && }sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "installing the Debian packages that are missing: ${missing[*]} ${optional[*]}"
if [ ${#architecture[@]} -gt 0 ]; then
    "${as_root[@]}" "${architecture[@]}"
fi
"${as_root[@]}" apt-get update -q </dev/null || [ ${#missing[@]} -eq 0 ]
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
}
if [ ${#missing[@]} -gt 0 ]; then
    install "${missing[@]}"
fi
if [ ${#optional[@]} -gt 0 ] && ! install "${optional[@]}"; then
    echo "without ${optional[*]}: what uses it is left out"
fi
