/* planner.h - the public planning instances for the tests that solve them. */
#ifndef TARE_TESTS_PLANNER_H
#define TARE_TESTS_PLANNER_H

#include "../bench/arm/intervals.h"
#include "spine.h"

/* Packs tests/data/planner/NAME.csv with the default packer within the capacity (0: the lower bound), and proves it. */
static inline void planner_solve(const char *name, int64_t capacity, int64_t nodes)
{
    char path[128];
    tare__intervals r = {0};
    tare_memory memory = {0};
    tare_packing p;
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    const tare_packer *packer = tare_find(rt, TARE_KIND_PACKER, "portfolio");
    snprintf(path, sizeof path, "tests/data/planner/%s.csv", name);
    ck_assert_int_eq(tare__intervals_read(NULL, path, false, &r), TARE__RAN);
    must(tare_pack(&memory, packer, &(tare_pack_options){.goal = capacity, .nodes = nodes}, r.interval, r.n, &p));
    ck_assert_msg(p.height <= (capacity ? capacity : p.bound), "%s: height %lld, bound %lld, %lld nodes", name,
                  (long long)p.height, (long long)p.bound, (long long)p.nodes);
    must(tare_pack_verify(&memory, r.interval, r.n, 1, p.height));
    ck_assert_int_eq(memory.n_live, 0);
    tare__intervals_free(&r);
    spine_end(rt);
}

#endif
