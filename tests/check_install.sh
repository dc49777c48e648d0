#!/usr/bin/env bash
# An installed tare serves a program outside: found by pkg-config and by CMake, shared and static, every header complete
# by itself in C and in C++, nothing private among them, hidden symbols not exported, the tree movable; its command
# compiles plug-ins against what was installed.
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
foreach(kind tare static)
    add_executable(outside_${kind} outside.c)
    target_link_libraries(outside_${kind} PRIVATE tare::${kind})
endforeach()
END
read -ra found < <(pkg-config --cflags --libs tare)
"$cc" "${flags[@]}" "${sanitize[@]}" "$scratch/outside.c" -o "$scratch/outside" "${found[@]}"
works "$scratch/outside" || fail "docs/examples/both_modes.c, built with pkg-config, does not agree"

CMAKE_GENERATOR=$(cached CMAKE_GENERATOR) cmake -S "$scratch" -B "$scratch/b" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="${sanitize[*]}" >/dev/null
cmake --build "$scratch/b" >/dev/null
for kind in tare static; do
    works "$scratch/b/outside_$kind" || fail "docs/examples/both_modes.c, built with tare::$kind, does not agree"
done
read -ra all < <(pkg-config --static --cflags --libs tare | sed 's/-ltare/-l:libtare.a/')
"$cc" "${flags[@]}" "${sanitize[@]}" "$scratch/outside.c" -o "$scratch/alone" "${all[@]}"
works "$scratch/alone" || fail "docs/examples/both_modes.c, linked statically, does not agree"
for alone in "$scratch/alone" "$scratch/b/outside_static"; do
    readelf -d "$alone" | grep -q libtare && fail "a program linked statically needs libtare.so"
done

# ---- which tare it is, everywhere the same
version=$(sed -n 's/^project(tare VERSION \([0-9.]*\).*/\1/p' "$1/CMakeLists.txt")
[ "$(pkg-config --modversion tare)" = "$version" ] || fail "tare.pc is not of version $version"
"$prefix/bin/tare" --version | grep -q "^tare $version " || fail "the command is not of version $version"
[ "$(basename "$(readlink -f "$library")")" = "libtare.so.$version" ] || fail "the library's file does not say $version"
readelf -d "$library" | grep -q 'SONAME.*\[libtare.so.0\]' || fail "the soname is not libtare.so.0"
sed -i "s/find_package(tare REQUIRED)/find_package(tare 99 REQUIRED)/" "$scratch/CMakeLists.txt"
cmake -S "$scratch" -B "$scratch/b99" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >/dev/null 2>&1 &&
    fail "the CMake package takes itself for version 99"

# ---- a package's way in: DESTDIR, and the pages where man and bash look for them
DESTDIR=$scratch/stage cmake --install "$build" --prefix /usr >/dev/null
[ -x "$scratch/stage/usr/bin/tare" ] || fail "DESTDIR is not heeded"
pages=$(cd "$scratch/stage/usr" && find . -type f -path '*/tare.1*' -o -path '*/completions/tare' | sort | tr '\n' ' ')
[ "$pages" = "./share/bash-completion/completions/tare ./share/man/man1/tare.1 " ] || fail "pages: $pages"

# ---- the installed command and plug-ins: compiled against the installed headers, by hand and by the command
installed=$prefix/bin/tare
ran() { # ran PATTERN WORDS...: the installed command prints it
    local pattern=$1
    shift
    "$installed" "$@" >"$scratch/out" 2>&1 && grep -q -e "$pattern" "$scratch/out" ||
        fail "the installed tare $*: $(tail -3 "$scratch/out")"
}
for example in net net_plugin operator packer; do
    "$cc" "${flags[@]}" -shared -fPIC "$1/docs/examples/$example.c" -o "$scratch/$example.so" "${found[@]}" ||
        fail "docs/examples/$example.c does not compile against the installed headers"
done
ran '[0-9]* rungs agree' agree "$scratch/net.so" --modes all
ran '[0-9]* rungs agree' agree "$scratch/net_plugin.so:width=8" --modes all
ran 'no fault' check "$scratch/operator.so"
ran '[0-9]* rungs agree' agree "$1/docs/examples/net.c" --modes all
ran '[0-9]* rungs agree' agree "$1/docs/examples/net_plugin.c:width=8" --modes all
ran 'no fault' check "$1/docs/examples/operator.c"
ran '^ *birth ' plan mlp --plugin "$scratch/packer.so" --packers all
mv "$prefix/include" "$scratch/gone"
"$installed" agree "$1/docs/examples/net.c" >"$scratch/out" 2>&1 && fail "a net was compiled without installed headers"
grep -q 'neither beside this command nor installed' "$scratch/out" || fail "$(cat "$scratch/out")"
mv "$scratch/gone" "$prefix/include"
