#!/usr/bin/env bash
# Nets and operators from outside, as a user of the command sees them: FILE.c and FILE.so as NET in every subcommand,
# --plugin, tare check; nothing left behind; a sentence for whatever is wrong.
#   check_plugins.sh SOURCE BUILD
set -uo pipefail
source=$1
# shellcheck source=tests/cli.sh
. "$source/tests/cli.sh"
examples=docs/examples
plugins=$2/tests/plugins
mkdir "$folder/tmp"
export TMPDIR=$folder/tmp

# ---- a net in a source, in both modes
expect 0 '[0-9]* rungs agree bit for bit' agree "./$examples/net.c" --modes all
expect 0 'block is left out' agree "./$examples/net.c" --modes all
expect 2 'tiny has none\|net.c has none' agree "$examples/net.c" --modes block
expect 0 '[0-9]* rungs agree bit for bit' agree "./$examples/net_plugin.c" --modes all
cp "$folder/out" "$folder/of-source"

# ---- the same in a shared object, compiled as its comment says
cc=$(sed -n 's/^CMAKE_C_COMPILER:[^=]*=//p' "$2/CMakeCache.txt")
"$cc" -O2 -ffp-contract=off -shared -fPIC "$examples/net_plugin.c" -o "$folder/net.so" -I "$2/include" ||
    fail 'net_plugin.c does not compile'
expect 0 '[0-9]* rungs agree' agree "$folder/net.so" --modes all
cmp -s "$folder/out" "$folder/of-source" || fail 'net.so and net_plugin.c have other digests'
(cd "$folder" && "$tare" summary net.so) | grep -q 'narrow' || fail 'a plug-in in the current folder is not found'

# ---- every subcommand that takes a NET
expect 0 'digits' data digits --out "$folder/digits" --count 300
for net in "$examples/net_plugin.c:width=8" "$folder/net.so:width=8"; do
    expect 0 'narrow' summary "$net"
    expect 0 'lower bound' plan "$net"
    expect 0 'funnel:width=8' step "$net" --arms step
    timed 'funnel:width=8' bench "$net" --rounds 2 --processes 2 --modes step,block
    expect 0 'nodes' graph "$net" --dot "$folder/net.dot"
    expect 0 'parameters in' graph "$net" --save "$folder/saved.json"
    expect 0 'agree bit for bit' agree "$folder/saved.json" --steps 1
    expect 0 'epoch 1' train "$net" --data "$folder/digits" --save "$folder/weights.safetensors"
    expect 0 'accuracy' predict "$net" --load "$folder/weights.safetensors" --data "$folder/digits"
done

# ---- --plugin: nets by name, operators in saved nets
expect 0 '^funnel:width=32' nets --plugin "$folder/net.so"
expect 0 '"name":"second"' nets --plugin "$plugins/two_nets.so" --json
expect 0 '^squash ' ops --plugin "$examples/operator.c"
expect 0 'agree bit for bit' agree funnel:width=4 --plugin "$folder/net.so" --batch 4
expect 0 'agree bit for bit' agree mlp --batch 4 --modes step,block --plugin "$examples/operator.c" --plugin "$folder/net.so"
expect 0 '(net)' summary "$plugins/good.so" --infer
expect 0 'parameters in' graph "$plugins/good.so" --save "$folder/twice.json"
expect 0 '(net)' summary "$folder/twice.json" --plugin "$plugins/good.so" --infer
expect 1 "'twice'" summary "$folder/twice.json"

# ---- a packer, on a file and on a net, alone and among the built-in ones; what it answers is verified
printf 'id,lower,upper,size\na,0,4,10\nb,1,2,20\nc,2,6,5\nd,3,5,20\nf,5,9,30\n' >"$folder/blocks.csv"
for packer in "$examples/packer.c" "$folder/packer.so"; do
    [ -e "$packer" ] || "$cc" -O2 -shared -fPIC "$examples/packer.c" -o "$packer" -I "$2/include" || fail 'packer.c'
    expect 0 'packer birth' plan "$folder/blocks.csv" --plugin "$packer" --packers birth --out "$folder/planned.csv"
    expect 0 'no two meet' plan --verify "$folder/planned.csv"
    expect 0 '^ *birth ' plan "$folder/blocks.csv" --plugin "$packer" --packers all
    expect 0 '^ *birth ' plan mlp --optimizer adam --plugin "$packer" --packers portfolio,birth
done
expect 2 "'birth' is unknown\|birth" plan "$folder/blocks.csv" --packers birth
sed 's/other->upper <= v->lower/other->upper <= v->upper/' "$examples/packer.c" >"$folder/wrong.c"
expect 1 'meet' plan "$folder/blocks.csv" --plugin "$folder/wrong.c" --packers birth
expect 2 'No such file' plan "$folder/blocks.csv" --plugin "$folder/none.so"

# ---- the derived tests on operators, built in and one's own
expect 0 '1 operator, [0-9]* tests, no fault' check relu
expect 0 '^ok     squash  f32\[3,5\]  native in place' check "$examples/operator.c"
expect 0 '^2 operators, [0-9]* tests, no fault' check "$examples/operator.c" --quiet
[ "$(wc -l <"$folder/out")" -eq 1 ] || fail 'check --quiet prints tests that pass'
expect 0 'no fault' check squash relu --plugin "$examples/operator.c"
expect 1 '1 of 1 operators failed' check "$plugins/good.so"
grep -q 'it needs samples to check' "$folder/out" || fail 'check does not say what is wrong'
sed 's/1 - fabsf(y\[i\])) \*/1 + fabsf(y[i])) */' "$examples/operator.c" >"$folder/wrong.c"
expect 1 '1 of 2 operators failed' check "$folder/wrong.c"
grep -q 'native: output 0 is off by' "$folder/out" || fail 'check does not find a wrong gradient kernel'
sed 's/b->mode, &squash_grad_op, NULL, in, 2)/b->mode, \&squash_grad_op, NULL, (tare_value *[]){in[0], in[0]}, 2)/' \
    "$examples/operator.c" >"$folder/wrong.c"
expect 1 '1 of 2 operators failed' check "$folder/wrong.c"
grep -q 'differences give' "$folder/out" || fail 'check does not find a wrong gradient'
"$tare" check "$plugins/crashing.so" >"$folder/out" 2>"$folder/err"
[ $? -eq 1 ] || fail 'check does not survive a crash'
grep -q '2 of 2 operators failed' "$folder/err" || fail 'check stops at a crash'

# ---- what is wrong is said
expect 2 'No such file' agree "$folder/none.c"
expect 2 'No such file' agree "$folder/none.so"
expect 2 'No such file' nets --plugin "$folder/none.so"
expect 1 'no plug-in of tare' agree "$plugins/no_entry.so"
expect 1 'ABI 999' check "$plugins/older.so"
expect 1 'headers of another tare' check "$plugins/other_headers.so"
expect 1 'undefined symbol: tare_nobody_has_this' agree "$plugins/missing_symbol.so"
expect 1 'cannot be loaded' nets --plugin README.md
expect 2 "'chain' is registered already" agree "$plugins/taken.so"
expect 2 'has no net' agree "$examples/operator.c"
expect 2 'several nets (first, second' agree "$plugins/two_nets.so"
expect 2 "'first' cannot be built" agree first --plugin "$plugins/two_nets.so"
expect 2 "'second' cannot be run: its record has no input" agree second --plugin "$plugins/two_nets.so"
expect 2 'has no operator' check "$examples/net.c"
expect 2 'is unknown' check nonesuch
expect 2 "no option 'depth'" agree "$examples/net.c:depth=3"
echo 'int main' >"$folder/bad.c"
for words in "agree $folder/bad.c" "check $folder/bad.c" "ops --plugin $folder/bad.c"; do
    # shellcheck disable=SC2086
    "$tare" $words >/dev/null 2>"$folder/err"
    [ $? -eq 1 ] || fail "tare $words: not refused"
    grep -q 'bad.c:1.*error' "$folder/err" || fail "tare $words: the compiler's error is not shown"
    tail -1 "$folder/err" | grep -q 'bad.c does not compile' || fail "tare $words: $(tail -1 "$folder/err")"
done
: >"$folder/empty.c"
expect 1 'empty.c: it is no plug-in' agree "$folder/empty.c"
mkdir "$folder/folder.c"
expect 2 'folder.c: Is a directory' check "$folder/folder.c"
CC='no such compiler' expect 1 "compiler 'no such compiler' cannot be started" agree "$examples/net.c"
CC="env $cc" expect 0 'agree' agree "$examples/net.c" --modes step,symbol
TMPDIR=$folder/nowhere expect 1 'No such file' agree "$examples/net.c"

[ -z "$(ls -A "$folder/tmp")" ] || fail "left behind: $(ls -A "$folder/tmp")"
finish
