/* sgemm.c - the product that every efficiency is measured against (see sgemm.h). */
#include "sgemm.h"

#include <cblas.h>
#include <stdlib.h>

#include "../core/memory.h"
#include "../core/random.h"
#include "command.h"

enum { SIDE = 1024, COUNT = SIDE * SIDE };

static float *matrix(uint64_t stream)
{
    float *x = tare_memory_take(NULL, TARE_MEMORY_INPUT, COUNT * sizeof(float));
    if (!x)
        exit(tare__failed(NULL, "%s", tare_error_text()));
    tare_random_uniform(x, COUNT, 1, stream, -1, 1);
    return x;
}

void tare__sgemm_init(tare__sgemm *s)
{
    *s = (tare__sgemm){matrix(1), matrix(2), matrix(3)};
}

void tare__sgemm_run(const tare__sgemm *s)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, s->a, SIDE, s->b, SIDE, 0, s->c, SIDE);
}

void tare__sgemm_fini(tare__sgemm *s)
{
    float *const all[] = {s->a, s->b, s->c};
    for (int i = 0; i < 3; ++i)
        tare_memory_give(NULL, TARE_MEMORY_INPUT, all[i], COUNT * sizeof(float));
}
