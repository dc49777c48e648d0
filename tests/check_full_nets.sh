#!/usr/bin/env bash
# Every net in every rung on one, two and three threads, bit for bit; and a net learns the rendered shapes.
#   check_full_nets.sh SOURCE BUILD
source "$1/tests/cli.sh"

for net in $("$tare" nets | awk '{ sub(/:.*/, "", $1); print $1 }'); do
    expect 0 'agree bit for bit' agree "$net" --batch 2 --modes all --threads 1,2,3
done

# a tenth by chance, a half by the outline or a fifth by the texture alone
expect 0 'cifar' data cifar --out "$folder/cifar" --count 5000
expect 0 'epoch 5' train cifarnet --data "$folder/cifar" --epochs 5 --batch 50 --quiet
awk '/^epoch 5/ { for (i = 1; i < NF; ++i) if ($i == "accuracy") right = $(i + 1) } END { exit !(right > 0.4) }' "$folder/out" ||
    fail "cifarnet learns too little: $(tail -1 "$folder/out")"
finish
