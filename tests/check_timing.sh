#!/usr/bin/env bash
# What times arms, as scripts see it: records computed again, contrasts, grids, interrupts and what goes on after them.
# Nothing here depends on how fast the machine is.
#   check_timing.sh SOURCE BUILD
source "$1/tests/cli.sh"

# ---- timing: files, figures computed again, contrasts
timed '119 nodes, 30 208 FLOPs' bench chain --rounds 4 --processes 2 --modes step,functional --json "$folder/chain.jsonl"
[ -s "$folder/chain.jsonl" ] && [ ! -e "$folder/chain.jsonl.part" ] || fail 'bench --json left no file, or a part'
timed 'heap' bench chain:depth=2 --rounds 1 --modes functional --arm heap=functional,storage=malloc --infer
expect 0 'all as written' verify "$folder/chain.jsonl"
timed 'B / A' compare "$folder/chain.jsonl" "$folder/chain.jsonl"
sed 's/"median":[0-9.]*/"median":1.5/' "$folder/chain.jsonl" >"$folder/edited.jsonl"
expect 1 'figures are not what the blocks say' verify "$folder/edited.jsonl"
grep -q 'arm step: step_ns.median is 1.5' "$folder/out" || fail 'verify does not say what differs'
sed 's/"ns":/"ns":1/' "$folder/chain.jsonl" >"$folder/edited.jsonl"
expect 1 'figures are not what the blocks say' verify "$folder/edited.jsonl"
sed 's/"schema":1/"schema":7/' "$folder/chain.jsonl" >"$folder/schema.jsonl"
for command in verify "compare $folder/chain.jsonl" 'report --out x.html'; do
    expect 1 'line 1: schema 7, and this command reads schema 1' $command "$folder/schema.jsonl"
done
head -n -1 "$folder/chain.jsonl" >"$folder/short.jsonl"
expect 1 'is cut short: its last line is missing' verify "$folder/short.jsonl"
expect 1 'is cut short: its last line is missing' compare "$folder/chain.jsonl" "$folder/short.jsonl"
head -c -100 "$folder/chain.jsonl" >"$folder/short.jsonl"
expect 1 'the file is cut short in it' compare "$folder/short.jsonl" "$folder/chain.jsonl"
timed 'B / A' compare --partial "$folder/short.jsonl" "$folder/chain.jsonl"
sed 's/"host":"[^"]*"/"host":"elsewhere"/' "$folder/chain.jsonl" >"$folder/elsewhere.jsonl"
expect 1 'of different machines (host' compare "$folder/chain.jsonl" "$folder/elsewhere.jsonl"
expect 1 'no arm in common' compare --by machine "$folder/chain.jsonl" "$folder/elsewhere.jsonl"
timed 'B / A' compare --across "$folder/chain.jsonl" "$folder/elsewhere.jsonl"
cat "$folder/chain.jsonl" "$folder/elsewhere.jsonl" | sed '/"host":"elsewhere"/s/"run_id":"[0-9a-f]*"/"run_id":"00000000000000ff"/' >"$folder/two.jsonl"
expect 0 '2 runs' report "$folder/two.jsonl" "$folder/chain.jsonl" --by machine --out "$folder/two.html"
[ "$(grep -c 'class="machine"' "$folder/two.html")" -eq 2 ] || fail 'report --by machine does not name two machines'
expect 2 'takes machine' compare --by net "$folder/chain.jsonl" "$folder/chain.jsonl"
expect 1 'no run of tare bench' verify /dev/null
expect 1 'line 1' verify "$source/README.md"
expect 1 'File too large' verify /dev/zero
expect 1 'File too large' explain mlp_mnist --vs /dev/zero
expect 2 'tare bench starts this command' measure

# ---- operators alone
micro() {
    local pattern=$1
    shift
    expect 0 "$pattern" micro "$@" --rounds 2 --processes 2
}
micro '^  max_pool2d .*f32\[64,20,24,24\]' relu max_pool2d --json "$folder/micro.jsonl" --csv "$folder/ops" --svg "$folder/svg"
[ "$(wc -l <"$folder/micro.jsonl")" -ge 6 ] && [ -s "$folder/ops/op.csv" ] && [ -s "$folder/svg/operators.svg" ] ||
    fail 'micro leaves no records, table or picture'
expect 0 'all as written' verify "$folder/micro.jsonl"
sed 's/"median":[0-9.]*/"median":1.5/' "$folder/micro.jsonl" >"$folder/edited.jsonl"
expect 1 'figures are not what the blocks say' verify "$folder/edited.jsonl"
grep -q 'op 0 relu, kernel: step_ns.median is 1.5' "$folder/out" || fail 'verify does not say which operator differs'
expect 0 '1 run' report "$folder/micro.jsonl" --out "$folder/micro.html" --figures "$folder/figures"
grep -q 'Operators alone' "$folder/micro.html" || fail 'report has no chart of operators'
micro 'at the roof' --net chain:depth=2 --batch 2 --optimizer adam
micro '^  conv2d .*reference' conv2d --operands 'f32[1,2,5,5] f32[3,2,3,3] -' --attributes pad_h=1 --variants
micro '^  matmul .*f32\[64,64\]' matmul --operands 'f32[n,n] f32[n,n]' --sizes 8,64 --threads 2 --svg "$folder/svg"
[ -s "$folder/svg/matmul.svg" ] || fail 'micro draws no picture of an operator over sizes'
micro '^  relu .*f32\[4096\]' relu --sizes 64,4096
micro '^  view ' --family flatten --sizes 20
expect 2 "operator 'rellu' is unknown" micro rellu
expect 2 "unknown family 'dott', did you mean 'dot'" micro --family dott
expect 2 'whole numbers from 1' micro relu --sizes 0
expect 2 'whole numbers from 1' micro relu --sizes 12x
expect 2 'whole numbers from 1' micro relu --sizes 99999999999999999999
expect 2 'more than half of this machine' micro --family matmul --sizes 1000000000
expect 2 "are no operands" micro relu --operands 'f32[a]'
expect 2 "are no operands" micro relu --operands 'f32[-1]'
expect 2 'takes 1 operands' micro relu --operands 'f32[3] f32[3]'
expect 1 'inner sizes differ' micro matmul --operands 'f32[3,4] f32[5,6]'
expect 2 'cannot be absent' micro relu --operands '-'
expect 2 "is unknown" micro --net nonet
expect 2 'mean nothing with it' micro --net chain --sizes 3
expect 2 'mean nothing with it' micro relu --family dot
expect 2 'mean nothing without --net' micro relu --batch 3
expect 1 'no such node' micro conv2d --net chain:depth=1
expect 2 'made of the records' micro relu --csv "$folder/ops"
expect 2 'tare micro' measure-points relu
expect 1 'cannot be written' micro relu --rounds 1 --json /dev/full
expect 1 'cannot be written' bench chain:depth=1 --rounds 1 --json /dev/full
expect 2 'not given' bench chain:depth=1 --rounds 1 --csv "$folder/tables"
expect 0 'page' report "$folder/chain.jsonl" --out "$folder/page.html" --csv "$folder/tables"
grep -q '^1,block,' "$folder/tables/block.csv" || fail 'report --csv wrote no blocks'

# ---- grids: each cell a run; shards together are the whole; what is impossible is refused before anything is measured
grid=(bench chain:depth=1/2 --batch 1,2 --threads 1,2 --modes functional --factor storage=pool/malloc --rounds 2 --processes 2)
for shard in 1 2; do
    timed 'chain:depth=1' "${grid[@]}" --fraction 2 --shard $shard/2 --json "$folder/shard$shard.jsonl"
done
cat "$folder/shard1.jsonl" "$folder/shard2.jsonl" >"$folder/merged.jsonl"
expect 0 '8 runs computed again' verify "$folder/merged.jsonl"
cells=$(grep '"kind":"run"' "$folder/merged.jsonl" | grep -o '"cell":[0-9]*' | sort -u | wc -l)
[ "$cells" -eq 8 ] || fail "the shards of a fraction of 8 cells hold $cells"
expect 2 'means nothing on symbol' bench chain --modes symbol --batch 1,2 --factor storage=pool/malloc --json "$folder/no.jsonl"
[ ! -e "$folder/no.jsonl.part" ] || fail 'a refused grid left a part'
expect 2 'stands twice' bench chain --batch 1,2,1
expect 2 'depth' bench chain:depth=1/0 --rounds 1
expect 2 'the I-th of N' bench chain --shard 3/2
expect 2 'no cell' bench chain --shard 2/2
expect 2 'the name aa' bench chain --arm aa=step

# ---- an interrupted run keeps its part, gives no file its name, and the same command goes on with it
endless=(bench chain:depth=1 --modes step --rounds 40 --processes 4 --json "$folder/cut.jsonl")
interrupt() {
    "$tare" "${endless[@]}" >"$folder/out" 2>"$folder/err" &
    run=$!
    for _ in $(seq 600); do
        grep -q '"kind":"process"' "$folder/cut.jsonl.part" 2>/dev/null && break
        sleep 0.1
    done
    kill -"$1" "$run" 2>/dev/null
    wait "$run"
}
for signal in INT HUP TERM; do
    rm -f "$folder/cut.jsonl.part"
    interrupt $signal
    is=$?
    [ -e "$folder/cut.jsonl" ] && break # it was done before the signal came
    [ $is -eq 1 ] || fail "a run that SIG$signal ended: exit $is"
    grep -q 'interrupted: .*keeps' "$folder/err" || fail "SIG$signal: $(cat "$folder/err")"
    tail -c 1 "$folder/cut.jsonl.part" | grep -q . && fail "SIG$signal: a torn line"
done
if [ ! -e "$folder/cut.jsonl" ]; then
    run_id=$(head -n 1 "$folder/cut.jsonl.part" | grep -o '"run_id":"[0-9a-f]*"')
    expect 1 'of another command' bench chain:depth=1 --modes step --rounds 41 --json "$folder/cut.jsonl"
    printf '{"kind":"blo' >>"$folder/cut.jsonl.part"
    timed 'going on with' "${endless[@]}"
    [ "$(grep -c "$run_id" "$folder/cut.jsonl")" = "$(wc -l <"$folder/cut.jsonl")" ] || fail 'a resumed run is not one run'
fi
expect 0 'of 1 run computed again from 40 rounds' verify "$folder/cut.jsonl"
: >"$folder/held.jsonl.part"
flock "$folder/held.jsonl.part" "$tare" bench chain:depth=1 --rounds 1 --json "$folder/held.jsonl" >/dev/null 2>"$folder/err"
grep -q 'is being written by another run' "$folder/err" || fail "two runs share a part: $(cat "$folder/err")"
rm "$folder/held.jsonl.part" || fail 'a run took away the part of another'
# a reader that goes away is an error, and the file is there all the same
"$tare" bench chain:depth=1 --rounds 2 --processes 2 --modes step --json "$folder/pipe.jsonl" 2>"$folder/err" | true
grep -q 'standard output cannot be written' "$folder/err" || fail "a reader that went away: $(cat "$folder/err")"
expect 0 'all as written' verify "$folder/pipe.jsonl"
# and no file takes the place of a stream that is closed
"$tare" bench chain:depth=1 --rounds 1 --processes 1 --modes step --json "$folder/closed.jsonl" 2>"$folder/err" >&- <&-
[ $? -eq 1 ] && grep -q 'standard output cannot be written' "$folder/err" || fail "closed: $(cat "$folder/err")"
! grep -v '^{' "$folder/closed.jsonl" || fail 'what was printed is among the records'
expect 0 'all as written' verify "$folder/closed.jsonl"

[ -z "$(find "$folder" -name '*.part')" ] || fail 'a part was left'
finish
