#!/usr/bin/env bash
# The command as scripts see it: every subcommand, exit codes, one line on stderr, files whole or not at all.
#   check_cli.sh SOURCE BUILD
source "$1/tests/cli.sh"

# ---- lists and help
expect 0 'tare [0-9]' --version
expect 0 'bench' --help
expect 0 '^adamw .*schedule=constant' optimizers
expect 0 '^cosine' schedules
expect 0 '^orthogonal' initialisers
expect 0 '"name":"he_normal"' initialisers --json
for command in nets ops optimizers schedules initialisers modes factors summary bench agree train predict data plan graph explain ablate micro step trace count check report compare verify doctor; do
    expect 0 "tare $command" "$command" --help
    expect 2 'unknown option' "$command" --nonsense
done
for list in nets ops modes factors; do
    expect 0 '.' "$list"
    expect 0 '^{' "$list" --json
done
expect 0 'gemm_gflops' doctor --time 0.5
expect 0 '"again_ci95"' doctor --time 0.5 --json

for net in chain mlp mlp_mnist lenetp lenet; do
    expect 0 "^$net" nets
    expect 0 'dense0' summary "$net"
done
for rung in functional symbol step kernels; do
    expect 0 "^$rung" modes
done
"$tare" modes --markdown | diff -q - "$source/docs/MODES.md" >/dev/null ||
    fail 'docs/MODES.md is not what tare modes --markdown prints'
"$tare" ops --markdown | diff -q - "$source/docs/OPS.md" >/dev/null ||
    fail 'docs/OPS.md is not what tare ops --markdown prints'
expect 0 '"name":"concat","inputs":null,"outputs":1,' ops --json
expect 0 '"name":"split","inputs":1,"outputs":null,' ops --json
expect 2 'not both' ops --json --markdown

# ---- usage
expect 2 "did you mean 'bench'" bnech
expect 2 'mlp_mnist' bench mlp_mnits --quick
expect 2 "did you mean 'symbol'" bench chain --modes symbl
expect 2 "did you mean 'storage'" bench chain --factor storag=malloc
expect 2 'has no level' bench chain --factor storage=tape
expect 2 'means nothing on symbol' bench chain --modes symbol --factor storage=malloc
expect 2 'means nothing on functional' agree chain --modes functional --factor dce=on
expect 2 'bulk means nothing with engine=direct' agree chain --modes functional --factor bulk=8
expect 2 'engine=queue means nothing on kernels' agree chain --modes kernels --factor engine=queue
expect 2 'bulk=8 means nothing on step' agree chain --modes step --factor engine=queue,bulk=8
expect 0 '3 rungs agree bit for bit' agree chain:depth=2 --modes functional,symbol,step --factor engine=queue
expect 2 'no level .65' agree chain --threads 65
expect 2 'no level .0' bench chain --threads 1,0
expect 2 'no level .1,2' train mlp_mnist --threads 1,2 --data "$folder"
expect 2 'two arms' agree chain --threads 1,2,2
expect 2 'computes nothing' agree chain --kernels null
expect 2 'device' agree chain --device cuda
expect 2 'depth' bench chain:depth=0
expect 2 'no option' summary chain:depht=3
expect 2 'adam' bench chain --optimizer addam
expect 2 'whole number' bench chain --batch 1e3
expect 2 'whole number' agree chain --steps 0
expect 2 'needs a value' agree chain --batch
expect 2 'takes no value' nets --json=3
expect 2 'two dashes' agree chain -b 3
expect 2 'too few words' bench
expect 2 'a word too many' bench chain mlp
expect 2 'exclude one another' bench chain --infer --forward
expect 2 'gradients' bench chain --infer --optimizer sgd
expect 2 'cosine needs steps' agree chain --optimizer sgd:schedule=cosine
expect 2 'need one of xavier_uniform' summary chain:init=random
expect 2 'two arms' bench chain --arm a=step --arm a=symbol
expect 2 'NAME=RUNG' bench chain --arm step
expect 2 'no gradient' bench chain --modes functional --factor autograd=off
expect 2 'data' train mlp_mnist
expect 2 'load' predict mlp_mnist
expect 2 'digits' data cats --out "$folder/cats"
expect 2 'out' data digits
expect 2 'dot' graph chain
expect 2 'csv' plan
expect 2 'out' report "$folder/none"

# ---- agreement and timing
for net in chain mlp mlp_mnist lenetp lenet; do
    expect 0 'agree bit for bit' agree "$net" --batch 8 --modes all
done
expect 0 'nothing to compare' agree chain --modes step
expect 0 'agree bit for bit' agree mlp --batch 3 --optimizer adam --steps 2
expect 0 'agree bit for bit' agree chain:init=orthogonal --optimizer adamw:schedule=cosine,steps=3,warmup=1,clip=1
expect 0 'agree bit for bit' agree chain --factor kernels=reference
expect 0 'kernels@3' agree mlp --batch 64 --steps 1 --threads 1,2,3
expect 0 'agree bit for bit' agree mlp --batch 64 --steps 1 --threads 2,7 --factor kernels=reference --modes step,functional
expect 0 'agree bit for bit' agree chain --modes symbol,step,kernels --factor dce=off,in-place=off
expect 0 '353.4 M' summary mlp
expect 0 'share *$' summary chain:depth=2 --time 0.1 --forward
expect 0 '"roofline_ns"' summary chain:depth=2 --time 0.1 --json
expect 2 'a number from' summary chain --time 0
expect 0 '60170 *243.5 M' summary lenetp
expect 0 '431080 *843.6 M' summary lenet
expect 0 '1250858 *31.41 G' summary cifarnet
expect 0 '45510474 *57.96 G' summary alexnet
expect 0 '15190552 *134.4 G' summary googlenet
expect 0 '^  4e.pool_proj' summary googlenet
expect 0 '25557032 *388.8 G' summary resnet50
expect 0 'agree bit for bit' agree cifarnet --batch 1 --steps 1 --modes functional,static_shape,step

# ---- files: whole or not at all (check_timing.sh has more of runs)
timed '119 nodes' bench chain --rounds 2 --processes 2 --modes step,functional --json "$folder/chain.jsonl"
expect 1 'cannot be written' agree chain:depth=1 --json "$folder/missing/x.jsonl"
expect 1 'cannot be written' graph chain --dot /dev/full
"$tare" nets >/dev/full 2>"$folder/err"
[ $? -eq 1 ] && [ "$(wc -l <"$folder/err")" -eq 1 ] || fail 'a full disk behind stdout went unnoticed'

# ---- training: the same loss to the last digit, weights that predict the same
expect 0 'digits' data digits --out "$folder/digits" --count 300
for mode in functional symbol step kernels; do
    expect 0 'epoch 2' train mlp_mnist --data "$folder/digits" --epochs 2 --batch 50 --mode "$mode" --save "$folder/$mode.safetensors"
    grep -o 'loss [^ ]*  test loss [^ ]* accuracy [^ ]*' "$folder/out" >"$folder/$mode.losses"
    cmp -s "$folder/$mode.losses" "$folder/functional.losses" || fail "train --mode $mode: other losses"
    cmp -s "$folder/$mode.safetensors" "$folder/functional.safetensors" || fail "train --mode $mode: other weights"
done
expect 0 'accuracy' predict mlp_mnist --load "$folder/step.safetensors" --data "$folder/digits" --out "$folder/y.npy"
[ -s "$folder/y.npy" ] || fail 'predict --out wrote nothing'
expect 0 'on real batches' agree mlp_mnist --data "$folder/digits" --batch 50 --steps 10
expect 0 'accuracy' train lenetp --data "$folder/digits" --batch 50 --optimizer adam --mode step
expect 0 'cifar, 60 samples' data cifar --out "$folder/cifar" --count 60
expect 0 '60 training, 12 test samples' train cifarnet --data "$folder/cifar" --batch 20
expect 0 'on real batches' agree cifarnet --data "$folder/cifar/test_batch.bin" --batch 4 --steps 1 --modes functional,step
expect 1 'numbers' train lenet --data "$folder/cifar"
expect 1 'numbers' train mlp --data "$folder/digits"
expect 1 'No such file' train mlp_mnist --data "$folder/nothing"
expect 1 'numbers' predict chain --load "$folder/step.safetensors" --data "$folder/digits"
head -c 1000 "$folder/step.safetensors" >"$folder/short.safetensors"
expect 1 'short.safetensors' predict mlp_mnist --load "$folder/short.safetensors" --data "$folder/digits"
expect 1 'safetensors' predict mlp_mnist --load "$folder/none.safetensors" --data "$folder/digits"
head -c 5000 "$folder/digits/train-images-idx3-ubyte" >"$folder/cut" && mv "$folder/cut" "$folder/digits/train-images-idx3-ubyte"
expect 1 'train-images-idx3-ubyte' train mlp_mnist --data "$folder/digits"
expect 1 '.' data digits --out /dev/null/x
expect 0 'regression' data regression --out "$folder/regression" --count 300
expect 0 'MSE' train mlp --data "$folder/regression" --batch 30

# ---- a net in files is a net: every subcommand takes it, and its bits are those of the net that was saved
digests() { awk '/^  (functional|hybridized|static_|symbol |step|kernels)/ { print $1, $2, $3, $4, $5, $6, $7 }' "$folder/out"; }
for net in chain:depth=3,width=8 mlp lenetp mlp_mnist; do
    expect 0 'parameters in' graph "$net" --batch 4 --save "$folder/saved.json"
    expect 0 'agree bit for bit' agree "$net" --batch 9 --modes all
    digests >"$folder/of-net"
    expect 0 'agree bit for bit' agree "$folder/saved.json" --batch 9 --modes all --seed 1
    digests | diff -q - "$folder/of-net" >/dev/null || fail "agree saved.json: other digests than $net"
done
expect 0 'saved.json' summary "$folder/saved.json"
expect 0 'lower bound' plan "$folder/saved.json"
timed 'saved.json' bench "$folder/saved.json" --rounds 1 --processes 1 --time 1 --modes functional,step --infer
expect 0 'nodes' graph "$folder/saved.json" --dot "$folder/saved.dot"
expect 0 'parameters in' graph "$folder/saved.json" --save "$folder/again.json"
cmp -s "$folder/saved.safetensors" "$folder/again.safetensors" || fail 'saved again: other weights'
expect 0 'digits' data digits --out "$folder/digits" --count 300
expect 0 'epoch 2' train "$folder/saved.json" --data "$folder/digits" --epochs 2 --batch 50 --mode step --save "$folder/saved.safetensors"
cmp -s "$folder/saved.safetensors" "$folder/step.safetensors" || fail 'train saved.json: other weights'
expect 0 'accuracy' predict "$folder/saved.json" --data "$folder/digits" --out "$folder/y2.npy"
cmp -s "$folder/y.npy" "$folder/y2.npy" || fail 'predict saved.json: other outputs'
expect 0 'block is left out' agree "$folder/saved.json" --batch 4
expect 2 'block reaches layers as objects' agree "$folder/saved.json" --modes block,step
expect 2 'has none' train "$folder/saved.json" --data "$folder/digits" --mode hybridblock
expect 2 'ends in .json' graph chain --save "$folder/chain.txt"
expect 1 'cannot be written' graph chain --save "$folder/missing/x.json"
expect 2 'No such file' agree "$folder/none.json"
head -c 700 "$folder/saved.json" >"$folder/bad.json"
expect 1 'bad.json: line' bench "$folder/bad.json"
cp "$folder/saved.json" "$folder/alone.json"
expect 2 'alone.safetensors' summary "$folder/alone.json"
head -c 900 "$folder/saved.safetensors" >"$folder/alone.safetensors"
expect 1 'alone.safetensors' summary "$folder/alone.json"

# ---- plans
expect 0 'lower bound' plan mlp --csv "$folder/mlp.csv"
expect 0 'no two meet' plan --verify "$folder/mlp.csv"
printf 'id,lower,upper,size\na,0,1,4\n' >"$folder/unplanned.csv"
expect 1 'a row is id,lower,upper,size,offset' plan --verify "$folder/unplanned.csv"
expect 0 'floor of all orders' plan mlp --factor order=program
expect 0 'caching pool' plan mlp --optimizer adam --svg "$folder/mlp.svg" --json "$folder/mlp_memory.jsonl"
grep -q '</svg>' "$folder/mlp.svg" || fail 'the picture has no end'
expect 0 '1 run' report "$folder/mlp_memory.jsonl" --out "$folder/memory.html"
expect 0 'no two meet' plan --verify "$folder/mlp.csv"
expect 0 'height' plan "$folder/mlp.csv" --out "$folder/mlp_again.csv"
cmp -s "$folder/mlp.csv" "$folder/mlp_again.csv" || fail 'a plan with further columns does not come back as it was'
expect 1 'cannot be written' plan mlp --svg /dev/full
expect 0 'order: least-peak' plan mlp --factor order=least-peak,recompute=1MiB
expect 0 'no two meet' plan --verify "$folder/mlp.csv"
sed -E '1!s/^([^,]*,[^,]*,[^,]*,[^,]*),[0-9]*/\1,0/' "$folder/mlp.csv" >"$folder/same.csv"
expect 0 'arena' plan mlp --factor "plan=$folder/mlp.csv"
expect 1 'same.csv: intervals .* meet in time and space' plan mlp --factor "plan=$folder/same.csv"
expect 1 'the plan.s block' plan mlp --optimizer sgd --factor "plan=$folder/mlp.csv"
expect 1 'has no row for the block' plan lenet --factor "plan=$folder/mlp.csv"
expect 1 'No such file' plan mlp --factor plan=nothing.csv
expect 0 'agree' agree mlp --modes symbol --factor "plan=$folder/mlp.csv"
expect 0 'shared objects' plan mlp --factor plan=shared-object,cse=off,folding=off
expect 0 'agree bit for bit' agree chain:depth=6 --modes symbol,step,kernels --factor recompute=1KiB
for level in 1MB 1500B -1KiB KiB 1.5MiB '' 0 99999999999999999999GiB; do
    expect 2 'has no level' plan mlp --factor "recompute=$level"
done
expect 2 'means nothing' agree mlp --modes functional --factor recompute=1MiB
cut -d, -f1-4 "$folder/mlp.csv" >"$folder/bare.csv"
expect 0 'height' plan "$folder/bare.csv" --out "$folder/planned.csv"
expect 0 'no two meet' plan --verify "$folder/planned.csv"
expect 1 'lower bound' plan "$folder/bare.csv" --capacity 64 --out "$folder/over.csv"
[ ! -e "$folder/over.csv" ] || fail 'a plan above capacity was written'
printf 'id,lower,upper,size,offset\na,0,3,10,0\nb,2,4,10,5\n' >"$folder/meet.csv"
expect 1 'meet.csv' plan --verify "$folder/meet.csv"
# a file of these rows is refused with this sentence
refused() {
    printf "$2" >"$folder/rows.csv"
    expect 1 "$1" plan "$folder/rows.csv" --out "$folder/over.csv"
    [ ! -e "$folder/over.csv" ] || fail 'a plan of a wrong file was written'
}
refused 'line 2: lower is not below upper' 'a,0,3,10\nb,5,4,10\n'
refused 'line 2: lower is not below upper' 'a,0,3,10\nb,4,4,10\n'
refused 'line 1: a row is id,lower,upper,size' 'a,0,3\n'
refused 'line 1: a row is id,lower,upper,size' 'a,0,3,4,5,6\n'
refused 'line 1: a row is id,lower,upper,size' 'a\n'
refused 'line 1: the size is negative' 'a,0,3,-1\n'
refused "line 1: size '99999999999999999999' is beyond 64 bits" 'a,0,3,99999999999999999999\n'
refused "line 3: upper '3x' is no whole number" 'id,lower,upper,size\n\na,0,3x,1\n'
refused "line 1: size '1.5' is no whole number" 'a,0,3,1.5\n'
refused "line 1: size '' is no whole number" 'a,0,3,\n'
refused "line 1: lower 'start' is no whole number" 'name,start,end,size\na,0,3,1\n'
refused "line 4: the id 'a' stands in line 2 already" 'id,lower,upper,size\na,0,3,1\nb,0,3,1\na,5,6,1\n'
refused 'line 2: the sizes up to here' 'a,0,3,2000000000000000000\nb,7,9,2000000000000000000\n'
refused 'line 1: a quoted id' '"a,0,3,1\n'
refused 'line 1: a quoted id' '"a"b,0,3,1\n'
refused 'line 1: the id is empty' ',0,3,1\n'
refused 'line 2: it holds a zero byte' 'a,0,3,1\nb,0,\0003,1\n'
refused 'line 1: the offset is negative' 'a,0,3,1,-1\n'
refused 'intervals 0 and 1 meet' 'a,0,3,5,0\nb,1,2,5,4\n'
refused 'no rows' ''
refused 'no rows' 'id,lower,upper,size\n'
printf '\357\273\277id,lower,upper,size\r\n"b ""1"", x",0,3,4\r\nb2,3,9,4\r\n\r\nb3,0,9,4\r\nb4,9,21,4\r\nb5,0,21,4' >"$folder/crlf.csv"
expect 0 '5 blocks, height 12, lower bound 12' plan "$folder/crlf.csv" --capacity 12 --out "$folder/planned.csv"
expect 0 '5 blocks, height 12: no two meet' plan --verify "$folder/planned.csv"
expect 0 'height 12' plan "$folder/planned.csv"
grep -q '^"b ""1"", x",0,3,4,' "$folder/planned.csv" || fail 'a quoted id did not come back'
expect 1 "impossible within 3 bytes: 'b \"1\", x' (line 2) alone takes 4" plan "$folder/crlf.csv" --capacity 3
expect 1 'impossible within 11 bytes: the lower bound is 12' plan "$folder/crlf.csv" --capacity 11
expect 0 'shared_object' plan "$folder/crlf.csv" --packers all
expect 0 'packer greedy' plan "$folder/crlf.csv" --packers none,greedy --budget 1
expect 0 'shared_object' plan chain --packers all
expect 2 'greedy' plan "$folder/crlf.csv" --packers greed
expect 2 'capacity' plan "$folder/crlf.csv" --capacity -1
expect 2 'budget' plan "$folder/crlf.csv" --budget never
expect 2 '\-\-csv' plan "$folder/crlf.csv" --csv "$folder/x.csv"
expect 2 '\-\-svg' plan "$folder/crlf.csv" --svg "$folder/x.svg"
expect 2 '\-\-out' plan chain --out "$folder/x.csv"
expect 2 'clock' plan chain --budget 1
printf 'a,0,3,10,0\n' >"$folder/no_offset.csv"
printf 'a,0,3,10\n' >"$folder/bare.csv"
expect 0 'no two meet' plan --verify "$folder/no_offset.csv"
expect 1 'line 1: a row is id,lower,upper,size,offset' plan --verify "$folder/bare.csv"
awk 'BEGIN { for (i = 0; i < 1000000; ++i) print i "," i "," i + 1 + i % 20 "," 1 + i * 7919 % 1000 }' >"$folder/million.csv"
expect 0 '1000000 blocks' plan "$folder/million.csv" --packers greedy
rm -f "$folder/million.csv"
expect 1 'No such file' plan "$folder/nothing.csv"
ln -s /dev/zero "$folder/endless.csv"
expect 1 'File too large' plan "$folder/endless.csv"

# ---- options without a value, output that does not arrive
for option in batch out factor arms; do
    expect 2 "$option needs a value" trace chain --$option ''
    expect 2 'option\|needs a value' bench chain "--$option="
done
for words in --help --version help 'summary --help' 'summary chain' 'check relu'; do
    # shellcheck disable=SC2086
    "$tare" $words >/dev/full 2>"$folder/err"
    [ $? -eq 1 ] || fail "tare $words: a full disk is no failure"
    [ "$(grep -c 'standard output cannot be written' "$folder/err")" -eq "$(wc -l <"$folder/err")" ] ||
        fail "tare $words: $(cat "$folder/err")"
done

# ---- counts and timelines
expect 0 'storage_takes' count chain:depth=2 --modes invoke,step --factor kernels=null
expect 2 'whole number' count chain --steps 0
expect 2 'out FILE is wanted' trace chain
expect 2 'unknown rung' trace chain --arms nonsense --out "$folder/t.json"
expect 1 'no such\|No such' trace chain:depth=2 --out "$folder/none/t.json"
expect 0 'static_shape@2' trace mlp --batch 64 --threads 1,2 --out "$folder/t.json"

# ---- where a step's time goes, and what a flip does: words, lines and refusals; figures are for a quiet machine
timed 'by rungs' explain mlp_mnist --batch 4 --rounds 2 --processes 1 --arms functional,hybridized --json "$folder/parts.jsonl"
grep -q '"kind":"closure"' "$folder/parts.jsonl" || fail 'explain: no line of the closure'
expect 0 'all as written' verify "$folder/parts.jsonl"
echo '{"name": "theirs", "net": "mlp_mnist", "batch": 4, "threads": 1, "ms": 2.5}' >"$folder/peers.jsonl"
timed 'beyond our kernels' explain mlp_mnist --batch 4 --rounds 1 --processes 1 --time 1 --arms step --vs "$folder/peers.jsonl"
grep -q '^  theirs  *2.50 ms' "$folder/out" || fail 'explain --vs: their step is not in the table'
echo '{"name": "theirs", "net": 3}' >>"$folder/peers.jsonl"
expect 1 'peers.jsonl:2: no' explain mlp_mnist --vs "$folder/peers.jsonl"
expect 1 'No such file' explain mlp_mnist --vs "$folder/none.jsonl"
expect 2 'a net is needed' explain
expect 2 '3 arms' explain chain --arms block,step,symbol
"$tare" explain --markdown >"$folder/parts"
sed -n '/^| part | what/,/^$/p' "$source/docs/METHOD.md" | sed '/^$/d' | diff -q - "$folder/parts" >/dev/null ||
    fail 'docs/METHOD.md has other parts than tare explain --markdown'
"$tare" report --markdown >"$folder/charts"
sed -n '/^| chart | of/,/^$/p' "$source/docs/METHOD.md" | sed '/^$/d' | diff -q - "$folder/charts" >/dev/null ||
    fail 'docs/METHOD.md has other charts than tare report --markdown'
expect 2 'a file of records is needed' report
mkdir "$folder/home"
cp "$folder/net.json" "$folder/net.safetensors" "$folder/home" 2>/dev/null || "$tare" graph mlp_mnist --save "$folder/home/net.json" >/dev/null
timed 'kernels' bench "$folder/home/net.json" --batch 1,2 --modes symbol --factor order=program/best --rounds 1 --processes 1 --time 1 --anonymous --json "$folder/home/secret.jsonl"
! grep -q -e "$folder" -e '"host"' "$folder/home/secret.jsonl" || fail '--anonymous: a folder or the host is in the records'
grep -q '"--json","secret.jsonl"' "$folder/home/secret.jsonl" || fail '--anonymous: the command is not in the records'
grep -q '"order=program/best"' "$folder/home/secret.jsonl" || fail '--anonymous: a bar between values is taken for a folder'
timed 'cannot be flipped here' ablate chain:depth=2 --base hybridized --rounds 1 --processes 1 --time 1
grep -q 'keep=kept ' "$folder/out" || fail 'ablate: no row for keep=kept'
grep -q 'capture=broken' "$folder/out" || fail 'ablate: no row for capture=broken'
! grep -q 'DIFFERS' "$folder/out" || fail 'ablate: an exact flip changes bits'
timed 'all on less none' ablate chain:depth=2 --base symbol --factors in-place --shapley --rounds 1 --processes 1 --time 1 --json "$folder/shares.jsonl"
grep -q '^  autograd  *tape, not graph' "$folder/out" || fail 'ablate --shapley: no row for autograd'
expect 0 'files' report "$folder/shares.jsonl" --figures "$folder/shares"
ls "$folder/shares" | grep -q 'mechanisms.pdf' || fail 'report --figures: no chart of the shares'
timed 'change the work: feed, ' ablate mlp_mnist --batch 2 --base step --rounds 1 --processes 1 --time 1
grep -q '^  workers=.: only input=loader has workers' "$folder/out" || fail 'ablate: workers without a loader'
timed 'by rungs' explain mlp_mnist --batch 2 --methods --arms functional --rounds 1 --processes 1 --time 1 --factor input=loader,readback=step --json "$folder/methods.jsonl"
grep -q '"corners":\["carrier 0000"' "$folder/methods.jsonl" || fail 'explain --methods: the carrier was not timed'
grep -q '\["functional kernels unfed","input wait"\]' "$folder/methods.jsonl" || fail 'explain: no rung for the input wait'
expect 0 'all as written' verify "$folder/methods.jsonl"
timed 'unattributed' explain chain:depth=3 --arms functional --rounds 1 --processes 1 --time 1
expect 2 'means nothing on symbol' ablate chain --base symbol --factors storage=malloc
expect 2 'cannot be flipped on symbol' ablate chain --base symbol --factors storage
expect 2 "did you mean 'storage'" ablate chain --factors storag

# ---- a step, event by event
expect 0 'static_shape' step chain:depth=2
expect 0 'look-up' step chain:depth=2 --arms invoke,kernels --optimizer sgd
expect 0 'gemm' step mlp --batch 2 --layer dense1 --arms symbol
expect 2 'nonsense' step chain:depth=2 --layer nonsense
expect 2 'two stand side by side' step chain:depth=2 --arms block,symbol,step
expect 2 'unknown rung' step chain:depth=2 --arms nonsense

# ---- steps on demand
input=$folder/asked
printf '{"seconds": 0.001}\n{"seconds": 1e-9}\n' >"$input"
expect 0 '"net":"chain:depth=2,width=16","batch":1' serve chain:depth=2 --mode static_shape
[ "$(grep -c '^{"ms":\[[0-9.e-]*,[0-9.e,-]*\]}$' "$folder/out")" = 2 ] || fail "serve: $(head -c 300 "$folder/out")"
for line in '{"seconds": 0}' '{"seconds": 1e9}' '{"seconds": "1"}' '{"minutes": 1}' '[]' 'x'; do
    echo "$line" >"$input"
    expect 2 'standard input: a line is' serve chain:depth=2
done
input=
expect 2 'means nothing on symbol' serve chain:depth=2 --factor storage=malloc
expect 2 'unknown rung' serve chain:depth=2 --mode nonsense

# ---- pictures and pages
expect 0 'nodes' graph chain:depth=2 --dot "$folder/chain.dot"
head -1 "$folder/chain.dot" | grep -q digraph || fail 'no digraph in chain.dot'
expect 0 '1 run' report "$folder/chain.jsonl" --out "$folder/page.html"
grep -q '</html>' "$folder/page.html" || fail 'the page has no end'
: >"$folder/empty.jsonl"
expect 0 'no runs' report "$folder/empty.jsonl" --out "$folder/empty.html"
echo 'nonsense' >"$folder/bad.jsonl"
expect 1 'line 1' report "$folder/bad.jsonl" --out "$folder/bad.html"
printf '\0\377nonsense' >"$folder/bad.jsonl"
expect 1 'line 1' report "$folder/bad.jsonl" --out "$folder/bad.html"
expect 1 'line 1' verify "$folder/bad.jsonl"
[ ! -e "$folder/bad.html" ] || fail 'a page was made of nonsense'
expect 1 'cannot be written' report "$folder/chain.jsonl" --out /dev/full
expect 1 'cannot be made' report "$folder/chain.jsonl" --figures /dev/null/charts
expect 2 'figures' report "$folder/chain.jsonl"
expect 2 'machine' report "$folder/chain.jsonl" --out "$folder/by.html" --by rung

[ -z "$(find "$folder" -name '*.part' ! -name 'cut.jsonl.part')" ] || fail 'a part was left'
finish
