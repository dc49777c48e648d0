/* rates.c - the product and the stream that efficiencies are measured against (see rates.h). */
#include "rates.h"

#include <cblas.h>
#include <stdlib.h>

#include "../../core/random.h"
#include "../../ops/ops.h"
#include "../base/command.h"

enum { SIDE = 1024, STREAM = 1 << 23 };
static const int64_t count[TARE__RATE_COUNT] = {SIDE * SIDE, STREAM};
const char *const tare__rate_names[TARE__RATE_COUNT] = {"sgemm", "triad"};

/* From where a net's arena comes from, so that pages are as large. Every page is written, so that none is the system's
 * shared page of zeros. */
static float *numbers(tare_device *device, int64_t n, uint64_t stream)
{
    float *x = device->alloc(device, TARE_MEMORY_INPUT, (size_t)n * sizeof *x);
    if (!x)
        exit(tare__failed(NULL, "%s", tare_error_text()));
    if (n <= SIDE * SIDE)
        tare_random_uniform(x, n, 1, stream, -1, 1);
    else
        for (int64_t i = 0; i < n; ++i)
            x[i] = 1;
    return x;
}

void tare__rates_init(tare__rates *s, int threads)
{
    *s = (tare__rates){.threads = threads};
    tare_options options = {.threads = threads, .isa_limit = TARE_ISA_COUNT};
    if (tare_start(&options, &s->rt) != TARE_OK) /* which sets BLAS to one thread a call */
        exit(tare__failed(NULL, "%s", tare_error_text()));
    for (int rate = 0; rate < TARE__RATE_COUNT; ++rate)
        for (int i = 0; i < 3; ++i)
            s->ptr[rate][i] = numbers(s->rt->device, count[rate], (uint64_t)i + 1);
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

static int part_of_stream(const tare_call *call, int piece, int worker)
{
    (void)worker;
    int64_t from = (int64_t)STREAM * piece / call->n_pieces, to = (int64_t)STREAM * (piece + 1) / call->n_pieces;
    float *restrict a = call->ptr[0];
    const float *restrict b = call->ptr[1], *restrict c = call->ptr[2];
    for (int64_t i = from; i < to; ++i)
        a[i] = b[i] + 0.5f * c[i];
    return 0;
}

void tare__rates_run(const tare__rates *s, tare__rate rate)
{
    static tare_kernel *const run[TARE__RATE_COUNT] = {columns, part_of_stream};
    tare_call call = {.run = run[rate], .ptr = s->ptr[rate], .n_pieces = s->threads, .n_ptr = 3, .site = -1};
    int failed;
    (void)s->rt->device->run(s->rt->device, &call, 1, &failed);
}

void tare__rates_fini(tare__rates *s)
{
    tare_device *device = s->rt->device;
    for (int rate = 0; rate < TARE__RATE_COUNT; ++rate)
        for (int i = 0; i < 3; ++i)
            device->free(device, TARE_MEMORY_INPUT, s->ptr[rate][i], (size_t)count[rate] * sizeof(float));
    (void)tare_runtime_free(s->rt);
}
