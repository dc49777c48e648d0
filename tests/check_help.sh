#!/usr/bin/env bash
# What a user can read: --help of every subcommand, the manual page, what bash completes. All are printed from one table,
# so each must hold every subcommand and option; the examples must be commands that there are.
#   check_help.sh SOURCE BUILD
set -uo pipefail
# shellcheck source=tests/cli.sh
. "$1/tests/cli.sh"

mapfile -t commands < <("$tare" --help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | sed '/^mlp$/d')
[ "${#commands[@]}" -ge 19 ] || fail "--help lists ${#commands[@]} subcommands"
expect 0 '^.TH TARE 1' manual
cp "$folder/out" "$folder/tare.1"
n_examples=0
for command in "${commands[@]}"; do
    expect 0 "^tare $command" "$command" --help
    cp "$folder/out" "$folder/help"
    grep -q "^.SS tare $command" "$folder/tare.1" || fail "the manual has no $command"
    while read -r option; do
        grep -q -e "^.fB.-.-${option//-/\\\\-}.fR" "$folder/tare.1" || fail "the manual has no --$option"
        grep -qx -e "--$option" < <("$tare" completion words -- "$command" "--$option") || fail "$command --$option is not completed"
    done < <(sed -n 's/^  --\([a-z-]*\).*/\1/p' "$folder/help")
    while IFS= read -r example; do
        n_examples=$((n_examples + 1))
        read -ra words <<<"${example%%[>;]*}"
        expect 0 '^tare ' "${words[@]}" --help
    done < <(sed -n 's/^  tare //p' "$folder/help")
done
[ "$n_examples" -ge 15 ] || fail "there are $n_examples examples"

# ---- the page: nothing that a formatter complains about
for name in groff mandoc; do
    command -v "$name" >/dev/null || continue
    case $name in
    groff) groff -man -ww -Tutf8 -z "$folder/tare.1" ;;
    mandoc) mandoc -T lint -W error "$folder/tare.1" ;;
    esac >"$folder/lint" 2>&1
    [ ! -s "$folder/lint" ] || fail "$name: $(head -5 "$folder/lint")"
done

# ---- bash
# shellcheck source=/dev/null
. <("$tare" completion bash)
completes() { # completes "LINE" WORDS...: these are among what bash is offered at the end of the line
    local line=$1
    shift
    checks=$((checks + 1))
    COMP_LINE=${line/#tare/$tare} COMP_POINT=${#COMP_LINE} COMPREPLY=()
    COMP_POINT=${#COMP_LINE}
    _tare
    for word in "$@"; do
        grep -qxF -e "$word" < <(printf '%s\n' "${COMPREPLY[@]}") || fail "'$line' is not completed with $word: ${COMPREPLY[*]}"
    done
}
completes 'tare be' bench
completes 'tare ' bench agree manual --help
completes 'tare bench ' chain mlp tests
completes 'tare bench chain:' depth= width=
completes 'tare bench chain:depth=3,w' 3,width=
completes 'tare bench mlp --mod' --modes
completes 'tare bench mlp --modes step,stat' step,static_alloc step,static_shape
completes 'tare bench mlp --modes=step,stat' step,static_alloc
completes 'tare bench mlp --factor dce=' on off
completes 'tare bench mlp --arm a=st' step static_alloc
completes 'tare train mlp --optimizer ' sgd adam
completes 'tare train mlp --data tes' tests
completes 'tare predict mlp --load tare' tare.h
completes 'tare check re' relu reshape
completes 'tare data ' digits regression
completes 'tare agree mlp --batch '
[ ${#COMPREPLY[@]} -eq 0 ] || fail "a number is completed with ${COMPREPLY[*]}"
expect 2 "not for 'fish'" completion fish
finish
