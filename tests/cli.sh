# What the tests of the command share: $tare, a $folder that goes with the script, expectations, their count.
# Read with the script's own arguments, SOURCE BUILD.
tare=$2/tare
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0
checks=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect CODE PATTERN WORDS...: exit code, and PATTERN in what was printed (stderr where CODE is not 0: one line).
expect() {
    local code=$1 pattern=$2 is
    shift 2
    checks=$((checks + 1))
    "$tare" "$@" >"$folder/out" 2>"$folder/err" </dev/null
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

# The end of a script.
finish() {
    echo "$checks checks, $failures failures"
    [ "$failures" -eq 0 ]
}
