#!/usr/bin/env bash
# The build as a packager drives it: outside the source tree, without tests, with another CBLAS, installed through
# DESTDIR; what was installed then runs.
#   check_full_build.sh SOURCE BUILD
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
    echo "check_full_build: $*" >&2
    exit 1
}
export CMAKE_GENERATOR
CMAKE_GENERATOR=$(sed -n 's/^CMAKE_GENERATOR:[^=]*=//p' "$2/CMakeCache.txt")

# netlib's reference BLAS has a CBLAS in it (Debian libblas-dev, whose header is cblas-netlib.h)
netlib=$(find /usr/lib -path '*/blas/libblas.so' -print -quit 2>/dev/null)
options=()
if [ -n "$netlib" ]; then
    header=$(find /usr/include -name cblas-netlib.h -print -quit)
    mkdir "$scratch/include"
    cp "$header" "$scratch/include/cblas.h"
    cp "$(dirname "$header")"/cblas_*.h "$scratch/include"
    options=(-DTARE_BLAS_LIBRARIES="$netlib" -DTARE_BLAS_INCLUDE="$scratch/include")
else
    echo "libblas-dev is not installed: built with the usual CBLAS"
fi
cmake -S "$1" -B "$scratch/b" -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib/here \
    "${options[@]}" >"$scratch/configured" 2>&1 || fail "$(cat "$scratch/configured")"
cmake --build "$scratch/b" -j "$(nproc)" >"$scratch/built" 2>&1 || fail "$(tail -20 "$scratch/built")"
[ ! -e "$scratch/b/tests" ] || fail "tests were built"
DESTDIR=$scratch/stage cmake --install "$scratch/b" >/dev/null
tare=$scratch/stage/usr/bin/tare
ldd "$tare" | grep -q "$scratch/stage/usr/lib/here/libtare.so.0\|/bin/../lib/here/libtare.so.0" ||
    fail "the command does not find the library that was installed with it: $(ldd "$tare")"
if [ -n "$netlib" ]; then
    ldd "$tare" | grep -q openblas && fail "OpenBLAS is used, not the library that was named"
    "$tare" doctor | grep -q 'blas .*OpenBLAS' && fail "OpenBLAS is told"
fi
"$tare" agree mlp --batch 32 --threads 1,2 >"$scratch/out" || fail "$(cat "$scratch/out")"
"$tare" agree mlp --batch 32 --kernels openblas >"$scratch/out" || fail "$(cat "$scratch/out")"
"$tare" check matmul dense --quiet || fail "products are off"
"$tare" agree "$1/docs/examples/net.c" >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
if command -v man >/dev/null; then
    man -l --warnings=all "$scratch/stage/usr/share/man/man1/tare.1" 2>"$scratch/warnings" | grep -q 'EXIT STATUS' ||
        fail "man does not show the page"
    [ ! -s "$scratch/warnings" ] || fail "man: $(cat "$scratch/warnings")"
fi
