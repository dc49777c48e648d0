# What the scripts that call the command share: sourced with SOURCE BUILD as $1 and $2; ends in `finish`.
set -uo pipefail
source=$1
tare=$2/tare
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0
checks=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect CODE PATTERN WORDS...: exit code, and PATTERN in what was printed (stderr where CODE is not 0: one line). It reads
# the file $input, if there is one.
expect() {
    local code=$1 pattern=$2 is
    shift 2
    checks=$((checks + 1))
    "$tare" "$@" >"$folder/out" 2>"$folder/err" <"${input:-/dev/null}"
    is=$?
    [ "$is" -eq "$code" ] || fail "tare $*: exit $is, not $code: $(head -c 300 "$folder/err")"
    if [ "$code" -eq 0 ]; then
        grep -q -e "$pattern" "$folder/out" || fail "tare $*: no '$pattern' in its output"
        [ ! -s "$folder/err" ] || fail "tare $*: $(head -c 200 "$folder/err") on stderr"
    else
        [ "$(wc -l <"$folder/err")" -eq 1 ] || fail "tare $*: $(wc -l <"$folder/err") lines on stderr, not one"
        grep -q -e "$pattern" "$folder/err" || fail "tare $*: no '$pattern' in: $(cat "$folder/err")"
    fi
}

# timed PATTERN WORDS...: a run that a loaded machine may make one that is not trusted (exit 3); nothing on stderr.
timed() {
    local pattern=$1 is
    shift
    checks=$((checks + 1))
    "$tare" "$@" >"$folder/out" 2>"$folder/err" </dev/null
    is=$?
    [ "$is" -eq 0 ] || [ "$is" -eq 3 ] || fail "tare $*: exit $is: $(head -c 300 "$folder/err")"
    [ "$is" -ne 3 ] || grep -q MISTRUSTED "$folder/out" || fail "tare $*: exit 3 without a word"
    grep -q -e "$pattern" "$folder/out" || fail "tare $*: no '$pattern' in its output"
    [ ! -s "$folder/err" ] || fail "tare $*: $(head -c 200 "$folder/err") on stderr"
}

# Exit code of the script.
finish() {
    echo "$checks checks, $failures failures"
    [ "$failures" -eq 0 ]
}
