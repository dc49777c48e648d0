/* dataset.h - the scratch folder opened as a data set, with each allocation failing in turn. */
#ifndef TARE_TESTS_DATASET_H
#define TARE_TESTS_DATASET_H

#include "../data/dataset.h"
#include "scratch.h"

enum { BOTH = TARE_DATASET_TRAIN | TARE_DATASET_TEST };

/* least: allocations that opening it takes at least, so that the loop is known to have failed some. */
static inline void assert_every_allocation_may_fail(int64_t least)
{
    tare_memory memory = {0};
    tare_status status = TARE_NO_MEMORY;
    for (memory.fail_at = 1; status == TARE_NO_MEMORY; ++memory.fail_at) {
        tare_dataset set = {0};
        memory.n_requests = 0;
        status = tare_dataset_open(&memory, scratch_folder, BOTH, &set);
        tare_dataset_fini(&memory, &set);
        assert_nothing_live(&memory);
    }
    ck_assert_int_eq(status, TARE_OK);
    ck_assert_int_ge(memory.fail_at, least);
}

#endif
