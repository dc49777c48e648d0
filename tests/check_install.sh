#!/usr/bin/env bash
# An installed tare serves a program outside: found by pkg-config and by CMake, every header complete by itself in C
# and in C++, nothing private among them, hidden symbols not exported, the tree movable.
set -euo pipefail
build=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cached() { sed -n "s/^$1:[^=]*=//p" "$build/CMakeCache.txt"; }
fail() {
    echo "check_install: $*" >&2
    exit 1
}

cc=$(cached CMAKE_C_COMPILER)
flags=(-Wall -Wextra -Wpedantic -Wconversion -Werror)
sanitize=()
if [ "$(cached CMAKE_BUILD_TYPE)" = Sanitize ]; then
    sanitize=(-fsanitize=address,undefined)
fi

cmake --install "$build" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/moved"
prefix=$scratch/moved
library=$(find "$prefix" -name 'libtare.so.0')
[ -n "$library" ] || fail "no libtare.so.0 was installed"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name tare.pc)")
LD_LIBRARY_PATH=$(dirname "$library")
export PKG_CONFIG_PATH LD_LIBRARY_PATH

headers=$(cd "$prefix/include" && find tare -name '*.h')
[ -n "$headers" ] || fail "no header was installed"
for header in $headers; do
    case $header in *_private.h | */simd.h) fail "$header is private" ;; esac
    for language in c c++; do
        echo "#include <$header>" | "$cc" -x "$language" "${flags[@]}" -I "$prefix/include" -fsyntax-only - ||
            fail "$header is not complete by itself in $language"
    done
done
if nm -D --defined-only "$library" | awk '{ print $3 }' | grep '^tare__'; then
    fail "hidden symbols are exported"
fi

cp "$1/docs/examples/both_modes.c" "$scratch/outside.c"
works() { "$1" | tee /dev/stderr | grep -q 'imperative .* graph .*: equal'; }
cat >"$scratch/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.21)
project(outside C)
find_package(tare REQUIRED)
add_executable(outside outside.c)
target_link_libraries(outside PRIVATE tare::tare)
END
read -ra found < <(pkg-config --cflags --libs tare)
"$cc" "${flags[@]}" "${sanitize[@]}" "$scratch/outside.c" -o "$scratch/outside" "${found[@]}"
works "$scratch/outside" || fail "docs/examples/both_modes.c, built with pkg-config, does not agree"

CMAKE_GENERATOR=$(cached CMAKE_GENERATOR) cmake -S "$scratch" -B "$scratch/b" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="${sanitize[*]}" >/dev/null
cmake --build "$scratch/b" >/dev/null
works "$scratch/b/outside" || fail "docs/examples/both_modes.c, built with the CMake package, does not agree"

# ---- the installed command and plug-ins: compiled against the installed headers, by hand and by the command
installed=$prefix/bin/tare
plugin() { # plugin NAME: docs/examples/NAME.c to $scratch/NAME.so
    "$cc" "${flags[@]}" -shared -fPIC "$1/docs/examples/$2.c" -o "$scratch/$2.so" "${found[@]}"
}
ran() { # ran PATTERN WORDS...: the installed command prints it
    local pattern=$1
    shift
    "$installed" "$@" >"$scratch/out" 2>&1 && grep -q -e "$pattern" "$scratch/out" ||
        fail "the installed tare $*: $(tail -3 "$scratch/out")"
}
for example in net net_plugin operator; do
    plugin "$1" "$example" || fail "docs/examples/$example.c does not compile against the installed headers"
done
ran '9 rungs agree' agree "$scratch/net.so" --modes all
ran '11 rungs agree' agree "$scratch/net_plugin.so:width=8" --modes all
ran 'no fault' check "$scratch/operator.so"
ran '9 rungs agree' agree "$1/docs/examples/net.c" --modes all
ran '11 rungs agree' agree "$1/docs/examples/net_plugin.c:width=8" --modes all
ran 'no fault' check "$1/docs/examples/operator.c"
mv "$prefix/include" "$scratch/gone"
"$installed" agree "$1/docs/examples/net.c" >"$scratch/out" 2>&1 && fail "a net was compiled without installed headers"
grep -q 'neither beside this command nor installed' "$scratch/out" || fail "$(cat "$scratch/out")"
mv "$scratch/gone" "$prefix/include"
