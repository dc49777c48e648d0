/* intervals.c - fuzz target: buffers with their lifetimes as CSV, as `tare plan` reads them. */
#include "../../bench/arm/intervals.h"

#include "fuzz.h"

static void claim_same(const tare__intervals *a, const tare__intervals *b)
{
    FUZZ_CLAIM(a->n == b->n);
    for (int i = 0; i < a->n; ++i) {
        const tare_interval *x = &a->interval[i], *y = &b->interval[i];
        FUZZ_CLAIM(strcmp(a->id[i], b->id[i]) == 0);
        FUZZ_CLAIM(!a->more[i] == !b->more[i] && (!a->more[i] || strcmp(a->more[i], b->more[i]) == 0));
        FUZZ_CLAIM(x->lower == y->lower && x->upper == y->upper && x->bytes == y->bytes && x->offset == y->offset);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    FILE *spoken = stderr;
    const char *in = fuzz_put("in", data, size);
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    for (int of_plan = 0; of_plan < 2; ++of_plan) {
        tare__intervals v = {0}, again = {0};
        stderr = nowhere; /* what is wrong is said there */
        int code = tare__intervals_read(NULL, in, of_plan, &v);
        stderr = spoken;
        FUZZ_CLAIM(code == TARE__RAN || code == TARE__FAILED);
        if (code == TARE__RAN) {
            FUZZ_CLAIM(tare__intervals_write(NULL, fuzz_path("out"), &v) == TARE__RAN);
            FUZZ_CLAIM(tare__intervals_read(NULL, fuzz_path("out"), true, &again) == TARE__RAN);
            claim_same(&v, &again);
        }
        tare__intervals_free(&v);
        tare__intervals_free(&again);
    }
    return 0;
}
