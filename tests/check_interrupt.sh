#!/usr/bin/env bash
# A run that a signal ends leaves nothing behind in the folder of temporary files. The signal comes while such a folder
# is there: the compiler of a FILE.c sends it.
#   check_interrupt.sh SOURCE BUILD
source "$1/tests/cli.sh"

mkdir "$folder/temporary"
cat >"$folder/cc" <<EOF2
#!/bin/sh
ls -d "$folder"/temporary/tare-* >"$folder/seen"
kill -\$SIGNAL \$PPID
sleep 0.2
exec ${CC:-cc} "\$@"
EOF2
chmod +x "$folder/cc"
for signal in INT TERM HUP; do
    checks=$((checks + 1))
    rm -f "$folder/seen"
    SIGNAL=$signal CC="$folder/cc" TMPDIR="$folder/temporary" "$tare" agree "$source/docs/examples/net.c" --modes step \
        >"$folder/out" 2>"$folder/err"
    is=$?
    [ $is -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal: exit $is: $(cat "$folder/err")"
    [ -s "$folder/seen" ] || fail "SIG$signal came when there was no folder"
    [ -z "$(ls -A "$folder/temporary")" ] || fail "SIG$signal left $(ls "$folder/temporary")"
done
finish
