/* rates.h - the machine's own limits, two arms of every run.
 *
 * sgemm: OpenBLAS's (or another CBLAS's) single-precision product 1024^3, operands resident; on several threads as many
 * blocks of columns, one a thread. triad: a[i] = b[i] + s c[i] over arrays of 2^23 floats, which no cache but the
 * largest holds; its bytes are those that the statement names, 12 an element (J. D. McCalpin, "Memory bandwidth and
 * machine balance in current high performance computers", IEEE TCCA Newsletter, 1995). */
#ifndef TARE_BENCH_RATES_H
#define TARE_BENCH_RATES_H

#include "../../core/runtime.h"

typedef enum { TARE__SGEMM, TARE__TRIAD, TARE__RATE_COUNT } tare__rate;
extern const char *const tare__rate_names[TARE__RATE_COUNT];

#define TARE__SGEMM_FLOPS (2.0 * 1024 * 1024 * 1024) /* of a step */
#define TARE__TRIAD_BYTES (12.0 * (1 << 23))

/* The operands, and the runtime whose threads work on them. */
typedef struct {
    void *ptr[TARE__RATE_COUNT][3];
    tare_runtime *rt;
    int threads;
} tare__rates;

/* Without memory the command ends. */
void tare__rates_init(tare__rates *, int threads);
/* One step. */
void tare__rates_run(const tare__rates *, tare__rate);
void tare__rates_fini(tare__rates *);

#endif
