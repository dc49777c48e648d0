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

cat >"$scratch/outside.c" <<'END'
#include <stdio.h>
#include <tare/core/memory.h>
#include <tare/core/version.h>

int main(void)
{
    tare_memory memory = {0};
    void *block = tare_memory_take(&memory, TARE_MEMORY_WORK, 10);
    tare_memory_give(&memory, TARE_MEMORY_WORK, block, 10);
    puts(tare_version());
    return !(block && memory.n_live == 0);
}
END
cat >"$scratch/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.21)
project(outside C)
find_package(tare REQUIRED)
add_executable(outside outside.c)
target_link_libraries(outside PRIVATE tare::tare)
END
expected=$(pkg-config --modversion tare)

read -ra found < <(pkg-config --cflags --libs tare)
"$cc" "${flags[@]}" "${sanitize[@]}" "$scratch/outside.c" -o "$scratch/outside" "${found[@]}"
[ "$("$scratch/outside")" = "$expected" ] || fail "the program built with pkg-config does not say $expected"

CMAKE_GENERATOR=$(cached CMAKE_GENERATOR) cmake -S "$scratch" -B "$scratch/b" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="${sanitize[*]}" >/dev/null
cmake --build "$scratch/b" >/dev/null
[ "$("$scratch/b/outside")" = "$expected" ] || fail "the program built with the CMake package does not say $expected"
