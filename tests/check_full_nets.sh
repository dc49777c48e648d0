#!/usr/bin/env bash
# Every net in every rung on one, two and three threads, bit for bit.
#   check_full_nets.sh SOURCE BUILD
source "$1/tests/cli.sh"

for net in $("$tare" nets | awk '{ sub(/:.*/, "", $1); print $1 }'); do
    expect 0 'agree bit for bit' agree "$net" --batch 2 --modes all --threads 1,2,3
done
finish
