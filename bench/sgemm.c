/* sgemm.c - the product that every efficiency is measured against (see sgemm.h). */
#include "sgemm.h"

#include <cblas.h>
#include <stdlib.h>

#include "../core/memory.h"
#include "../core/random.h"
#include "../ops/ops.h"
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

void tare__sgemm_init(tare__sgemm *s, int threads)
{
    *s = (tare__sgemm){{matrix(1), matrix(2), matrix(3)}, NULL, threads};
    tare_options options = {.threads = threads, .isa_limit = TARE_ISA_COUNT};
    if (tare_start(&options, &s->rt) != TARE_OK) /* which sets BLAS to one thread a call */
        exit(tare__failed(NULL, "%s", tare_error_text()));
}

/* Columns from j of b and c. */
static int columns(const tare_call *call, int piece, int worker)
{
    (void)worker;
    int j = SIDE * piece / call->n_pieces, n = SIDE * (piece + 1) / call->n_pieces - j;
    const float *b = call->ptr[1];
    float *c = call->ptr[2];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, n, SIDE, 1, call->ptr[0], SIDE, b + j, SIDE, 0, c + j,
                SIDE);
    return 0;
}

void tare__sgemm_run(const tare__sgemm *s)
{
    tare_call call = {.run = columns, .ptr = s->ptr, .n_pieces = s->threads, .n_ptr = 3, .site = -1};
    int failed;
    (void)s->rt->device->run(s->rt->device, &call, 1, &failed);
}

void tare__sgemm_fini(tare__sgemm *s)
{
    (void)tare_runtime_free(s->rt);
    for (int i = 0; i < 3; ++i)
        tare_memory_give(NULL, TARE_MEMORY_INPUT, s->ptr[i], COUNT * sizeof(float));
}
