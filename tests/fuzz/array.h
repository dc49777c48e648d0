/* array.h - the body of the targets that read one array from a file. */
#ifndef TARE_TESTS_FUZZ_ARRAY_H
#define TARE_TESTS_FUZZ_ARRAY_H

#include "../../data/array.h"
#include "fuzz.h"

static inline void fuzz_claim_same_arrays(const tare_array *a, const tare_array *b)
{
    FUZZ_CLAIM(a->dtype == b->dtype && a->rank == b->rank && a->bytes == b->bytes);
    FUZZ_CLAIM(memcmp(a->dims, b->dims, sizeof a->dims) == 0);
    FUZZ_CLAIM(a->bytes == 0 || memcmp(a->data, b->data, a->bytes) == 0);
}

/* lowest: the least rank that the format can hold. */
static inline void fuzz_array(const uint8_t *data, size_t size, int lowest,
                              tare_status (*read)(tare_memory *, const char *, tare_array *),
                              tare_status (*write)(tare_memory *, const char *, const tare_array *))
{
    tare_memory memory = {0};
    tare_array array = {0}, again = {0};
    tare_status status = read(&memory, fuzz_put("in", data, size), &array);
    FUZZ_CLAIM(status == TARE_OK || status == TARE_BAD_FILE);
    if (status == TARE_OK && array.rank >= lowest) {
        FUZZ_OK(write(&memory, fuzz_path("out"), &array));
        FUZZ_OK(read(&memory, fuzz_path("out"), &again));
        fuzz_claim_same_arrays(&array, &again);
    }
    tare_array_fini(&memory, &array);
    tare_array_fini(&memory, &again);
    fuzz_claim_nothing_lost(&memory);
}

#endif
