/* sgemm.h - the machine's own limit: OpenBLAS's (or another CBLAS's) single-precision product 1024^3, operands
 * resident; on several threads as many blocks of columns, one a thread.
 */
#ifndef TARE_BENCH_SGEMM_H
#define TARE_BENCH_SGEMM_H

#include "../core/runtime.h"

#define TARE__SGEMM_FLOPS (2.0 * 1024 * 1024 * 1024)

/* Three matrices of 1024 x 1024, and the runtime whose threads multiply them. */
typedef struct {
    void *ptr[3];
    tare_runtime *rt;
    int threads;
} tare__sgemm;

void tare__sgemm_init(tare__sgemm *, int threads);
void tare__sgemm_run(const tare__sgemm *);
void tare__sgemm_fini(tare__sgemm *);

#endif
